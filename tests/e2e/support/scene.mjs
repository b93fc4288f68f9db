// Recorded conversations that a test plays itself: a tone for each word, and where it stands in an exported file.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { eventually } from './process.mjs';
import { Provider } from './provider.mjs';
import { Client, startRelay, within } from './verbatim.mjs';

export const perMs = 24; // samples
export const session = {
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
export function tone(hertz, ms) {
  const samples = Int16Array.from({ length: ms * perMs }, (_, i) => 8000 * Math.sin((2 * Math.PI * hertz * i) / 24000));
  return Buffer.from(samples.buffer);
}

/** A WAV file as {channels, samples of each channel}. */
export function read(file) {
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
export function words(samples, tones) {
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

/** The provider has committed what the user said, and has written it down. */
export function sayUser(line, item, text = item) {
  line.say({ type: 'input_audio_buffer.committed', previous_item_id: null, item_id: item });
  const content = [{ type: 'input_audio', transcript: null }];
  line.say({
    type: 'conversation.item.added',
    previous_item_id: null,
    item: { id: item, type: 'message', role: 'user', status: 'completed', content },
  });
  line.say({ type: 'conversation.item.input_audio_transcription.completed', item_id: item, content_index: 0, transcript: text });
}

/** The provider answers, with all audio at once. The function returned says that the answer is done. */
export function sayAnswer(line, item, audio, text = item) {
  const response = `resp_${item}`;
  const at = { response_id: response, item_id: item, output_index: 0, content_index: 0 };
  const whole = { id: item, type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_audio', transcript: text }] };
  line.say({ type: 'response.created', response: { id: response, conversation_id: 'conv_1', output: [] } });
  line.say({ type: 'conversation.item.added', previous_item_id: null, item: { ...whole, status: 'in_progress', content: [] } });
  line.say({ type: 'response.output_audio_transcript.delta', ...at, delta: text });
  for (const one of audio) line.say({ type: 'response.output_audio.delta', ...at, delta: one.toString('base64') });
  return () => {
    line.say({ type: 'response.output_audio_transcript.done', ...at, transcript: text });
    line.say({ type: 'response.output_item.done', response_id: response, output_index: 0, item: whole });
    line.say({ type: 'response.done', response: { id: response, conversation_id: 'conv_1', status: 'completed', output: [whole] } });
  };
}

/** One conversation between a client and a provider that the test plays. */
export class Scene {
  received = 0; // bytes of the user's audio at the provider
  texts = {}; // the words of items; others have their id

  static async start(t, set = [], first = session) {
    const scene = new Scene();
    const provider = await Provider.start(t);
    Object.assign(scene, { t, provider, set: [`upstream.url=${provider.url}`, 'recording.enabled=yes', ...goesOn, ...set] });
    scene.relay = await startRelay(t, { set: scene.set });
    scene.token = await scene.relay.mint({ user: 'ada' });
    scene.client = await Client.connectWithId(t, scene.relay, { token: scene.token, query: { model: 'm' } });
    scene.id = scene.client.id;
    await scene.atProvider();
    scene.line.say({ type: 'session.created', session: first });
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
    sayUser(this.line, item, this.texts[item]);
    return [before - ms, after - ms];
  }

  /** The assistant says words, all of them at once. Returns the earliest and the latest time of its first audio. */
  async answer(item, ...audio) {
    const from = this.client.events.length;
    const before = Date.now();
    const done = sayAnswer(this.line, item, audio, this.texts[item]);
    await this.client.event('response.output_audio.delta', from);
    const after = Date.now();
    done();
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

export const shown = (list) => JSON.stringify(list);

/** A word is where the test said it, within 80 ms, and as long, within 40 ms. */
export function check(found, { hertz, ms, begin: [earliest, latest] }) {
  assert.equal(found?.hertz, hertz, shown(found));
  assert.ok(found.at >= earliest - 80 && found.at <= latest + 80, `${hertz} Hz begins at ${found.at}, not in ${earliest} to ${latest}`);
  assert.ok(Math.abs(found.ms - ms) <= 40, `${hertz} Hz has ${found.ms} ms, not ${ms}`);
}
