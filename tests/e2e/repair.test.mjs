// Failed transcriptions are made again from the recorded audio (docs/recording.md, Repair).
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Engine, repairedBy } from './support/engine.mjs';
import { eventually, freePort } from './support/process.mjs';
import { Receiver, quick, targets } from './support/receiver.mjs';
import { Scene, session, tone } from './support/scene.mjs';
import { Client, run, startRelay, temporaryDirectory } from './support/verbatim.mjs';

const german = structuredClone(session);
german.audio.input.transcription.language = 'de';

/** The user speaks, and the provider's transcription goes wrong, or not. `how`: failed, empty, never, heard. */
async function speak(scene, item, audio, how) {
  await scene.sent(audio);
  scene.line.say({ type: 'input_audio_buffer.committed', previous_item_id: null, item_id: item });
  const content = [{ type: 'input_audio', transcript: null }];
  scene.line.say({
    type: 'conversation.item.added',
    previous_item_id: null,
    item: { id: item, type: 'message', role: 'user', status: 'completed', content },
  });
  const about = { item_id: item, content_index: 0 };
  const event = 'conversation.item.input_audio_transcription';
  const error = { type: 'server_error', code: 'model_not_found', message: 'The project has no access to this model.' };
  if (how === 'failed') scene.line.say({ type: `${event}.failed`, ...about, error });
  if (how === 'empty') scene.line.say({ type: `${event}.completed`, ...about, transcript: '' });
  if (how === 'heard') scene.line.say({ type: `${event}.completed`, ...about, transcript: `heard ${item}` });
  await scene.client.event(how === 'never' ? 'conversation.item.added' : `${event}.${how === 'failed' ? 'failed' : 'completed'}`, scene.seen ?? 0);
  scene.seen = scene.client.events.length;
}

/** Another session of the same relay. */
async function another({ t, provider, relay, set }) {
  const scene = Object.assign(new Scene(), { t, provider, relay, set });
  scene.token = await relay.mint({ user: 'ada' });
  scene.client = await Client.connectWithId(t, relay, { token: scene.token, query: { model: 'm' } });
  scene.id = scene.client.id;
  await scene.atProvider();
  scene.line.say({ type: 'session.created', session });
  await scene.client.event('session.created');
  return scene;
}

const transcriptOf = async (scene) => (await scene.relay.request(`/v1/sessions/${scene.id}/transcript`)).json;
const repair = (scene, query = '') => scene.relay.request(`/v1/sessions/${scene.id}/repair${query}`, { method: 'POST' });
const turnOf = ({ turns }, item) => turns.find(({ item_id: id }) => id === item);
const repaired = (scene, count) =>
  eventually(async () => {
    const transcript = await transcriptOf(scene);
    return transcript.receipt?.repaired === count && transcript;
  }, `${count} repaired turns`);
async function outcomes(scene) {
  const { text } = await scene.relay.request('/metrics');
  const lines = text.matchAll(/^verbatim_repairs_total\{outcome="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, outcome, count]) => [outcome, Number(count)]));
}

test('every failed, empty and missing transcription of 200 turns is mended [P3][P13][P15]', async (t) => {
  const engine = await Engine.start(t);
  const receiver = await Receiver.start(t);
  const key = join(temporaryDirectory(t), 'key');
  writeFileSync(key, 'sk-engine-0123456789', { mode: 0o600 });
  const set = repairedBy(engine, `repair.key_file=${key}`, 'repair.model=large', ...quick, targets(receiver.target(t)));
  const scene = await Scene.start(t, set, german);
  const hows = ['failed', 'heard', 'empty', 'failed', 'never'];
  const spoken = [];
  for (let n = 0; n < 100; ++n) {
    const [item, hertz, how] = [`item_${(n * 7919) % 1000}`, 400 + 20 * n, hows[n % hows.length]];
    await speak(scene, item, tone(hertz, 450), how);
    spoken.push({ item, hertz, how });
    await scene.answer(`answer_${n}`, tone(300, 20));
    scene.seen = scene.client.events.length;
  }
  const lost = spoken.filter(({ how }) => how !== 'heard');
  assert.equal(lost.length, 80);
  await scene.end();
  const transcript = await repaired(scene, lost.length);
  assert.equal(transcript.turns.length, 200);
  assert.deepEqual(transcript.turns.filter(({ role }) => role === 'user').map(({ item_id: id }) => id), spoken.map(({ item }) => item));
  for (const { item, hertz, how } of spoken) {
    const { text, status, writers } = turnOf(transcript, item);
    assert.deepEqual({ item, text, status }, { item, text: how === 'heard' ? `heard ${item}` : `tone ${hertz}.`, status: 'completed' });
    assert.deepEqual(writers, how === 'heard' ? ['relay'] : ['relay', 'repair']);
  }
  assert.equal(transcript.complete, true);
  assert.deepEqual([transcript.gaps, transcript.receipt.gaps, transcript.receipt.failed], [[], [], 0]);

  assert.deepEqual(engine.tones.toSorted((a, b) => a - b), lost.map(({ hertz }) => hertz), 'each is sent once');
  const { rate, ms, path, file, model, language, response_format, authorization } = engine.calls[0];
  assert.deepEqual([rate, path, file, model, language, response_format], [24000, '/v1/audio/transcriptions', 'utterance.wav', 'large', 'de', 'json']);
  assert.equal(authorization, 'Bearer sk-engine-0123456789');
  assert.ok(ms >= 450 && ms <= 850, `${ms} ms`);
  await receiver.until('transcript.updated');
  assert.equal(receiver.of('transcript.updated')[0].data.session_id, scene.id);
  assert.equal((await outcomes(scene)).repaired, lost.length);
  assert.doesNotMatch(scene.relay.program.stderr, /tone \d|sk-engine/);
  await eventually(async () => (await scene.relay.request('/v1/sessions')).json.sessions[0].complete, 'a complete session in the list');
});

describe('an engine that does not transcribe changes nothing, and is asked a bounded number of times [P3][P11][P15]:', () => {
  const json = (body, status = 200, headers = {}) => () => [status, headers, body];
  for (const [name, answer, outcome, calls = 3] of [
    ['it gives no words', json({ text: ' \n' }), 'empty'],
    ['it gives a remark', json({ text: '[BLANK_AUDIO]' }), 'empty'],
    ['it gives an empty body', json(''), 'unreadable'],
    ['it gives another form', json({ error: { message: 'no such model' } }), 'unreadable'],
    ['it gives a page of HTML', json('<html>Welcome</html>', 200, { 'content-type': 'text/html' }), 'unreadable'],
    ['it streams events', json('data: {"text":"Hello"}\n\n', 200, { 'content-type': 'text/event-stream' }), 'unreadable'],
    ['its answer breaks off', () => (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"text":"Hal');
      response.socket.end();
    }, 'unreadable'],
    ['its answer never ends', () => (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"text":"Hal');
    }, 'unreadable'],
    ['it is slow', () => undefined, 'failed'],
    ['it closes the connection', () => (response) => response.socket.destroy(), 'failed'],
    ['it fails', json({ detail: 'Internal Server Error' }, 500), 'failed'],
    ['it is busy', json({ error: { code: 'rate_limit_exceeded' } }, 429), 'failed'],
    ['it is starting', json('', 503), 'failed'],
    ['it refuses the key', json({ error: { message: 'Incorrect API key: sk-12', code: 'invalid_api_key' } }, 401), 'refused'],
    ['it refuses the file', json({ error: { message: 'too short', type: 'invalid_request_error' } }, 400), 'refused'],
    ['it finds the file too large', json('<html><h1>413</h1></html>', 413, { 'content-type': 'text/html' }), 'refused'],
    ['it redirects', json('', 307, { location: '/elsewhere' }), 'refused'],
  ]) {
    test(name, async (t) => {
      const engine = await Engine.start(t);
      engine.answer = answer;
      const scene = await Scene.start(t, repairedBy(engine, 'repair.timeout=200ms'));
      await speak(scene, 'u1', tone(500, 600), 'failed');
      await speak(scene, 'u2', tone(700, 300), 'heard');
      const before = await scene.end();
      await scene.relay.program.logged('repair.given_up');
      assert.equal(engine.calls.length, calls);
      assert.deepEqual(await transcriptOf(scene), before);
      assert.equal((await outcomes(scene))[outcome], calls);
      assert.doesNotMatch(scene.relay.program.stderr, /sk-12|Welcome|Hal/);

      // The engine is mended, and an operator asks again.
      engine.answer = new Engine().answer;
      const asked = await repair(scene);
      assert.equal(asked.status, 202, asked.text);
      assert.deepEqual(asked.json.queued, [{ attempt: 1, item_id: 'u1', ordinal: 1, audio_ms: 600 }]);
      const after = await repaired(scene, 1);
      assert.deepEqual(turnOf(after, 'u2'), turnOf(before, 'u2'));
    });
  }
});

test('an engine that is down is asked again until it is there [P15]', async (t) => {
  const port = await freePort();
  const scene = await Scene.start(t, repairedBy({ url: `http://127.0.0.1:${port}/v1/` }, 'repair.attempts_max=1000'));
  await speak(scene, 'u1', tone(500, 600), 'failed');
  await speak(scene, 'u2', tone(600, 600), 'failed');
  await scene.end();
  await scene.relay.program.logged('repair.failed', 4);
  const engine = await Engine.start(t, port);
  const transcript = await repaired(scene, 2);
  assert.equal(turnOf(transcript, 'u2').text, 'tone 600.');
  assert.deepEqual(engine.tones.toSorted(), [500, 600]);
});

test('the pause that an engine asks for is kept, for all utterances [P15]', async (t) => {
  const engine = await Engine.start(t);
  const said = engine.answer;
  engine.answer = (call) => (engine.calls.length === 1 ? [429, { 'retry-after': '1' }, { error: {} }] : said(call));
  const scene = await Scene.start(t, repairedBy(engine, 'repair.retry_max=10s'));
  await speak(scene, 'u1', tone(500, 600), 'failed');
  await speak(scene, 'u2', tone(600, 600), 'failed');
  await scene.end();
  await repaired(scene, 2);
  assert.equal(engine.calls.length, 3);
  const pause = engine.calls[1].at - engine.calls[0].at;
  assert.ok(pause >= 990, `${pause} ms`);
});

test('a second engine is asked if the first one gives nothing [P15]', async (t) => {
  const [engine, second] = [await Engine.start(t), await Engine.start(t)];
  engine.answer = () => [200, {}, { text: '' }];
  const more = [`repair.fallback_url=${second.url}`, 'repair.fallback_model=small'];
  const scene = await Scene.start(t, repairedBy(engine, ...more));
  await speak(scene, 'u1', tone(500, 600), 'empty');
  await scene.end();
  const transcript = await repaired(scene, 1);
  assert.equal(turnOf(transcript, 'u1').text, 'tone 500.');
  assert.deepEqual([engine.tones, second.tones, second.calls[0].model], [[500], [500], 'small']);
  assert.deepEqual([engine.calls[0].model, engine.calls[0].language, engine.calls[0].authorization], ['whisper-1', undefined, undefined]);
});

test('after kill -9 the rest is repaired, and nothing twice [P7][P15]', async (t) => {
  const engine = await Engine.start(t);
  const said = engine.answer;
  engine.answer = (call) => (engine.calls.length === 3 ? undefined : said(call));
  const scene = await Scene.start(t, repairedBy(engine));
  const all = [500, 600, 700, 800, 900];
  for (const hertz of all) await speak(scene, `u${hertz}`, tone(hertz, 500), 'failed');
  await scene.end();
  await eventually(() => engine.calls.length === 3, 'the third call');
  scene.relay.program.child.kill('SIGKILL');
  await scene.relay.program.stop();
  scene.relay = await startRelay(t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: scene.set });
  const transcript = await repaired(scene, all.length);
  for (const hertz of all) assert.equal(turnOf(transcript, `u${hertz}`).text, `tone ${hertz}.`);
  assert.deepEqual(engine.tones.toSorted(), [500, 600, 700, 700, 800, 900]);
  const again = await repair(scene);
  assert.deepEqual([again.status, again.json.queued], [202, []]);
  assert.equal(engine.calls.length, 6);
});

test('tries are counted across restarts [P11][P15]', async (t) => {
  const engine = await Engine.start(t);
  const said = engine.answer;
  engine.answer = (call) => (call.hertz === 500 ? undefined : said(call));
  const scene = await Scene.start(t, repairedBy(engine));
  await speak(scene, 'u1', tone(500, 500), 'failed');
  const other = await another(scene);
  await speak(other, 'u2', tone(600, 500), 'failed');
  await scene.end();
  await eventually(() => engine.calls.length === 1, 'the first call');
  await other.end();
  for (let calls = 2; calls <= 4; ++calls) {
    scene.relay.program.child.kill('SIGKILL');
    await scene.relay.program.stop();
    scene.relay = await startRelay(t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: scene.set });
    await eventually(() => engine.calls.length === calls, `call ${calls}`);
  }
  other.relay = scene.relay;
  await repaired(other, 1);
  assert.deepEqual(engine.tones, [500, 500, 500, 600]);
});

test('of a session that is erased nothing more is sent, and a late answer is thrown away [P10][P15]', async (t) => {
  const engine = await Engine.start(t);
  let late;
  engine.answer = () => (response) => (late = response);
  const scene = await Scene.start(t, repairedBy(engine));
  for (const hertz of [500, 600, 700]) await speak(scene, `u${hertz}`, tone(hertz, 500), 'failed');
  await scene.end();
  await eventually(() => late, 'a call');
  const erased = await scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' });
  assert.equal(erased.status, 204, erased.text);
  await eventually(() => engine.calls[0].closed, 'the end of the call');
  late.end('{"text":"too late"}');
  assert.equal((await outcomes(scene)).thrown_away, 1);
  assert.equal((await repair(scene)).status, 404);
  assert.equal((await transcriptOf(scene)).title, 'not found');
  await eventually(async () => /^verbatim_repairs_waiting 0$/m.test((await scene.relay.request('/metrics')).text), 'nothing that waits');
  assert.deepEqual(engine.tones.length, 1);
});

test('silence, an utterance that is too long, and more than repair.audio_max are not sent [P11][P15]', async (t) => {
  const engine = await Engine.start(t);
  const scene = await Scene.start(t, repairedBy(engine, 'repair.file_bytes_max=64KiB', 'repair.audio_max=1500ms'));
  const before = [
    ['silent', Buffer.alloc(600 * 48)],
    ['long', tone(500, 2000)],
    ['short', tone(600, 300)],
    ['noise', tone(900, 400)], // too short to be words
    ['first', tone(700, 800)],
    ['last', tone(800, 700)],
  ];
  for (const [item, audio] of before) await speak(scene, item, audio, item === 'short' ? 'failed' : 'empty');
  await scene.end();
  const transcript = await repaired(scene, 2);
  await scene.relay.program.logged('repair.not_sent', 3);
  assert.deepEqual(engine.tones, [600, 700]);
  const { stderr } = scene.relay.program;
  assert.match(stderr, /repair\.not_sent.*item=silent.*it is silent/);
  assert.match(stderr, /repair\.not_sent.*item=long.*96044 bytes: more than repair\.file_bytes_max/);
  assert.match(stderr, /repair\.not_sent.*item=last.*repair\.audio_max/);
  assert.equal(turnOf(transcript, 'last').text, '');
  assert.equal((await outcomes(scene)).not_sent, 3);
});

test('recording.retention does not wait for a repair [P10][P15]', async (t) => {
  const engine = await Engine.start(t);
  engine.answer = () => [500, {}, ''];
  const set = repairedBy(engine, 'recording.retention=1s', 'repair.attempts_max=1000');
  const scene = await Scene.start(t, set);
  await speak(scene, 'u1', tone(500, 500), 'failed');
  await scene.end();
  await scene.relay.program.logged('recording.expired');
  const asked = await repair(scene);
  assert.equal(asked.status, 409);
  assert.equal(asked.json.title, 'no recording');
  await eventually(async () => /^verbatim_repairs_waiting 0$/m.test((await scene.relay.request('/metrics')).text), 'nothing that waits');
});

test('an operator asks for a repair by a call or a command [P15]', async (t) => {
  const engine = await Engine.start(t);
  engine.answer = () => [400, {}, ''];
  const scene = await Scene.start(t, repairedBy(engine, 'repair.attempts_max=1'));
  const { relay } = scene;
  assert.equal((await repair({ relay, id: 'sess_unknown' })).status, 404);
  await speak(scene, 'u1', tone(500, 500), 'failed');
  const early = await repair(scene);
  assert.deepEqual([early.status, early.json.title], [409, 'recording not finished']);
  await scene.end();
  await relay.program.logged('repair.given_up');
  assert.equal((await repair(scene, '?attempt=2')).status, 404);
  assert.equal((await repair(scene, '?attempt=x')).status, 400);
  assert.equal((await relay.request(`/v1/sessions/${scene.id}/repair`, { method: 'POST', key: scene.token })).status, 403);

  const reach = { env: { VERBATIM_API_KEY: relay.key } };
  const at = ['--url', relay.url, '--ca-file', relay.certificate];
  const one = await run(['repair', scene.id, ...at], reach);
  assert.deepEqual([one.code, one.stdout], [0, `${scene.id}  utterances=1\n`], one.stderr);
  await relay.program.logged('repair.given_up', 2);
  engine.answer = new Engine().answer;
  const since = await run(['repair', '--since', '2026-01-01', '--json', ...at], reach);
  assert.equal(since.code, 0, since.stderr);
  const { sessions } = JSON.parse(since.stdout);
  assert.deepEqual(sessions.map(({ id, queued }) => [id, queued.length]), [[scene.id, 1]]);
  await repaired(scene, 1);
  const done = await run(['repair', '--since', '2026-01-01', ...at], reach);
  assert.equal(done.stdout, '0 sessions queued\n');
  assert.equal((await run(['repair', 'sess_unknown', ...at], reach)).code, 3);
  assert.equal((await run(['repair', ...at], reach)).code, 2);
  assert.equal((await run(['repair', '--since', 'soon', ...at], reach)).code, 2);

  const other = await Scene.start(t);
  await other.sent(tone(500, 200));
  await other.end();
  const off = await repair(other);
  assert.deepEqual([off.status, off.json.title], [409, 'repair is off']);
  const none = await Scene.start(t, repairedBy(engine));
  await none.end();
  assert.equal((await repair(none)).json.title, 'no recording');
});

test('a back end cannot post as the writer repair [P3][P15]', async (t) => {
  const scene = await Scene.start(t);
  await scene.end();
  const body = { writer: 'repair', turns: [{ role: 'user', text: 'Hello' }] };
  const posted = await scene.relay.request(`/v1/sessions/${scene.id}/transcript`, { method: 'POST', body });
  assert.equal(posted.status, 400);
});
