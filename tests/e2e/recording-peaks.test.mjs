// The loudness of a recording over time, which the console draws (docs/recording.md).
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/process.mjs';
import { Scene, perMs, read, tone } from './support/scene.mjs';
import { within } from './support/verbatim.mjs';

const valueMs = 50;

/** The values of a channel, by their definition. */
function expected(samples) {
  const values = [];
  for (let at = 0; at < samples.length; at += valueMs * perMs) {
    const most = samples.subarray(at, at + valueMs * perMs).reduce((largest, one) => Math.max(largest, Math.abs(one)), 0);
    values.push(Math.ceil((most * 255) / 32768));
  }
  return values;
}

const peaks = (scene, query = '', options = {}) => scene.recording(`/peaks${query}`, options);

test('the peaks are those of the WAV file, without what was not heard, and its items have their times [P15]', async (t) => {
  const scene = await Scene.start(t);
  await scene.speak('u1', tone(400, 300));
  await scene.answer('a1', Buffer.alloc(300 * perMs * 2), tone(900, 400));
  await scene.speak('u2', tone(500, 310));
  await scene.answer('a2', tone(600, 500), tone(700, 1500));
  await scene.cut('a2', 1200); // of 2 s; no later answer takes the place of the rest
  await eventually(async () => (await peaks(scene)).status === 409, 'a recording that goes on');
  const { turns } = await scene.end();

  const wav = await scene.recording();
  const [left, right] = read(wav.bytes);
  const answer = await peaks(scene);
  assert.equal(answer.status, 200, answer.text);
  const { starts_at_ms: starts, duration_ms: duration, per_second: rate, user, assistant, spoken } = answer.json;
  assert.equal(starts, Number(wav.headers['verbatim-starts-at-ms']));
  assert.equal(duration, Math.floor(left.length / perMs));
  assert.equal(rate, 1000 / valueMs);
  assert.deepEqual(user, expected(left));
  assert.deepEqual(assistant, expected(right));
  assert.ok(Math.max(...user) > 60 && Math.max(...assistant) > 60);
  const [all] = read((await scene.recording('?unheard=include')).bytes);
  assert.equal(all.length - left.length, 800 * perMs);

  assert.deepEqual(spoken.map(({ item_id: item }) => item).sort(), ['a1', 'a2', 'u1', 'u2']);
  for (const { item_id: item, from_ms: from, to_ms: to } of spoken) {
    const { ordinal } = turns.find((turn) => turn.item_id === item);
    const alone = await scene.recording(`?turn=${ordinal}`);
    assert.equal(starts + from, Number(alone.headers['verbatim-starts-at-ms']), item);
    const ms = (alone.bytes.length - 44) / 4 / perMs;
    assert.ok(Math.abs(to - from - ms) <= 1, `${item}: ${to - from} ms, not ${ms}`);
  }
});

test('peaks are computed once, kept beside the audio, and erased with it [P10][P15]', async (t) => {
  const scene = await Scene.start(t);
  await scene.speak('u1', tone(400, 300));
  await scene.end();
  const kept = join(scene.folder(), '1.peaks');
  const first = await peaks(scene);
  await eventually(() => existsSync(kept), 'the kept file, written beside the answer');
  assert.equal(statSync(kept).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(scene.folder()).sort(), ['1.peaks', '1.user.pcm']);
  assert.equal((await peaks(scene, '', { headers: { 'if-none-match': first.headers.etag } })).status, 304);

  // The audio changes under it: what was kept is given. After it is damaged, the audio is read again.
  writeFileSync(join(scene.folder(), '1.user.pcm'), Buffer.alloc(300 * perMs * 2));
  assert.equal((await peaks(scene)).text, first.text);
  truncateSync(kept, statSync(kept).size - 1);
  const silent = await peaks(scene, '?attempt=1');
  assert.deepEqual(silent.json.user, [0, 0, 0, 0, 0, 0]);
  assert.equal((await peaks(scene)).text, silent.text);
  await eventually(() => readFileSync(kept, 'utf8').endsWith(silent.text), 'the new peaks, kept');

  // A disk that takes no file only means that it is not kept.
  rmSync(kept);
  mkdirSync(join(kept, 'in the place of the file'), { recursive: true });
  assert.equal((await peaks(scene)).text, silent.text);

  assert.equal((await peaks(scene, '?attempt=2')).status, 404);
  assert.equal((await peaks(scene, '?attempt=x')).status, 400);
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' })).status, 204);
  assert.equal(existsSync(scene.folder()), false);
  assert.equal((await peaks(scene)).status, 404);
});

test('peaks that were read late do not keep the audio longer than its retention [P10][P15]', async (t) => {
  const scene = await Scene.start(t, ['recording.retention=2s']);
  await scene.speak('u1', tone(400, 200));
  await scene.end();
  const kept = join(scene.folder(), '1.peaks');
  writeFileSync(kept, 'peaks');
  const later = new Date(Date.now() + 3_600_000);
  utimesSync(kept, later, later);
  await eventually(() => !existsSync(scene.folder()), 'the removal');
  assert.equal((await peaks(scene)).status, 404);
});

/** An export that goes on: its body is not read. */
async function unreadExport(t, scene) {
  const headers = { authorization: `Bearer ${scene.relay.key}` };
  const request = http.get(`${scene.relay.url}/v1/sessions/${scene.id}/recording?format=flac`, { headers });
  t.after(() => request.destroy());
  request.on('error', () => {});
  const [response] = await within(once(request, 'response'), 'the head of an export');
  assert.equal(response.statusCode, 200);
  return request;
}

test('peaks count as exports while they are computed, and kept ones do not [P11][P15]', async (t) => {
  const scene = await Scene.start(t, ['tls.enabled=false', 'recording.exports_max=1']);
  await scene.speak('u1', tone(400, 200));
  await scene.end();
  const file = join(scene.folder(), '1.user.pcm');
  for (let i = 0; i < 4; ++i) appendFileSync(file, randomFillSync(Buffer.alloc(16 << 20))); // no system buffers all of it
  const unread = await unreadExport(t, scene);
  const refused = await peaks(scene);
  assert.equal(refused.status, 503, refused.text);
  assert.equal(refused.json.title, 'too many recording exports');
  assert.ok(Number(refused.headers['retry-after']) > 0);
  unread.destroy();
  await eventually(async () => (await peaks(scene)).status === 200, 'a free place');
  await unreadExport(t, scene);
  assert.equal((await peaks(scene)).status, 200);
});
