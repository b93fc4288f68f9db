// One conversation of a cell; the test controls both its client and its provider. Its words are numbered and
// never used twice.
import { Client, within } from '../../e2e/support/verbatim.mjs';
import { Record } from '../oracle.mjs';

/** The points of a conversation at which the end meets people. */
export const points = ['in mid-speech', 'in mid-answer', 'idle', 'just done'];

export class Person {
  record = new Record();
  quiet = false; // says nothing more
  sings = false; // says more than a client can read
  deaf = false; // the client reads nothing any more
  received = Infinity; // how much of the text that the provider received counts
  #said = 0;

  /** The cell's seed decides what its provider does as well. */
  constructor(point, seed) {
    Object.assign(this, { point, name: `m${seed.toString(36)}p${points.indexOf(point)}` });
  }

  /** Connects, has one exchange, and gets to its point. */
  async arrive(scope, relay, provider) {
    const query = { events: 'verbatim', model: this.name };
    const called = provider.voice(this.name);
    const client = await Client.connect(scope, relay, { token: null, query });
    this.client = client;
    this.voice = await within(called, `a call for ${this.name}`);
    this.record.sent = this.voice.sent;
    this.record.order = this.voice.order;
    this.record.received = (text) => (this.voice.received.get(text) ?? Infinity) < this.received;
    await client.event('verbatim.session');
    this.type();
    await client.event('conversation.item.added');
    for (let i = 0; i < 3; ++i) this.voice.say(this.#word());
    this.voice.said();
    await client.event('response.done');
    const from = client.events.length;
    for (let i = 0; i < 3; ++i) this.step();
    const first = {
      'in mid-speech': 'conversation.item.input_audio_transcription.delta',
      'in mid-answer': 'response.output_audio_transcript.delta',
      'just done': 'response.done',
    };
    if (first[this.point]) await client.event(first[this.point], from);
  }

  #word() {
    return `${this.name}.${++this.#said}`;
  }

  type() {
    const item = `item_${this.name}_typed${++this.#said}`;
    const text = this.#word();
    this.record.sent.set(item, text);
    this.record.asked.push(text);
    const content = [{ type: 'input_text', text }];
    this.client.send({
      type: 'conversation.item.create',
      item: { id: item, type: 'message', role: 'user', content },
    });
  }

  /** Goes on where it is: one more word, or one more exchange. */
  step() {
    if (this.quiet || this.voice.ended) return;
    if (this.sings) this.#sing();
    else if (this.point === 'in mid-speech') this.voice.hear(this.#word());
    else if (this.point === 'in mid-answer') this.voice.say(this.#word());
    else if (this.point === 'just done') {
      this.voice.hear(this.#word());
      this.voice.understood();
      this.voice.say(this.#word());
      this.voice.said();
    }
  }

  burst(times) {
    for (let i = 0; i < times; ++i) {
      this.step();
      if (!this.client.ended) this.type();
    }
  }

  #sing() {
    for (let i = 0; i < 16 && this.voice.socket.bufferedAmount < 1 << 20; ++i)
      this.voice.sing(1 << 16);
  }

  /** The client talks over the answer. */
  interrupt() {
    this.record.interrupts = true;
    const item_id = this.voice.answering;
    if (item_id) {
      const heard = { content_index: 0, audio_end_ms: 1 };
      this.client.send({ type: 'conversation.item.truncate', item_id, ...heard });
    }
    this.client.send({ type: 'response.cancel' });
  }

  goDeaf() {
    this.deaf = true;
    this.client.socket.pause();
  }

  /** Messages that it receives from now on do not count. */
  cut() {
    this.counted ??= this.client.events.length;
    this.received = Math.min(this.received, this.voice?.received.size ?? 0);
  }

  /** Everything that it saw. */
  seen() {
    for (const event of this.client.events.slice(0, this.counted)) this.record.see(event);
    return this.record;
  }
}
