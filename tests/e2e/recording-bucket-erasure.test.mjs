// An erasure leaves no sample in the bucket, and says so only then (docs/recording.md).
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/process.mjs';
import { S3 } from './support/s3.mjs';
import { Scene, session, tone } from './support/scene.mjs';
import { Client, run, startRelay } from './support/verbatim.mjs';

async function recorded(t, set = [], bytes = 0) {
  const scene = await Scene.start(t, set);
  await scene.speak('u1', tone(400, 300));
  await scene.end();
  if (bytes > 0) appendFileSync(join(scene.folder(), '1.user.pcm'), randomFillSync(Buffer.alloc(bytes)));
  return scene;
}

async function restart(scene, set = [], signal = undefined) {
  await scene.relay.program.stop(signal);
  scene.relay = await startRelay(scene.t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: [...scene.set, ...set] });
}

const files = (scene) => (existsSync(scene.folder()) ? readdirSync(scene.folder()).sort() : []);
const erase = (scene) => scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' });
const metric = async (scene, name) => Number(new RegExp(`^verbatim_recording_${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec((await scene.relay.request('/metrics')).text)[1]);
const down = () => ({ status: 503, code: 'SlowDown' });
const empty = (s3) => {
  assert.deepEqual(s3.keys, []);
  assert.equal(s3.parts.size, 0, 'parts are left');
  assert.deepEqual(s3.versions, []);
};

for (const [name, options, set] of [
  ['of files that are here as well', {}, []],
  ['of files that are only there', {}, ['recording.s3_delete_local=true', 'recording.s3_local_idle=0s']],
  ['in a bucket that keeps old versions', { versioned: true }, []],
])
  test(`DELETE answers 204 when the bucket has nothing of the session: ${name} [P10][P15]`, async (t) => {
    const s3 = await S3.start(t, options);
    const scene = await recorded(t, s3.settings(...set));
    await scene.relay.program.logged('recording.uploaded');
    if (set.length > 0) await eventually(() => files(scene).length === 0, 'no file here');
    assert.equal(s3.keys.length, 1);
    const answer = await erase(scene);
    assert.equal(answer.status, 204, answer.text);
    empty(s3);
    assert.equal(existsSync(scene.folder()), false);
    assert.equal(await metric(scene, 'removals_waiting'), 0);
    assert.equal(await metric(scene, 'uploads_total{outcome="removed"}'), 1);
    assert.equal((await erase(scene)).status, 404);
  });

test('while the bucket does not answer, DELETE says 202 and what is pending; it is tried until it succeeds [P10]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, s3.settings('session.end_wait=300ms'));
  await scene.relay.program.logged('recording.uploaded');
  s3.fault = down;
  for (let i = 0; i < 2; ++i) {
    const answer = await erase(scene);
    assert.equal(answer.status, 202, answer.text);
    assert.ok(answer.json.pending.includes('bucket'), answer.text);
    assert.match(answer.json.detail, /The bucket still has recorded audio of it/);
  }
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}`)).status, 404);
  assert.equal(existsSync(scene.folder()), false);
  assert.match(scene.relay.program.stderr, /recording\.not_removed.*removal: the service answers 503 SlowDown/);
  assert.equal(await metric(scene, 'removals_waiting'), 1);
  await restart(scene, s3.settings(), 'SIGKILL');
  await eventually(async () => (await metric(scene, 'removals_waiting')) === 1, 'the removal goes on after a kill');
  assert.equal(s3.keys.length, 1);
  s3.fault = () => undefined;
  await eventually(() => s3.keys.length === 0, 'the removal');
  await scene.relay.program.logged('recording.removed');
  assert.equal((await erase(scene)).status, 404);
});

for (const [name, bytes, pattern] of [
  ['in one call', 0, /./],
  ['in parts', 12 << 20, /partNumber=2/],
])
  test(`an erasure breaks off an upload ${name}, and nothing of it stays [P10][P15]`, async (t) => {
    const s3 = await S3.start(t);
    const scene = await recorded(t, [], bytes);
    s3.before = ({ method, search }) => method === 'PUT' && pattern.test(search || '/') && (() => {});
    await restart(scene, s3.settings('recording.s3_single_bytes_max=5MiB', 'recording.s3_part_bytes=5MiB', 'recording.s3_timeout=10m'));
    await eventually(() => s3.calls.some(({ method, search }) => method === 'PUT' && pattern.test(search || '/')), 'an upload');
    assert.equal(s3.parts.size, bytes > 0 ? 1 : 0);
    const answer = await erase(scene);
    assert.equal(answer.status, 204, answer.text);
    empty(s3);
    assert.equal(existsSync(scene.folder()), false);
  });

test('a kill in the middle of an erasure leaves no object behind [P10]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, s3.settings());
  await scene.relay.program.logged('recording.uploaded');
  s3.before = ({ method }) => method === 'DELETE' && (() => {});
  erase(scene).catch(() => {});
  await eventually(() => s3.count('DELETE') > 0, 'the removal');
  s3.before = () => undefined;
  await restart(scene, [], 'SIGKILL');
  await eventually(() => s3.keys.length === 0, 'the removal');
  await eventually(async () => [204, 404].includes((await erase(scene)).status), 'the erasure');
  empty(s3);
});

test('verbatim sessions delete leaves the objects to the next start [P10]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, s3.settings());
  await scene.relay.program.logged('recording.uploaded');
  await scene.relay.program.stop();
  const deleted = await run(['sessions', 'delete', scene.id, '--set', `server.data_dir=${scene.relay.dataDir}`]);
  assert.equal(deleted.code, 0, deleted.stderr);
  assert.match(deleted.stderr, /The bucket still has recorded audio of it; the next start of the relay removes it/);
  scene.relay = await startRelay(t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: scene.set });
  await eventually(() => s3.keys.length === 0, 'the removal');
});

test('recording.retention and storage.retention apply to objects, here or not [P10][P15]', async (t) => {
  for (const [keep, key] of [[['recording.s3_delete_local=true', 'recording.s3_local_idle=0s'], 'recording.retention'], [[], 'recording.retention'], [[], 'storage.retention']]) {
    const s3 = await S3.start(t);
    const scene = await recorded(t, s3.settings(...keep));
    await scene.relay.program.logged('recording.uploaded');
    assert.equal(s3.keys.length, 1);
    await restart(scene, [`${key}=1s`]);
    await eventually(() => s3.keys.length === 0, `the removal by ${key}`);
    await eventually(() => files(scene).length === 0, 'no file here');
    await eventually(async () => (await scene.recording()).status === 404, 'no recording');
    const wanted = key === 'storage.retention' ? 404 : 200;
    await eventually(async () => (await scene.relay.request(`/v1/sessions/${scene.id}`)).status === wanted, `${wanted}`);
  }
});

test('recording.delete_when = complete removes objects of complete transcripts, also later [P15]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, s3.settings('recording.s3_delete_local=true', 'recording.s3_local_idle=0s'));
  await eventually(() => files(scene).length === 0, 'no file here');
  assert.equal(s3.keys.length, 1);
  await restart(scene, ['recording.delete_when=complete']);
  await eventually(() => s3.keys.length === 0, 'the removal');
  await eventually(async () => (await scene.recording()).status === 404, 'no recording');
  assert.equal((await scene.relay.transcript(scene.id)).turns.length, 1);
});

test('without the settings of the bucket, its objects are not forgotten: 202 and 503 say where they are [P10]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t);
  const without = scene.set;
  await restart(scene, s3.settings('recording.s3_delete_local=true', 'recording.s3_local_idle=0s'));
  await eventually(() => files(scene).length === 0, 'no file here');
  await scene.relay.program.stop();
  scene.relay = await startRelay(t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: [...without, 'session.end_wait=200ms'] });
  assert.match(scene.relay.program.stderr, /recording\.bucket_missing/);
  const refused = await scene.recording();
  assert.equal(refused.status, 503, refused.text);
  assert.match(refused.json.detail, /1\.user\.pcm is in http:.*\/calls: .*name another place/);
  const answer = await erase(scene);
  assert.equal(answer.status, 202);
  assert.ok(answer.json.pending.includes('bucket'), answer.text);
  const other = await S3.start(t, { bucket: 'other' });
  await restart(scene, other.settings('session.end_wait=200ms'));
  await scene.relay.program.logged('recording.not_removed');
  assert.equal(other.calls.length, 0, 'an answer of another bucket would mean nothing');
  await restart(scene, s3.settings());
  await eventually(() => s3.keys.length === 0, 'the removal');
});

test('a bucket that does not answer holds up neither exports nor a further DELETE [P10]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, s3.settings('recording.s3_timeout=30s', 'session.end_wait=200ms'));
  await scene.relay.program.logged('recording.uploaded');
  const other = Object.assign(new Scene(), { t, provider: scene.provider, relay: scene.relay, set: scene.set });
  other.client = await Client.connectWithId(t, scene.relay, { token: await scene.relay.mint({ user: 'ada' }), query: { model: 'm' } });
  other.id = other.client.id;
  await other.atProvider();
  other.line.say({ type: 'session.created', session });
  await other.client.event('session.created');
  await other.speak('u1', tone(500, 200));
  await other.end();
  await scene.relay.program.logged('recording.uploaded', 2);
  s3.before = ({ method }) => method === 'DELETE' && (() => {});
  for (let i = 0; i < 2; ++i) assert.equal((await erase(scene)).status, 202);
  assert.equal((await other.recording()).status, 200);
  assert.equal(s3.count('DELETE'), 1);
  assert.ok(!s3.calls.find(({ method }) => method === 'DELETE').closed, 'its call still waits');
  s3.before = () => undefined;
});
