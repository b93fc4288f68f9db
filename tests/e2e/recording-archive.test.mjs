// Archived recordings: their files, their exports, their keys (docs/recording.md).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, openFiles } from './support/process.mjs';
import { Scene, read, session, tone, words } from './support/scene.mjs';
import { Client, run, startRelay, temporaryDirectory } from './support/verbatim.mjs';

const keygen = async () => (await run(['keygen', '--recording'])).stdout.trim();

/** A conversation of both speakers that has ended; the relay has stopped. */
async function recorded(t, set = []) {
  const scene = await Scene.start(t, set);
  await scene.speak('u1', tone(400, 600));
  await scene.answer('a1', tone(600, 500), tone(700, 1500));
  await scene.cut('a1', 1200);
  await scene.speak('u2', tone(500, 300));
  const { turns } = await scene.end();
  scene.ordinal = turns.find(({ item_id }) => item_id === 'a1').ordinal;
  return scene;
}

/** The next process on the same data. */
async function restart(scene, set = []) {
  await scene.relay.program.stop();
  scene.relay = await startRelay(scene.t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: [...scene.set, ...set] });
}

const files = (scene) => (existsSync(scene.folder()) ? readdirSync(scene.folder()).sort() : []);
const archived = (scene, ...names) => eventually(() => files(scene).join() === names.join(), `${names} in the folder`);

/** Every kind of export, by its query. */
async function exportsOf(scene) {
  const all = {};
  const parts = ['', 'track=user', 'track=assistant', 'unheard=include', `turn=${scene.ordinal}`, `turn=${scene.ordinal}&track=assistant&unheard=include`];
  for (const part of parts)
    for (const format of ['wav', 'flac', 'opus']) {
      const answer = await scene.recording(`?${part}&format=${format}`);
      assert.equal(answer.status, 200, answer.text);
      all[`${part} ${format}`] = { bytes: answer.bytes, etag: answer.headers.etag, at: answer.headers['verbatim-starts-at-ms'] };
    }
  for (const range of ['0-0', '43-50', '5001-70001', '-99']) {
    const answer = await scene.recording('', { headers: { range: `bytes=${range}` } });
    assert.equal(answer.status, 206);
    all[range] = { bytes: answer.bytes };
  }
  return all;
}

for (const encrypted of [false, true])
  test(`a FLAC archive${encrypted ? ', encrypted,' : ''} gives the same bytes in every export [P10][P15]`, async (t) => {
    const scene = await recorded(t);
    const before = await exportsOf(scene);
    const keyFile = join(temporaryDirectory(t), 'key');
    writeFileSync(keyFile, `${await keygen()}\n`, { mode: 0o600 });
    await restart(scene, ['recording.archive=flac', ...(encrypted ? [`recording.key_file=${keyFile}`] : [])]);
    const form = encrypted ? 'sealed' : 'flac';
    await archived(scene, `1.assistant.${form}`, `1.user.${form}`, ...(encrypted ? ['session.key'] : []));
    assert.deepEqual(await exportsOf(scene), before);
    const metrics = (await scene.relay.request('/metrics')).text;
    assert.match(metrics, /^verbatim_recording_archived_total\{outcome="archived"\} 2$/m);
    assert.match(metrics, /^verbatim_recording_archived_total\{outcome="failed"\} 0$/m);
    assert.match(metrics, /^verbatim_recording_archive_waiting 0$/m);
    assert.match(scene.relay.program.stderr, /recording\.archived/);
    const file = readFileSync(join(scene.folder(), `1.user.${form}`));
    assert.equal(file.toString('latin1', 0, 4), encrypted ? 'VRBT' : 'fLaC');
    if (!encrypted) assert.equal(spawnSync('flac', ['--test', '--silent', join(scene.folder(), '1.user.flac')]).status, 0);
    await restart(scene, encrypted ? [`recording.key_file=${keyFile}`] : []); // the archive stays readable without the setting
    assert.deepEqual(await exportsOf(scene), before);
  });

test('an Opus archive keeps each word at its place, and has its own tag [P15]', async (t) => {
  const scene = await recorded(t);
  const raw = await exportsOf(scene);
  await restart(scene, ['recording.archive=opus']);
  await archived(scene, '1.assistant.opus', '1.user.opus');
  const opus = await exportsOf(scene);
  const tones = [400, 500, 600, 700];
  for (const [query, { bytes, etag, at }] of Object.entries(raw)) {
    if (!query.endsWith('wav')) continue;
    assert.notEqual(opus[query].etag, etag);
    assert.equal(opus[query].at, at);
    const [before, after] = [read(bytes), read(opus[query].bytes)];
    assert.equal(opus[query].bytes.length, bytes.length);
    for (const [channel, samples] of before.entries()) {
      const [wanted, found] = [words(samples, tones), words(after[channel], tones)];
      assert.deepEqual(found.map(({ hertz }) => hertz), wanted.map(({ hertz }) => hertz), query);
      for (const [i, word] of wanted.entries())
        assert.ok(Math.abs(found[i].at - word.at) <= 20 && Math.abs(found[i].ms - word.ms) <= 40, `${query}: ${JSON.stringify(found)}`);
    }
  }
  const whole = opus[' wav'].bytes;
  assert.deepEqual(opus['5001-70001'].bytes, whole.subarray(5001, 70002));
  assert.deepEqual(await exportsOf(scene), opus);
});

test('a recording is archived when its conversation ends, and encrypted without a format too [P10][P15]', async (t) => {
  const keyFile = join(temporaryDirectory(t), 'key');
  writeFileSync(keyFile, await keygen(), { mode: 0o600 });
  const scene = await recorded(t, [`recording.key_file=${keyFile}`]);
  await archived(scene, '1.assistant.sealed', '1.user.sealed', 'session.key');
  const bytes = readFileSync(join(scene.folder(), '1.user.sealed'));
  assert.equal(bytes.indexOf(tone(400, 600).subarray(0, 64)), -1);
  const [left] = read((await scene.recording('?track=user')).bytes);
  assert.deepEqual(words(left, [400, 500]).map(({ hertz }) => hertz), [400, 500]);
  assert.doesNotMatch(scene.relay.program.stderr + JSON.stringify((await scene.relay.request('/v1/config')).json), new RegExp(readFileSync(keyFile, 'utf8')));
});

test('a missing or wrong key, and damaged audio, are errors with a reason, never noise [P6][P10]', async (t) => {
  const folder = temporaryDirectory(t);
  const [first, second] = [await keygen(), await keygen()];
  const keyFile = (name, ...keys) => {
    writeFileSync(join(folder, name), `${keys.join('\n')}\n`, { mode: 0o600 });
    return `recording.key_file=${join(folder, name)}`;
  };
  const scene = await recorded(t, [keyFile('first', first)]);
  await archived(scene, '1.assistant.sealed', '1.user.sealed', 'session.key');
  const whole = (await scene.recording()).bytes;
  const key = readFileSync(join(scene.folder(), 'session.key'), 'utf8').split(' ')[1];

  scene.set = scene.set.filter((one) => !one.startsWith('recording.key_file='));
  for (const set of [[], [keyFile('second', second)]]) {
    await restart(scene, [...set, 'recording.enabled=no']);
    const refused = await scene.recording();
    assert.equal(refused.status, 409);
    assert.equal(refused.json.title, 'recording key missing');
    assert.ok(refused.json.detail.includes(key), refused.json.detail);
    await eventually(() => /recording\.key_missing/.test(scene.relay.program.stderr), 'a line of the log');
    const checked = await run(['check', ...[...set, `server.data_dir=${scene.relay.dataDir}`].flatMap((one) => ['--set', one])]);
    assert.match(checked.stderr + checked.stdout, new RegExp(`recording\\.key_file lacks the key ${key}`));
  }
  await restart(scene, [keyFile('both', second, first)]); // the key was changed, and the old one is named
  assert.deepEqual((await scene.recording()).bytes, whole);

  const path = join(scene.folder(), '1.user.sealed');
  const bytes = readFileSync(path);
  bytes[bytes.length - 20] ^= 1;
  writeFileSync(path, bytes);
  const damaged = await scene.recording();
  assert.equal(damaged.status, 500);
  assert.equal(damaged.json.title, 'recording damaged');
  assert.match(damaged.json.detail, /1\.user\.sealed/);

  for (const wrong of ['a word of more than eight letters', first.slice(1), `${first}\nshort`]) {
    const refused = await run(['check', '--set', keyFile('wrong', wrong)]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /recording\.key_file/);
    assert.ok(!refused.stderr.includes(first.slice(1)));
  }
});

test('recordings that another machine got as copies are read there with the same key [P15]', async (t) => {
  const keyFile = join(temporaryDirectory(t), 'key');
  writeFileSync(keyFile, await keygen(), { mode: 0o600 });
  const scene = await recorded(t, [`recording.key_file=${keyFile}`, 'recording.archive=flac']);
  await archived(scene, '1.assistant.sealed', '1.user.sealed', 'session.key');
  const whole = (await scene.recording()).bytes;
  await scene.relay.program.stop();
  const dataDir = temporaryDirectory(t);
  cpSync(scene.relay.dataDir, dataDir, { recursive: true }); // as rsync without times
  mkdirSync(join(dataDir, 'recordings', scene.id, '.~tmp~'));
  writeFileSync(join(dataDir, 'recordings', scene.id, '.1.user.sealed.Xy3z'), 'a copy that was not finished');
  scene.relay = await startRelay(t, { dataDir, key: scene.relay.keyPair, set: [...scene.set, `recording.key_file=${keyFile}`] });
  assert.deepEqual((await scene.recording()).bytes, whole);
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' })).status, 204);
  assert.equal(existsSync(join(dataDir, 'recordings', scene.id)), false);
});

test('recording.delete_when = complete removes the audio of a complete transcript alone [P15]', async (t) => {
  const scene = await recorded(t, ['recording.delete_when=complete', 'recording.archive=flac']);
  const { json } = await scene.relay.request(`/v1/sessions/${scene.id}`);
  assert.equal(json.receipt.complete, true);
  await eventually(() => !existsSync(scene.folder()), 'the removal');
  await eventually(() => /recording\.deleted/.test(scene.relay.program.stderr), 'a line of the log');
  assert.equal((await scene.recording()).status, 404);
  assert.equal((await scene.state).state, 'expired');
  assert.equal((await scene.relay.transcript(scene.id)).turns.length, 3);

  const gap = await Scene.start(t, ['recording.delete_when=complete', 'recording.archive=flac']);
  await gap.sent(tone(400, 900));
  gap.line.say({ type: 'input_audio_buffer.committed', previous_item_id: null, item_id: 'u1' });
  await gap.client.event('input_audio_buffer.committed');
  await gap.end();
  assert.equal((await gap.relay.request(`/v1/sessions/${gap.id}`)).json.receipt.complete, false);
  await archived(gap, '1.user.flac');
  assert.equal((await gap.state).state, 'kept');
  assert.equal((await gap.recording()).status, 200);
});

test('recording.delete_when = complete removes the peaks of that attempt alone [P10][P15]', async (t) => {
  const scene = await recorded(t);
  const { token, id } = scene;
  scene.client = await Client.connect(t, scene.relay, { token, query: { model: 'm', session: id } });
  await scene.atProvider();
  scene.line.say({ type: 'session.created', session });
  await scene.client.event('session.created');
  await scene.sent(tone(400, 900));
  scene.line.say({ type: 'input_audio_buffer.committed', previous_item_id: null, item_id: 'u9' });
  await scene.client.event('input_audio_buffer.committed');
  await scene.end();
  for (const attempt of [1, 2]) assert.equal((await scene.recording(`/peaks?attempt=${attempt}`)).status, 200);
  const peaks = () => files(scene).filter((name) => name.endsWith('.peaks'));
  await eventually(() => peaks().length === 2, 'the kept peaks of both attempts');
  await restart(scene, ['recording.delete_when=complete']);
  await eventually(() => /recording\.deleted/.test(scene.relay.program.stderr), 'a line of the log');
  assert.deepEqual(peaks(), ['2.peaks']);
  assert.equal((await scene.recording('?attempt=1')).status, 404);
  assert.equal((await scene.recording('?attempt=2')).status, 200);
});

test('an erasure in the middle of the archive leaves no audio in any file [P10][P15]', async (t) => {
  const keyFile = join(temporaryDirectory(t), 'key');
  writeFileSync(keyFile, await keygen(), { mode: 0o600 });
  const scene = await recorded(t);
  for (let i = 0; i < 8; ++i) appendFileSync(join(scene.folder(), '1.user.pcm'), randomFillSync(Buffer.alloc(16 << 20)));
  await restart(scene, ['recording.archive=flac', `recording.key_file=${keyFile}`]);
  await eventually(() => files(scene).includes('1.user.tmp'), 'a half-written archive');
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' })).status, 204);
  assert.equal(existsSync(scene.folder()), false);
  assert.deepEqual(openFiles(scene.relay.program).filter((name) => name.includes(scene.id)), []);
});

test('an export does not wait behind a long archive [P12][P15]', async (t) => {
  const scene = await recorded(t);
  for (let i = 0; i < 8; ++i) appendFileSync(join(scene.folder(), '1.user.pcm'), randomFillSync(Buffer.alloc(16 << 20)));
  await restart(scene, ['recording.archive=flac']);
  await eventually(() => files(scene).includes('1.user.tmp'), 'a half-written archive');
  assert.equal((await scene.recording('', { headers: { range: 'bytes=0-99999' } })).status, 206);
  assert.equal((await scene.recording(`?turn=${scene.ordinal}&format=flac`)).status, 200);
  assert.ok(files(scene).includes('1.user.tmp'), 'the archive was still under way');
});

test('old files are ended at the start: a raw file beside its archive, and half of an archive [P7]', async (t) => {
  const scene = await recorded(t);
  const raw = readFileSync(join(scene.folder(), '1.user.pcm'));
  await restart(scene, ['recording.archive=flac']);
  await archived(scene, '1.assistant.flac', '1.user.flac');
  await scene.relay.program.stop();
  writeFileSync(join(scene.folder(), '1.user.pcm'), raw);
  writeFileSync(join(scene.folder(), '1.assistant.tmp'), 'half');
  await restart(scene);
  await archived(scene, '1.assistant.flac', '1.user.flac');
  rmSync(scene.folder(), { recursive: true });
  assert.equal((await scene.recording()).status, 404);
});
