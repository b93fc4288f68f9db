// A provider that a harness controls word by word, and that keeps all text it has sent. It answers clients'
// requests as a provider would; the harness makes the speech and the answers.
//
//   const provider = await Voices.start(scope);
//   const voice = await provider.voice('name');  // when the relay connects for the client of this model
//   voice.hear('one'); voice.hear('two'); voice.understood();
//   voice.say('three'); voice.said();
//   voice.sent                                   // by item, its whole text
//   voice.received                               // texts that clients typed, in the order of arrival
//   voice.order                                  // items in the conversation's order
//
// `odd` is a function from a voice's name to random numbers. With it the provider behaves irregularly:
// - predecessors are null, text names only its response, JSON comes in binary frames, ids are unusual;
// - transcriptions fail, come late or never;
// - answers fail, items are deleted, and there are answers outside the conversation.
import { once } from 'node:events';
import { WebSocketServer } from 'ws';

const sound = 'AAAA'.repeat(16);

export class Voices {
  #awaited = new Map(); // by name

  static async start(scope, { odd } = {}) {
    const voices = new Voices();
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    server.on('connection', (socket, request) => {
      const name = new URL(request.url, 'ws://provider').searchParams.get('model');
      voices.#awaited.get(name)?.(new Voice(socket, name, odd?.(name)));
      voices.#awaited.delete(name);
    });
    await once(server, 'listening');
    scope.after(() => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    });
    voices.url = `ws://127.0.0.1:${server.address().port}/v1/realtime`;
    return voices;
  }

  /** Call it before the client connects. */
  voice(name) {
    return new Promise((resolve) => this.#awaited.set(name, resolve));
  }
}

const oddities = ['"quoted"', ' blanks ', '\u{1f642}', '\\u0041', 'x'.repeat(70)];

class Voice {
  sent = new Map();
  received = new Map(); // texts, and how many came before
  order = [];
  #late = []; // events to send after the next answer
  #numbers = 0;
  #last = null; // the last item of the conversation
  #heard; // the item that the user is speaking
  #answer; // { id, item, at }: the current answer

  constructor(socket, name, random) {
    Object.assign(this, { socket, name, random, port: socket._socket.remotePort });
    socket.on('error', () => {}); // a close event follows
    socket.on('close', () => (this.ended = true));
    socket.on('message', (data) => this.#asked(JSON.parse(data)));
    this.#send('session.created', { session });
  }

  #send(type, body) {
    if (this.ended) return;
    const event = { type, event_id: this.#named('event'), ...body };
    if ('previous_item_id' in event && this.#chance(0.3)) event.previous_item_id = null;
    if (type.startsWith('response.output_audio') && this.#chance(0.2)) delete event.item_id;
    this.socket.send(JSON.stringify(event), { binary: this.#chance(0.1) });
  }

  #chance(probability) {
    return this.random?.chance(probability) ?? false;
  }

  #named(kind) {
    const odd = kind === 'item' && this.#chance(0.3) ? this.random.pick(oddities) : '';
    return `${kind}_${odd}${this.name}_${++this.#numbers}`;
  }

  #asked(event) {
    if (event.type === 'session.update') this.#send('session.updated', { session });
    else if (event.type === 'input_audio_buffer.commit') this.understood();
    else if (event.type === 'response.cancel') this.said('cancelled');
    else if (event.type === 'conversation.item.create') {
      for (const { text } of event.item.content ?? []) this.received.set(text, this.received.size);
      this.#place({ object: 'realtime.item', status: 'completed', ...event.item });
    } else if (event.type === 'conversation.item.truncate') {
      const { item_id, content_index, audio_end_ms } = event;
      this.#send('conversation.item.truncated', { item_id, content_index, audio_end_ms });
    }
  }

  #place(item) {
    this.#send('conversation.item.added', { previous_item_id: this.#last, item });
    this.#last = item.id;
    this.order.push(item.id);
  }

  /** Sends the events of this word. */
  #add(item, word) {
    const before = this.sent.get(item);
    const delta = before ? ` ${word}` : word;
    this.sent.set(item, (before ?? '') + delta);
    return delta;
  }

  /** One more word of the user's; the first begins an utterance. */
  hear(word) {
    if (!this.#heard) {
      this.#heard = this.#named('item');
      const item_id = this.#heard;
      this.#send('input_audio_buffer.speech_started', { audio_start_ms: 0, item_id });
    }
    const delta = this.#add(this.#heard, word);
    const at = { item_id: this.#heard, content_index: 0 };
    this.#send('conversation.item.input_audio_transcription.delta', { ...at, delta });
  }

  /** The user has said it all. */
  understood() {
    const id = this.#heard;
    if (!id) return;
    this.#heard = undefined;
    this.#send('input_audio_buffer.speech_stopped', { audio_end_ms: 1000, item_id: id });
    this.#send('input_audio_buffer.committed', { previous_item_id: this.#last, item_id: id });
    const content = [{ type: 'input_audio', transcript: null }];
    this.#place({ id, type: 'message', status: 'completed', role: 'user', content });
    if (this.#chance(0.1)) return; // its words never come
    const at = { item_id: id, content_index: 0 };
    const whole = { ...at, transcript: this.sent.get(id) };
    const error = { type: 'transcription_error', code: 'audio_unintelligible', message: 'No.' };
    const [type, words] = this.#chance(0.1) ? ['failed', { ...at, error }] : ['completed', whole];
    const send = () => this.#send(`conversation.item.input_audio_transcription.${type}`, words);
    if (this.#chance(0.2)) this.#late.push(send);
    else send();
    if (this.#chance(0.1)) this.#send('conversation.item.deleted', { item_id: id });
  }

  /** One more word of an answer; the first begins it. */
  say(word) {
    this.#answer ??= this.#begin();
    const { at } = this.#answer;
    const delta = this.#add(at.item_id, word);
    this.#send('response.output_audio_transcript.delta', { ...at, delta });
    this.#send('response.output_audio.delta', { ...at, delta: sound });
  }

  #begin() {
    const id = this.#named('resp');
    const item = { id: this.#named('item'), type: 'message', role: 'assistant', content: [] };
    this.sent.set(item.id, '');
    const begun = { ...item, status: 'in_progress' };
    const at = { response_id: id, item_id: item.id, output_index: 0, content_index: 0 };
    const response = { object: 'realtime.response', id, status: 'in_progress', output: [] };
    this.#send('response.created', { response });
    this.#send('response.output_item.added', { response_id: id, output_index: 0, item: begun });
    this.#place(begun);
    this.#send('response.content_part.added', { ...at, part: { type: 'audio', transcript: '' } });
    return { id, item, at };
  }

  /** The answer is over: completed, or cancelled. */
  said(status = 'completed') {
    if (!this.#answer) return;
    const { id, item, at } = this.#answer;
    this.#answer = undefined;
    const transcript = this.sent.get(item.id);
    const content = [{ type: 'output_audio', transcript }];
    const whole = { ...item, status: status === 'completed' ? status : 'incomplete', content };
    this.#send('response.output_audio_transcript.done', { ...at, transcript });
    this.#send('conversation.item.done', { item: whole });
    this.#send('response.output_item.done', { response_id: id, output_index: 0, item: whole });
    const response = { object: 'realtime.response', id, status, output: [whole] };
    this.#send('response.done', { response });
    for (const send of this.#late.splice(0)) send();
    if (this.#chance(0.2)) this.#fail();
    if (this.#chance(0.2)) this.#aside();
  }

  /** An answer that fails before it has said anything. */
  #fail() {
    const response = { object: 'realtime.response', id: this.#named('resp'), output: [] };
    const error = { type: 'insufficient_quota', code: 'insufficient_quota', message: 'No.' };
    this.#send('response.created', { response: { ...response, status: 'in_progress' } });
    this.#send('response.done', {
      response: { ...response, status: 'failed', status_details: { type: 'failed', error } },
    });
  }

  /** An answer that belongs to no conversation. */
  #aside() {
    const id = this.#named('resp');
    const response = { object: 'realtime.response', id, conversation_id: null, output: [] };
    const at = { response_id: id, item_id: this.#named('item'), output_index: 0, content_index: 0 };
    this.#send('response.created', { response: { ...response, status: 'in_progress' } });
    this.#send('response.output_text.delta', { ...at, delta: 'Beside ' });
    this.#send('response.output_text.done', { ...at, text: 'Beside the point.' });
    this.#send('response.done', { response: { ...response, status: 'completed' } });
  }

  /** The item that is being answered with. */
  get answering() {
    return this.#answer?.at.item_id;
  }

  /** A lot of sound, as part of an answer. */
  sing(bytes) {
    this.#answer ??= this.#begin();
    const delta = 'A'.repeat(bytes);
    this.#send('response.output_audio.delta', { ...this.#answer.at, delta });
  }

  fail(code) {
    this.#send('error', { error: { type: 'server_error', code, message: code, param: null } });
  }
}

const session = {
  type: 'realtime',
  object: 'realtime.session',
  id: 'sess_voice',
  audio: {
    input: {
      format: { type: 'audio/pcm', rate: 24000 },
      transcription: { model: 'gpt-4o-mini-transcribe' },
    },
  },
};
