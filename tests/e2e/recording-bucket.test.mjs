// Recordings in an S3-compatible bucket: what is uploaded, and what a reader gets (docs/recording.md).
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/process.mjs';
import { S3 } from './support/s3.mjs';
import { Scene, tone } from './support/scene.mjs';
import { run, startRelay, temporaryDirectory } from './support/verbatim.mjs';

/** A conversation of both speakers that has ended. */
async function recorded(t, set = []) {
  const scene = await Scene.start(t, set);
  await scene.speak('u1', tone(400, 600));
  await scene.answer('a1', tone(600, 500), tone(700, 500));
  await scene.end();
  return scene;
}

async function restart(scene, set = []) {
  await scene.relay.program.stop();
  scene.relay = await startRelay(scene.t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: [...scene.set, ...set] });
}

const files = (scene) => (existsSync(scene.folder()) ? readdirSync(scene.folder()).filter((name) => !name.endsWith('.peaks')).sort() : []);
const named = (s3) => s3.keys.map((key) => key.split('/').pop().split('.').slice(1).join('.'));
const metrics = async (scene) => (await scene.relay.request('/metrics')).text;
const counted = async (scene, outcome) => Number(new RegExp(`^verbatim_recording_uploads_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(await metrics(scene))[1]);
const uploaded = (scene, count = 2) => eventually(async () => (await counted(scene, 'uploaded')) === count, `${count} uploads`);
const calls = (s3) => s3.calls.map(({ method, key, search }) => `${method} ${key.split('.').slice(1).join('.')}${search && '?'}${search.replace(/=.*/, '')}`);

async function exportsOf(scene) {
  const all = {};
  for (const query of ['', '?track=user', '?format=flac', '?format=opus', '?unheard=include']) {
    const answer = await scene.recording(query);
    assert.equal(answer.status, 200, answer.text);
    all[query] = answer.bytes;
  }
  const part = await scene.recording('', { headers: { range: 'bytes=1001-3000' } });
  assert.equal(part.status, 206);
  all.part = part.bytes;
  return all;
}

for (const [name, options, set] of [
  ['by its path', {}, []],
  ['by its host', { virtual: true }, ['recording.s3_path_style=false']],
  ['under a prefix with characters that are escaped', { region: 'auto' }, ['recording.s3_prefix=a b+c/é~(1)!/']],
])
  test(`a finished recording is uploaded, signed and checked: a bucket ${name} [P10][P15]`, async (t) => {
    const s3 = await S3.start(t, options);
    const scene = await recorded(t, s3.settings('recording.archive=flac', ...set));
    await uploaded(scene);
    assert.deepEqual(named(s3), ['1.assistant.flac', '1.user.flac']);
    assert.deepEqual(files(scene), ['1.assistant.flac', '1.user.flac']);
    for (const key of s3.keys) {
      const file = readFileSync(join(scene.folder(), key.split('/').pop().split('.').slice(1).join('.')));
      assert.deepEqual(s3.objects.get(key).bytes, file);
      assert.ok(key.startsWith(set[0]?.includes('prefix') ? `a b+c/é~(1)!/${scene.id}/` : `recordings/${scene.id}/`), key);
    }
    assert.deepEqual(calls(s3), ['PUT 1.assistant.flac', 'HEAD 1.assistant.flac', 'PUT 1.user.flac', 'HEAD 1.user.flac']);
    const text = await metrics(scene);
    const bytes = s3.keys.reduce((sum, key) => sum + s3.objects.get(key).bytes.length, 0);
    assert.match(text, new RegExp(`^verbatim_recording_upload_bytes_total ${bytes}$`, 'm'));
    assert.match(text, /^verbatim_recording_uploads_waiting 0$/m);
    assert.match(text, /^verbatim_recording_uploads_oldest_seconds 0$/m);
    const shown = scene.relay.program.stderr + JSON.stringify((await scene.relay.request('/v1/config')).json);
    assert.ok(!shown.includes(s3.secretKey) && !shown.includes(s3.accessKey));
    await restart(scene);
    await eventually(async () => /^verbatim_recording_uploads_waiting 0$/m.test(await metrics(scene)), 'the look at files from before');
    assert.equal(s3.count('PUT'), 2, 'a restart uploads nothing again');
  });

test('with s3_delete_local a file goes once it is checked, and an export of it fetches it back [P10][P15]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t, ['recording.archive=flac']);
  await eventually(() => files(scene).join() === '1.assistant.flac,1.user.flac', 'the archive');
  const before = await exportsOf(scene);
  await restart(scene, s3.settings('recording.s3_delete_local=true', 'recording.s3_local_idle=0s'));
  await eventually(() => files(scene).length === 0, 'no file here');
  assert.deepEqual(await exportsOf(scene), before);
  assert.equal(await counted(scene, 'fetched'), 2, 'it was fetched once for all exports');
  assert.deepEqual(files(scene), ['1.assistant.flac', '1.user.flac']);
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}/recording/peaks`)).status, 200);
  assert.equal((await scene.state).state, 'kept');
  await eventually(() => files(scene).length === 0, 'they go again when no reader is left');
  assert.equal(s3.keys.length, 2);

  await restart(scene, s3.settings('recording.s3_delete_local=true'));
  s3.fault = ({ method }) => method === 'GET' && { status: 503, code: 'SlowDown' };
  const refused = await scene.recording();
  assert.equal(refused.status, 503, refused.text);
  assert.equal(refused.json.title, 'recording in the bucket');
  assert.match(refused.json.detail, /1\.\w+\.flac is in .*calls: download: the service answers 503 SlowDown/);
  assert.ok(refused.headers['retry-after']);
  s3.fault = ({ method }) => method === 'GET' && ((response) => {
    response.writeHead(200, { 'content-length': 100_000 });
    response.write('half', () => response.destroy());
  });
  assert.equal((await scene.recording()).status, 503);
  assert.deepEqual(files(scene), []);
  s3.fault = () => undefined;
  for (const object of s3.objects.values()) object.bytes = Buffer.from(object.bytes).fill(1, 100, 200);
  const damaged = await scene.recording();
  assert.equal(damaged.status, 500);
  assert.match(damaged.json.detail, /is not as it was uploaded/);
  s3.objects.clear();
  const lost = await scene.recording();
  assert.equal(lost.status, 500);
  assert.match(lost.json.detail, /has no object .* any more/);
});

test('encrypted recordings are uploaded as they are here, and are read after they were fetched [P10][P15]', async (t) => {
  const s3 = await S3.start(t);
  const keyFile = join(temporaryDirectory(t), 'key');
  writeFileSync(keyFile, (await run(['keygen', '--recording'])).stdout, { mode: 0o600 });
  const scene = await recorded(t, s3.settings(`recording.key_file=${keyFile}`, 'recording.s3_delete_local=true', 'recording.s3_local_idle=0s'));
  await eventually(() => files(scene).join() === 'session.key', 'only the key here');
  assert.deepEqual(named(s3), ['1.assistant.sealed', '1.user.sealed']);
  for (const { bytes } of s3.objects.values()) assert.equal(bytes.toString('latin1', 0, 8), 'VRBTMREC');
  const answer = await scene.recording();
  assert.equal(answer.status, 200, answer.text);
  assert.ok(answer.bytes.length > 48_000);
});

test('a large file is uploaded in parts of one size, and its parts are joined [P10][P15]', async (t) => {
  const s3 = await S3.start(t);
  const scene = await recorded(t);
  const path = join(scene.folder(), '1.user.pcm');
  appendFileSync(path, randomFillSync(Buffer.alloc(12 << 20)));
  await restart(scene, s3.settings('recording.s3_single_bytes_max=5MiB', 'recording.s3_part_bytes=5MiB'));
  await uploaded(scene);
  const key = s3.keys.find((one) => one.endsWith('1.user.pcm'));
  assert.match(s3.objects.get(key).etag, /-3$/);
  assert.deepEqual(s3.objects.get(key).bytes, readFileSync(path));
  assert.equal(s3.parts.size, 0);
  assert.ok(s3.continued >= 3, 'libcurl asks before it sends a long body');
});

test('without a bucket no call is made; settings that do not fit are errors at the start [P10]', async (t) => {
  const folder = temporaryDirectory(t);
  const file = (name, text) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const keys = [`recording.s3_access_key_file=${file('a', 'AKIDTEST12345678')}`, `recording.s3_secret_key_file=${file('s', 'secret-of-the-key')}`];
  const check = (set, options) => run(['check', ...set.flatMap((one) => ['--set', one])], options);
  for (const [set, message] of [
    [['recording.s3_bucket=calls'], /recording\.s3_bucket.* is set without recording\.s3_access_key_file or the variable VERBATIM_RECORDING_S3_ACCESS_KEY/],
    [['recording.s3_bucket=calls', keys[0]], /is set without recording\.s3_secret_key_file/],
    [['recording.s3_endpoint=https://s3.example.org'], /recording\.s3_endpoint.* is set without recording\.s3_bucket/],
    [['recording.s3_bucket=calls', 'recording.s3_endpoint=http://s3.example.org', ...keys], /has the scheme http: set recording\.s3_allow_private = true, or use https/],
    [['recording.s3_bucket=calls', 'recording.s3_endpoint=https://s3.example.org/calls', ...keys], /has a path: the bucket has a key of its own/],
    [['recording.s3_bucket=calls', 'recording.s3_endpoint=https://user:word@s3.example.org', ...keys], /contains a user or password/],
    [['recording.s3_bucket=a/b', ...keys], /is not the name of a bucket/],
    [['recording.s3_prefix=a//b'], /has an empty part/],
    [['recording.s3_prefix=../b'], /has a part of dots/],
    [['recording.s3_bucket=calls', 'recording.s3_single_bytes_max=6MiB', 'recording.s3_part_bytes=8MiB', ...keys], /is more than recording\.s3_single_bytes_max/],
    [['recording.s3_bucket=calls', 'recording.s3_secret_key=secret-of-the-key'], /use recording\.s3_secret_key_file or VERBATIM_RECORDING_S3_SECRET_KEY/],
    [['recording.s3_bucket=calls', 'recording.s3_ca_file=/nowhere.pem', ...keys], /nowhere\.pem/],
  ]) {
    const refused = await check(set);
    assert.equal(refused.code, 2, `${set}: ${refused.stdout}`);
    assert.match(refused.stderr + refused.stdout, message);
    assert.doesNotMatch(refused.stderr + refused.stdout, /secret-of-the-key/);
  }
  const good = await check(['recording.s3_bucket=calls', 'recording.s3_endpoint=https://s3.example.org', ...keys]);
  assert.equal(good.code, 0, good.stderr);
  const aws = await check(['recording.s3_bucket=calls'], { env: { AWS_ACCESS_KEY_ID: 'AKIDTEST12345678', AWS_SECRET_ACCESS_KEY: 'secret-of-the-key' } });
  assert.equal(aws.code, 0, aws.stderr);
  const scene = await recorded(t);
  const text = await metrics(scene);
  assert.match(text, /^verbatim_recording_uploads_total\{outcome="uploaded"\} 0$/m);
  assert.doesNotMatch(scene.relay.program.stderr, /bucket|upload/);
});
