// People who talk until their connection ends: each with its own words, numbered and never used twice.
import { Client } from '../e2e/support/verbatim.mjs';
import { Record } from './oracle.mjs';

/** The same numbers for the same seed (mulberry32). */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  /** From 0 to 1, without 1. */
  fraction() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  /** A whole number from `low` to `high`. */
  number(low, high) {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }
  pick(list) {
    return list[this.number(0, list.length - 1)];
  }
  chance(probability) {
    return this.fraction() < probability;
  }
  /** One of the names, by the weights behind them. */
  weighted(weights) {
    const all = Object.entries(weights);
    let left = this.fraction() * all.reduce((sum, [, weight]) => sum + weight, 0);
    return all.find(([, weight]) => (left -= weight) < 0)[0];
  }
}

const tone = (() => {
  const samples = new Int16Array(24 * 200); // 200 ms, loud enough to be speech
  samples.forEach((_, i) => (samples[i] = i % 64 < 32 ? 9000 : -9000));
  return Buffer.from(samples.buffer).toString('base64');
})();

/** The behaviour of other providers than OpenAI, and of faulty ones (docs/simulator.md). */
const oddities = [
  ...['late_transcription=200', 'missing_transcription=0.3', 'fail_transcription=0.3'],
  ...['empty_transcription=0.3', 'odd_ids=0.5', 'null_previous=0.4', 'no_item_ids=0.3'],
  ...['binary=0.3', 'fail_response=0.2', 'drop_after=60', 'refuse_history=0.3'],
];

/** Some of these, as a model's name has them behind it; most people meet at least one. */
export function oddProvider(random) {
  const some = new Set(Array.from({ length: random.number(0, 3) }, () => random.pick(oddities)));
  // Only a new connection is given a history.
  if (some.has('refuse_history=0.3')) some.add('drop_after=60');
  return ['gpt-realtime', ...some].join('+');
}

const weather = {
  type: 'function',
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};

let names = 0;

export class Talker {
  record = new Record();
  #said = 0;

  constructor(client, random) {
    Object.assign(this, { client, random, name: ++names });
  }

  /** Without a token: the relay's development mode. Rejects if the relay is not there. */
  static async connect(scope, relay, random, options = {}) {
    const query = { events: 'verbatim', ...options.query };
    const talker = new Talker(
      await Client.connect(scope, relay, { token: null, ...options, query }),
      random,
    );
    // A new connection counts from one, may have lost the item to answer, and may lack part of the history.
    const replaced = query.model?.includes('drop_after') ?? false;
    talker.record.replaced = talker.record.hasty = replaced;
    return talker;
  }

  /** Talks until the connection ends, or `enough()`; `ways` are weights of what it does. */
  async talk({
    ways = { text: 6, speech: 2, cancel: 1, tool: 1, remove: 1, aside: 1 },
    enough = () => false,
  } = {}) {
    try {
      this.#configure();
      while (!this.client.ended && !enough()) await this[this.random.weighted(ways)]();
    } catch (error) {
      if (!this.client.ended) throw error;
    }
  }

  /** Events that it receives from now on, or after its first `count` ones, do not count. */
  cut(count = this.client.events.length, received = 0) {
    this.counted = count;
    this.receivedBefore = received;
  }

  /** Ends its connection in one way or another. */
  leave() {
    const way = this.random.pick(['end', 'close', 'vanish']);
    if (way === 'end') this.client.send({ type: 'verbatim.end' });
    else if (way === 'close') this.client.socket.close(1000);
    else this.client.socket.terminate();
  }

  /** Everything that it saw, once its connection is over; and what the provider received of it. */
  async seen(received) {
    await this.client.closed;
    for (const event of this.client.events.slice(0, this.counted)) this.record.see(event);
    if (received) this.record.received = (text) => received.has(text, this.receivedBefore);
    this.client.events = this.client.frames = [];
    return this.record;
  }

  #configure() {
    const input = { turn_detection: null, transcription: { model: 'gpt-realtime-whisper' } };
    this.client.send({
      type: 'session.update',
      session: { type: 'realtime', audio: { input }, tools: [weather] },
    });
  }

  #words(least, most) {
    const count = this.random.number(least, most);
    const words = Array.from({ length: count }, () => `w${this.name}.${++this.#said}`);
    return words.join(' ');
  }

  #type(text) {
    this.record.asked.push(text);
    const content = [{ type: 'input_text', text }];
    this.client.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content },
    });
  }

  #request(modality = 'text') {
    const from = this.client.events.length;
    this.client.send({ type: 'response.create', response: { output_modalities: [modality] } });
    return from;
  }

  /** The first of these; an answer that fails has neither words nor calls. */
  #either(types, from) {
    return this.client.until(
      () => this.client.events.slice(from).find(({ type }) => types.includes(type)),
      types.join(' or '),
    );
  }

  async text() {
    this.#type(this.#words(1, 40));
    await this.client.event(
      'response.done',
      this.#request(this.random.chance(0.1) ? 'audio' : 'text'),
    );
  }

  /** Deletes a typed message. It stays part of the transcript. */
  async remove() {
    const mine = this.client.events.filter(
      ({ type, item }) =>
        type === 'conversation.item.added' && item.content?.[0]?.type === 'input_text',
    );
    if (mine.length < 2) return this.text();
    const { item } = this.random.pick(mine);
    const from = this.client.events.length;
    this.client.send({ type: 'conversation.item.delete', item_id: item.id });
    await this.#either(['conversation.item.deleted', 'error'], from);
  }

  /** A question beside the conversation: its answer is not a turn. */
  async aside() {
    const from = this.client.events.length;
    const content = [{ type: 'input_text', text: this.#words(1, 10) }];
    this.client.send({
      type: 'response.create',
      response: {
        conversation: 'none',
        output_modalities: ['text'],
        input: [{ type: 'message', role: 'user', content }],
      },
    });
    await this.client.event('response.done', from);
  }

  async speech() {
    const from = this.client.events.length;
    const length = this.random.number(2, 6);
    for (let i = 0; i < length; ++i)
      this.client.send({ type: 'input_audio_buffer.append', audio: tone });
    ++this.record.spoken;
    this.client.send({ type: 'input_audio_buffer.commit' });
    // Its words may come before, during or after the answer, or never.
    if (this.random.chance(0.5)) await this.client.event('input_audio_buffer.committed', from);
    await this.client.event('response.done', this.#request());
  }

  async cancel() {
    this.record.interrupts = true;
    this.#type(this.#words(20, 60));
    const from = this.#request();
    await this.#either(['response.output_text.delta', 'response.done'], from);
    this.client.send({ type: 'response.cancel' });
    await this.client.event('response.done', from);
  }

  async tool() {
    this.#type(`get_weather ${this.#words(1, 5)}`);
    const from = this.#request();
    const called = 'response.function_call_arguments.done';
    const { call_id } = await this.#either([called, 'response.done'], from);
    if (!call_id) return;
    await this.client.event('response.done', from);
    const output = `sunny ${this.#words(1, 5)}`;
    this.record.outputs.push(output);
    this.client.send({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id, output },
    });
    await this.client.event('response.done', this.#request());
  }

  /** Asks for a lot of audio and reads none of it for a while. */
  async sleep(ms) {
    this.record.hasty = true;
    this.client.socket.pause();
    for (let i = 0; i < 8; ++i) {
      this.#type(this.#words(60, 60));
      this.#request('audio');
      await new Promise((resolve) => setTimeout(resolve, ms / 8));
    }
    this.client.socket.resume();
  }
}
