// Recorded conversations: a tone for each word, and where it stands in the exported file (docs/recording.md).
// Times are compared with those that the test measured itself, before and after each word.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as silence } from 'node:timers/promises';
import { Watcher } from './support/events.mjs';
import { eventually } from './support/process.mjs';
import { Client, run, startRelay, startSimulator, temporaryDirectory, within } from './support/verbatim.mjs';
import { Provider } from './support/provider.mjs';

const perMs = 24; // samples
const session = {
  type: 'realtime',
  id: 'sess_provider',
  audio: { input: { format: { type: 'audio/pcm', rate: 24000 }, transcription: { model: 'w' }, turn_detection: null } },
};
const goesOn = [
  'session.resume_window=30s',
  'session.transcription_grace=0s',
  'upstream.reconnect_attempts_max=5',
  'upstream.reconnect_pause_min=10ms',
  'upstream.reconnect_pause_max=50ms',
];

/** A word: a tone of `ms` milliseconds. */
function tone(hertz, ms) {
  const samples = Int16Array.from({ length: ms * perMs }, (_, i) => 8000 * Math.sin((2 * Math.PI * hertz * i) / 24000));
  return Buffer.from(samples.buffer);
}

/** A WAV file as {channels, samples of each channel}. */
function read(file) {
  assert.equal(file.toString('latin1', 0, 4) + file.toString('latin1', 8, 16) + file.toString('latin1', 36, 40), 'RIFFWAVEfmt data');
  assert.equal(file.readUInt32LE(40), file.length - 44);
  assert.equal(file.readUInt32LE(24), 24000);
  const count = file.readUInt16LE(22);
  const frames = (file.length - 44) / (2 * count);
  return Array.from({ length: count }, (_, channel) =>
    Float64Array.from({ length: frames }, (_, i) => file.readInt16LE(44 + 2 * (i * count + channel))));
}

/** How strong a frequency is in these samples (Goertzel). */
function strength(samples, hertz) {
  const factor = 2 * Math.cos((2 * Math.PI * hertz) / 24000);
  let [one, two] = [0, 0];
  for (const sample of samples) [one, two] = [sample + factor * one - two, one];
  return Math.sqrt(Math.max(0, one * one + two * two - factor * one * two)) / samples.length;
}

/** The words of a channel in order: [{hertz, at, ms}], found in steps of 10 ms. */
function words(samples, tones) {
  const found = [];
  const step = 10 * perMs;
  for (let at = 0; at + step <= samples.length; at += step) {
    const part = samples.subarray(at, at + step);
    const [best] = tones.map((hertz) => ({ hertz, force: strength(part, hertz) })).sort((a, b) => b.force - a.force);
    if (best.force < 1500) continue;
    const last = found.at(-1);
    if (last?.hertz === best.hertz && last.at + last.ms >= at / perMs - 20) last.ms = at / perMs + 10 - last.at;
    else found.push({ hertz: best.hertz, at: at / perMs, ms: 10 });
  }
  return found.filter(({ ms }) => ms >= 50); // a step that holds the end of a tone has other frequencies too
}

/** One conversation between a client and a provider that the test plays. */
class Scene {
  received = 0; // bytes of the user's audio at the provider

  static async start(t, set = []) {
    const scene = new Scene();
    const provider = await Provider.start(t);
    Object.assign(scene, { t, provider, set: [`upstream.url=${provider.url}`, 'recording.enabled=yes', ...goesOn, ...set] });
    scene.relay = await startRelay(t, { set: scene.set });
    scene.token = await scene.relay.mint({ user: 'ada' });
    scene.client = await Client.connectWithId(t, scene.relay, { token: scene.token, query: { model: 'm' } });
    scene.id = scene.client.id;
    await scene.atProvider();
    scene.line.say({ type: 'session.created', session });
    await scene.client.event('session.created');
    return scene;
  }

  /** The connection that the relay now has to the provider. */
  async atProvider() {
    this.line = await within(Promise.resolve(this.provider.line('m')), 'a connection to the provider');
    this.line.socket.on('message', (data) => {
      const event = JSON.parse(data);
      if (event.type === 'input_audio_buffer.append') this.received += Buffer.from(event.audio, 'base64').length;
      if (event.type !== 'conversation.item.truncate') return;
      const { item_id, content_index, audio_end_ms } = event;
      this.line.say({ type: 'conversation.item.truncated', item_id, content_index, audio_end_ms });
    });
  }

  async sent(audio) {
    const all = this.received + audio.length;
    this.client.send({ type: 'input_audio_buffer.append', audio: audio.toString('base64') });
    await eventually(() => this.received >= all, 'the audio at the provider');
  }

  /** The user says a word. It ends when its audio arrives: returns the earliest and the latest begin. */
  async speak(item, audio) {
    const ms = audio.length / 2 / perMs;
    const before = Date.now();
    await this.sent(audio);
    const after = Date.now();
    this.line.say({ type: 'input_audio_buffer.committed', previous_item_id: null, item_id: item });
    const content = [{ type: 'input_audio', transcript: null }];
    this.line.say({
      type: 'conversation.item.added',
      previous_item_id: null,
      item: { id: item, type: 'message', role: 'user', status: 'completed', content },
    });
    this.line.say({ type: 'conversation.item.input_audio_transcription.completed', item_id: item, content_index: 0, transcript: item });
    return [before - ms, after - ms];
  }

  /** The assistant says words, all of them at once. Returns the earliest and the latest time of its first audio. */
  async answer(item, ...audio) {
    const response = `resp_${item}`;
    const at = { response_id: response, item_id: item, output_index: 0, content_index: 0 };
    const whole = { id: item, type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_audio', transcript: item }] };
    const from = this.client.events.length;
    const before = Date.now();
    this.line.say({ type: 'response.created', response: { id: response, conversation_id: 'conv_1', output: [] } });
    this.line.say({ type: 'conversation.item.added', previous_item_id: null, item: { ...whole, status: 'in_progress', content: [] } });
    this.line.say({ type: 'response.output_audio_transcript.delta', ...at, delta: item });
    for (const one of audio) this.line.say({ type: 'response.output_audio.delta', ...at, delta: one.toString('base64') });
    await this.client.event('response.output_audio.delta', from);
    const after = Date.now();
    this.line.say({ type: 'response.output_audio_transcript.done', ...at, transcript: item });
    this.line.say({ type: 'response.output_item.done', response_id: response, output_index: 0, item: whole });
    this.line.say({ type: 'response.done', response: { id: response, conversation_id: 'conv_1', status: 'completed', output: [whole] } });
    await this.client.event('response.done', from);
    return [before, after];
  }

  async cut(item, ms) {
    const from = this.client.events.length;
    this.client.send({ type: 'conversation.item.truncate', item_id: item, content_index: 0, audio_end_ms: ms });
    await this.client.event('conversation.item.truncated', from);
  }

  async end() {
    await this.client.close();
    return this.relay.transcript(this.id);
  }

  recording(query = '', options = {}) {
    return this.relay.request(`/v1/sessions/${this.id}/recording${query}`, options);
  }

  folder(relay = this.relay) {
    return join(relay.dataDir, 'recordings', this.id);
  }

  get state() {
    return this.relay.request(`/v1/sessions/${this.id}`).then(({ json }) => json.recording);
  }
}

const shown = (list) => JSON.stringify(list);

/** A word is where the test said it, within 80 ms, and as long, within 40 ms. */
function check(found, { hertz, ms, begin: [earliest, latest] }) {
  assert.equal(found?.hertz, hertz, shown(found));
  assert.ok(found.at >= earliest - 80 && found.at <= latest + 80, `${hertz} Hz begins at ${found.at}, not in ${earliest} to ${latest}`);
  assert.ok(Math.abs(found.ms - ms) <= 40, `${hertz} Hz has ${found.ms} ms, not ${ms}`);
}

test('each word is where it was spoken: interruption, bursts, a pause, a new connection [P5][P15]', async (t) => {
  const scene = await Scene.start(t);
  assert.equal(scene.client.events[0].recording, true);
  assert.deepEqual(await scene.state, { state: 'none', until: null });
  const first = await scene.speak('u1', tone(400, 300));
  const answer = await scene.answer('a1', tone(600, 500), tone(700, 1500), tone(800, 1000));
  await scene.cut('a1', 1200); // of 3 s
  await silence(700);
  const second = await scene.speak('u2', tone(500, 300));
  const after = await scene.answer('a2', tone(900, 400));

  scene.line.vanish();
  await scene.atProvider();
  scene.line.takeRebuild(session);
  await eventually(() => scene.client.events.some(({ type, state }) => type === 'verbatim.upstream' && state === 'restored'), 'a new connection');
  await silence(700);
  const third = await scene.speak('u3', tone(400, 300));
  await scene.answer('a3', tone(1000, 400));
  await eventually(async () => (await scene.state).state === 'recording', 'an index on the disk');
  assert.equal((await scene.recording()).status, 409);
  const { turns } = await scene.end();
  assert.deepEqual(await scene.state, { state: 'kept', until: null });

  const whole = await scene.recording();
  assert.equal(whole.status, 200, whole.text);
  assert.equal(whole.type, 'audio/wav');
  const began = Date.parse((await scene.relay.request(`/v1/sessions/${scene.id}`)).json.attempts[0].started_at);
  const origin = began + Number(whole.headers['verbatim-starts-at-ms']);
  const [left, right] = read(whole.bytes);

  // Nothing was spoken before the attempt began, and a word ends before the next one of its speaker begins.
  const spoken = (times, floor) => times.map((time) => Math.max(time - origin, floor));
  const user = words(left, [400, 500]);
  assert.deepEqual(user.map(({ hertz }) => hertz), [400, 500, 400], shown(user));
  check(user[0], { hertz: 400, ms: 300, begin: spoken(first, 0) });
  check(user[1], { hertz: 500, ms: 300, begin: spoken(second, user[0].at + 300) });
  check(user[2], { hertz: 400, ms: 300, begin: spoken(third, user[1].at + 300) });
  const assistant = words(right, [600, 700, 800, 900, 1000]);
  assert.deepEqual(assistant.map(({ hertz }) => hertz), [600, 700, 900, 1000], shown(assistant));
  check(assistant[0], { hertz: 600, ms: 500, begin: spoken(answer, 0) });
  check(assistant[1], { hertz: 700, ms: 700, begin: [assistant[0].at + 500, assistant[0].at + 500] });
  check(assistant[2], { hertz: 900, ms: 400, begin: spoken(after, assistant[0].at + 1200) });
  const end = Math.max(user[2].at + 300, assistant[3].at + 400);
  assert.ok(Math.abs(left.length / perMs - end) <= 40, `${left.length / perMs} ms, not ${end}`);

  // One speaker, one turn, and what was not heard.
  const [alone] = read((await scene.recording('?track=assistant')).bytes);
  assert.deepEqual(alone, right);
  const ordinal = (item) => turns.find((turn) => turn.item_id === item).ordinal;
  const [turn] = read((await scene.recording(`?turn=${ordinal('u2')}&track=user`)).bytes);
  assert.equal(turn.length, 300 * perMs);
  assert.deepEqual(words(turn, [400, 500]).map(({ hertz }) => hertz), [500]);
  assert.equal((await scene.recording(`?turn=${ordinal('a1')}`)).bytes.length, 44 + 4 * 1200 * perMs);
  const [all] = read((await scene.recording(`?turn=${ordinal('a1')}&track=assistant&unheard=include`)).bytes);
  assert.deepEqual(words(all, [600, 700, 800]).map(({ hertz, ms }) => [hertz, ms]), [[600, 500], [700, 1500], [800, 1000]]);
  assert.equal((await scene.recording('?turn=99')).status, 404);

  // Any part of the file.
  const size = whole.bytes.length;
  for (const [from, to] of [[0, 0], [0, 43], [43, 44], [44, 45], [1, 70_001], [size - 1, size - 1], [size - 5, size + 5]]) {
    const part = await scene.recording('', { headers: { range: `bytes=${from}-${to}` } });
    assert.equal(part.status, 206);
    assert.deepEqual(part.bytes, whole.bytes.subarray(from, to + 1), `${from}-${to}`);
    assert.equal(part.headers['content-range'], `bytes ${from}-${Math.min(to, size - 1)}/${size}`);
  }
  assert.deepEqual((await scene.recording('', { headers: { range: 'bytes=-9' } })).bytes, whole.bytes.subarray(size - 9));
  const none = await scene.recording('', { headers: { range: `bytes=${size}-` } });
  assert.equal(none.status, 416);
  assert.equal(none.headers['content-range'], `bytes */${size}`);
  const other = await scene.recording('', { headers: { range: 'bytes=0-9', 'if-range': '"another"' } });
  assert.equal(other.status, 200);
  const head = await scene.recording('', { method: 'HEAD' });
  assert.equal(Number(head.headers['content-length']), size);
  assert.equal((await scene.recording('', { headers: { 'if-none-match': whole.headers.etag } })).status, 304);
});

test('kill -9 loses no sample that had arrived, and the next process goes on in the same files [P7][P14][P15]', async (t) => {
  const scene = await Scene.start(t);
  const said = [tone(400, 1000), tone(500, 1001)];
  for (const one of said) await scene.sent(one);
  await scene.answer('a1', tone(600, 500));
  scene.relay.program.child.kill('SIGKILL');
  await scene.relay.program.stop();
  const file = (name) => readFileSync(join(scene.folder(), name));
  assert.deepEqual(file('1.user.pcm'), Buffer.concat(said));
  assert.deepEqual(file('1.assistant.pcm'), tone(600, 500));
  writeFileSync(join(scene.folder(), '1.user.pcm'), Buffer.from([7]), { flag: 'a' }); // half of a sample

  scene.relay = await startRelay(t, { dataDir: scene.relay.dataDir, key: scene.relay.keyPair, set: scene.set });
  scene.client = await Client.connectWithId(t, scene.relay, { token: scene.token, query: { model: 'm', session: scene.id } });
  assert.equal(scene.client.events[0].recording, true);
  await scene.atProvider();
  scene.line.takeRebuild(session);
  const last = tone(400, 300);
  await scene.sent(last);
  await scene.answer('a2', tone(700, 500));
  await scene.end();
  assert.deepEqual(file('1.user.pcm'), Buffer.concat([...said, Buffer.from([7, 0xff]), last]));
  const [left, right] = read((await scene.recording()).bytes);
  assert.deepEqual(words(left, [400, 500]).map(({ hertz }) => hertz), [400, 500, 400]);
  assert.deepEqual(words(right, [600, 700]).map(({ hertz }) => hertz), [600, 700]);
});

test('an erased session leaves no audio, by a request, from the command line and by age [P10][P15]', async (t) => {
  const scene = await Scene.start(t);
  await scene.sent(tone(400, 200));
  await scene.end();
  assert.deepEqual(readdirSync(scene.folder()), ['1.user.pcm']);
  assert.equal(statSync(join(scene.folder(), '1.user.pcm')).mode & 0o777, 0o600);
  assert.equal((await scene.relay.request(`/v1/sessions/${scene.id}`, { method: 'DELETE' })).status, 204);
  assert.equal(existsSync(scene.folder()), false);
  assert.equal((await scene.recording()).status, 404);

  const stopped = await Scene.start(t);
  await stopped.sent(tone(400, 200));
  await stopped.end();
  await stopped.relay.program.stop();
  assert.ok(existsSync(stopped.folder()));
  const erased = await run(['sessions', 'delete', stopped.id, '--set', `server.data_dir=${stopped.relay.dataDir}`]);
  assert.equal(erased.code, 0, erased.stderr);
  assert.equal(existsSync(stopped.folder()), false);

  const aged = await Scene.start(t, ['storage.retention=1s']);
  await aged.sent(tone(400, 200));
  await aged.end();
  await eventually(() => !existsSync(aged.folder()), 'the erasure by age');
});

test('recording.retention removes the audio and leaves the transcript [P15]', async (t) => {
  const scene = await Scene.start(t, ['recording.retention=1s']);
  await scene.speak('u1', tone(400, 200));
  await scene.end();
  assert.notEqual((await scene.state).until, null);
  await eventually(() => !existsSync(scene.folder()), 'the removal');
  const expired = await scene.state;
  assert.equal(expired.state, 'expired');
  const live = await Watcher.at(t, scene.relay, '/v1/live');
  await eventually(() => live.events.some(({ event }) => event === 'ready'), 'the first look');
  assert.deepEqual(live.events.find(({ data }) => data.id === scene.id).data.recording, expired);
  assert.equal((await scene.recording()).status, 404);
  assert.equal((await scene.relay.transcript(scene.id)).turns.length, 1);
  assert.match(scene.relay.program.stderr, /recording\.expired/);
});

test('only sessions whose token asks for it are recorded, and their clients learn it [P15]', async (t) => {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator, set: ['recording.enabled=token'] });
  const talk = async (terms) => {
    const client = await Client.connectWithId(t, relay, { token: await relay.mint(terms) });
    await client.ask('Is this recorded?');
    await client.close();
    await relay.transcript(client.id);
    const { status } = await relay.request(`/v1/sessions/${client.id}/recording`);
    const { recording } = (await relay.request(`/v1/sessions/${client.id}`)).json;
    return { told: client.events[0].recording, status, state: recording.state };
  };
  assert.deepEqual(await talk({}), { told: false, status: 404, state: 'none' });
  assert.deepEqual(await talk({ recording: false }), { told: false, status: 404, state: 'none' });
  assert.equal(existsSync(join(relay.dataDir, 'recordings')), false);
  assert.deepEqual(await talk({ recording: true }), { told: true, status: 200, state: 'kept' });
});

test('by default nothing is recorded, and a token that asks for it is refused [P10][P12]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  assert.equal(client.events[0].recording, false);
  client.send({ type: 'input_audio_buffer.append', audio: tone(400, 100).toString('base64') });
  await client.ask('Is this recorded?');
  await client.close();
  await relay.transcript(client.id);
  assert.equal((await relay.request(`/v1/sessions/${client.id}/recording`)).status, 404);
  assert.equal(existsSync(join(relay.dataDir, 'recordings')), false);
  const refused = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: { verbatim: { recording: true } } });
  assert.equal(refused.status, 400);
  assert.match(refused.text, /recording\.enabled/);
});

test('a disk that takes no audio ends the recording loudly, and the conversation goes on [P6][P15]', async (t) => {
  const dir = join(temporaryDirectory(t), 'audio');
  const scene = await Scene.start(t, [`recording.dir=${dir}`]);
  writeFileSync(dir, 'in the place of the folder');
  await scene.speak('u1', tone(400, 200));
  await scene.speak('u2', tone(400, 200));
  await scene.answer('a1', tone(600, 200));
  const { turns } = await scene.end();
  assert.equal(turns.length, 3);
  assert.equal((await scene.state).state, 'stopped');
  assert.equal((await scene.recording()).status, 404);
  const metrics = (await scene.relay.request('/metrics')).text;
  assert.match(metrics, /^verbatim_recording_failures_total 1$/m);
  assert.equal(scene.relay.program.stderr.match(/recording\.stopped/g).length, 1);
});
