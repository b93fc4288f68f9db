// Archives of recordings on a bad disk and under kill -9: no sample is lost, and the raw file goes last.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../e2e/support/process.mjs';
import { Scene, tone } from '../e2e/support/scene.mjs';
import { run, startRelay, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';
import { Random } from './traffic.mjs';

const kills = Number(process.env.VERBATIM_ARCHIVE_KILLS ?? 30);
const tracks = ['1.user', '1.assistant'];

/** A recording of some seconds, its WAV file, and a copy of its files. The relay has stopped. */
async function recorded(t) {
  const scene = await Scene.start(t);
  for (let i = 0; i < 5; ++i) await scene.sent(tone(400 + 10 * i, 4000));
  await scene.answer('a1', tone(600, 8000), tone(700, 8001));
  await scene.end();
  scene.wav = (await scene.recording('?unheard=include')).bytes;
  await scene.relay.program.stop();
  scene.kept = temporaryDirectory(t);
  for (const track of tracks) copyFileSync(join(scene.folder(), `${track}.pcm`), join(scene.kept, `${track}.pcm`));
  return scene;
}

function putBack(scene) {
  rmSync(scene.folder(), { recursive: true, force: true });
  mkdirSync(scene.folder(), { mode: 0o700 });
  for (const track of tracks) copyFileSync(join(scene.kept, `${track}.pcm`), join(scene.folder(), `${track}.pcm`));
}

const start = (scene, set, env = {}) =>
  startRelay(scene.t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: [...scene.set, ...set], env });

const names = (scene) => readdirSync(scene.folder()).sort();
const rawLeft = (scene) => names(scene).filter((name) => name.endsWith('.pcm'));

/** Each track is there as a whole, raw or archived. */
function checkFiles(scene) {
  for (const track of tracks) {
    const raw = join(scene.folder(), `${track}.pcm`);
    const standing = ['flac', 'opus', 'sealed'].some((form) => existsSync(join(scene.folder(), `${track}.${form}`)));
    assert.ok(standing || existsSync(raw), `${track}: ${names(scene)}`);
    if (existsSync(raw)) assert.deepEqual(readFileSync(raw), readFileSync(join(scene.kept, `${track}.pcm`)));
  }
}

test(`kill -9 at ${kills} instants of an archive loses no sample [P7][P15]`, async (t) => {
  const scene = await recorded(t);
  const random = new Random(Number(process.env.VERBATIM_SEED ?? 19));
  const keyFile = join(temporaryDirectory(t), 'key');
  writeFileSync(keyFile, (await run(['keygen', '--recording'])).stdout, { mode: 0o600 });
  const shim = new Shim(t);
  let struck = 0;
  for (let i = 0; i < kills; ++i) {
    putBack(scene);
    const set = ['recording.archive=flac', ...(random.chance(0.5) ? [`recording.key_file=${keyFile}`] : [])];
    const aimed = random.chance(0.7);
    if (aimed) {
      const calls = random.pick([['write'], ['write'], ['fsync'], ['open'], ['write', 'fsync', 'open']]);
      const from = random.number(1, calls[0] === 'write' ? 30 : 8);
      shim.arm({ calls, file: `recordings/${scene.id}`.slice(0, 60), action: random.pick(['kill_before', 'kill_after', ...(calls.length === 1 && calls[0] === 'write' ? ['tear'] : [])]), from });
    }
    const relay = await start(scene, set, shim.env).catch(() => undefined); // it may be killed before it is ready
    if (relay) {
      if (!aimed) await pause(random.fraction() * 120);
      else await Promise.race([relay.program.over, eventually(() => rawLeft(scene).length === 0, 'the archive').catch(() => {})]);
      if (relay.program.child.signalCode) ++struck;
      await relay.program.stop('SIGKILL');
    } else ++struck;
    shim.disarmAll();
    checkFiles(scene);
    const next = await start(scene, set);
    await eventually(() => rawLeft(scene).length === 0 && !names(scene).some((name) => name.endsWith('.tmp')), 'the archive after the kill');
    assert.equal(names(scene).length, tracks.length + (names(scene).includes('session.key') ? 1 : 0));
    const again = await next.request(`/v1/sessions/${scene.id}/recording?unheard=include`);
    assert.equal(again.status, 200, again.text);
    assert.ok(again.bytes.equals(scene.wav), `the same audio after kill ${i}`);
    await next.program.stop();
  }
  t.diagnostic(`${struck} of ${kills} died where the shim struck`);
});

for (const [name, fault] of [
  ['is full', { calls: 'write', form: 'tmp', action: 'fail', error: 'ENOSPC' }],
  ['is full in the middle', { calls: 'write', form: 'tmp', action: 'fail', error: 'ENOSPC', from: 3, to: 1e9 }],
  ['is read-only', { calls: 'open', form: 'tmp', action: 'fail', error: 'EROFS' }],
  ['fails at a sync', { calls: 'fsync', form: 'tmp', action: 'fail', error: 'EIO' }],
  ['cannot read', { calls: 'read', form: 'pcm', action: 'fail', error: 'EIO' }],
])
  test(`a disk that ${name} leaves the raw audio; it is tried again [P6][P15]`, async (t) => {
    const scene = await recorded(t);
    const shim = new Shim(t);
    const armed = tracks.map((track) => shim.arm({ ...fault, file: `*${track}.${fault.form}` }));
    const relay = await start(scene, ['recording.archive=flac', 'recording.archive_retry=100ms'], shim.env);
    for (const one of armed) await one.struck();
    await eventually(() => /recording\.not_archived/.test(relay.program.stderr), 'a line of the log');
    checkFiles(scene);
    assert.equal(rawLeft(scene).length, 2);
    const failures = Number(/^verbatim_recording_archived_total\{outcome="failed"\} (\d+)$/m.exec((await relay.request('/metrics')).text)[1]);
    assert.ok(failures >= 1);
    shim.disarmAll();
    if (fault.calls !== 'read') assert.ok((await relay.request(`/v1/sessions/${scene.id}/recording?unheard=include`)).bytes.equals(scene.wav));
    await eventually(() => rawLeft(scene).length === 0, 'the archive on the mended disk');
    assert.ok((await relay.request(`/v1/sessions/${scene.id}/recording?unheard=include`)).bytes.equals(scene.wav));
  });
