// A spoken conversation through Verbatim, for a web page: microphone, speaker, live transcript, and a
// connection that resumes after a loss. docs/browser.md shows how to use it.
import { Backup } from './backup.js';
import { Connection } from './connection.js';
import { Microphone } from './microphone.js';
import { Speaker } from './speaker.js';
import { Transcript } from './transcript.js';

const endedWithin = 10_000; // ms that close() waits until the last words are durable

export class Conversation extends EventTarget {
  state = 'idle';
  #options;
  #connection;
  #microphone;
  #speaker;
  #transcript = new Transcript();
  #backup;
  #saving;
  #connecting;
  #closing;
  #answering = false;
  #ended;

  constructor(options = {}) {
    super();
    const url = options.url ?? `${location.origin.replace(/^http/, 'ws')}/v1/realtime`;
    this.#options = { microphone: true, playback: true, backup: true, audio: 'binary', ...options, url };
    this.#microphone = new Microphone({
      samples: (samples) => this.#connection?.sendAudio(samples),
      lost: () => this.#deviceLost(),
    });
    this.#speaker = new Speaker({
      progress: ({ item, audioMs }) => this.#emit('heard', { itemId: item, audioMs }),
    });
  }

  static async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter(({ kind }) => kind === 'audioinput').map(({ deviceId, label }) => ({ deviceId, label }));
  }

  /** Posts the copies that earlier conversations left in this browser to the relay. */
  static async reconcile({ token } = {}) {
    const backup = await Backup.open();
    try {
      return await backup.reconcile({ token });
    } finally {
      backup.close();
    }
  }

  get sessionId() {
    return this.#connection?.sessionId;
  }

  get turns() {
    return this.#transcript.turns;
  }

  get level() {
    return { input: this.#microphone.level, output: this.#speaker.level };
  }

  get muted() {
    return this.#microphone.muted;
  }

  /**
   * Call it from a click, so that the browser allows audio. Concurrent calls share one connection. Rejects with
   * an Error that has a `code`. A microphone that cannot be used does not reject: it is a `problem` event.
   */
  connect() {
    this.#connecting ??= this.#connect().catch((error) => {
      this.#connecting = undefined;
      this.#stopAudio();
      this.#become('closed');
      throw error;
    });
    return this.#connecting;
  }

  async #connect() {
    if (this.state !== 'idle' && this.state !== 'closed') throw new Error('The conversation is running.');
    this.#become('connecting');
    const { playback, microphone, deviceId } = this.#options;
    // First, because browsers allow audio only shortly after a click.
    const sound = playback ? this.#speaker.start() : undefined;
    this.#connection = new Connection(this.#options, {
      event: (event, audio) => this.#heard(event, audio),
      state: (state) => this.#become(state),
      end: (end) => this.#finish(end),
    });
    if (this.#options.backup) await this.#openBackup();
    await Promise.all([this.#connection.open(), sound]);
    if (microphone) await this.useDevice(deviceId);
  }

  async #openBackup() {
    try {
      this.#backup ??= await Backup.open();
      this.#backup.reconcile({ except: this.#options.session }).catch(() => {});
    } catch (error) {
      // In a private window or on a full disk. The relay stores the conversation anyway.
      this.#problem({ code: 'no_backup', message: `This browser keeps no copy of the conversation: ${error?.message}` });
    }
  }

  async useDevice(deviceId) {
    try {
      await this.#microphone.start(deviceId);
    } catch (error) {
      this.#problem(error);
    }
  }

  mute(value) {
    this.#microphone.muted = value;
  }

  send(event) {
    this.#connection?.send(event);
  }

  sendText(text) {
    this.interrupt();
    this.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
    });
    this.send({ type: 'response.create' });
  }

  /** Stops the answer and reports to the provider how much of it was heard. */
  interrupt() {
    if (this.#answering) this.send({ type: 'response.cancel' });
    return this.#stopPlaying();
  }

  async #stopPlaying() {
    for (const { item, content, audioMs } of await this.#speaker.flush()) {
      this.send({ type: 'conversation.item.truncate', item_id: item, content_index: content, audio_end_ms: audioMs });
      this.#emit('heard', { itemId: item, audioMs });
    }
  }

  /** Ends the conversation. Resolves once the last word is durable, or after `endedWithin`. */
  close() {
    if (this.state === 'idle' || this.state === 'closed') return Promise.resolve();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    this.#become('closing');
    this.#microphone.stop();
    await this.#stopPlaying();
    const ended = new Promise((resolve) => (this.#ended = resolve));
    let timer;
    this.send({ type: 'verbatim.end' });
    const late = new Promise((resolve) => (timer = setTimeout(resolve, endedWithin)));
    await Promise.race([ended, late]);
    clearTimeout(timer);
    if (this.state !== 'closed') await this.#finish({ code: 1000 });
  }

  #heard(event, audio) {
    switch (event.type) {
      case 'response.output_audio.delta':
        this.#speaker.play(event.item_id, event.content_index, audio);
        break;
      case 'input_audio_buffer.speech_started':
        this.#stopPlaying();
        break;
      case 'response.created':
        this.#answering = true;
        break;
      case 'response.done':
        this.#answering = false;
        break;
      case 'verbatim.ending':
        this.#emit('ending', event);
        break;
      case 'verbatim.ended':
        this.#finish({ code: 1000, ended: event.close_reason });
        break;
      case 'error':
        this.#problem({ code: event.error?.code ?? event.error?.type, message: event.error?.message });
        break;
    }
    if (this.#transcript.apply(event, (item) => this.#speaker.length(item))) {
      this.#emit('turns', this.turns);
      this.#save();
    }
    this.#emit('event', event);
  }

  #deviceLost() {
    this.#problem({ code: 'device_lost', message: 'The microphone was disconnected. Another one is used if there is one.' });
    this.useDevice();
  }

  /** Saves at most five times a second, because each save writes the whole copy. */
  #save() {
    if (!this.#backup || this.#saving || !this.sessionId) return;
    this.#saving = setTimeout(() => {
      this.#saving = undefined;
      this.#keep();
    }, 200);
  }

  #keep() {
    return this.#backup?.keep({
      id: this.sessionId, url: this.#options.url, attempt: this.#connection.attempt,
      token: this.#connection.credential, turns: this.turns, at: Date.now(),
    }).catch(() => {});
  }

  async #finish({ code, reason, problem, ended }) {
    if (this.state === 'closed') return;
    const sessionId = this.sessionId;
    this.#transcript.close();
    this.#stopAudio();
    this.#connection.close();
    clearTimeout(this.#saving);
    this.#saving = undefined;
    // If the relay reported the end, it has every word. Otherwise the copy stays for the next visit.
    if (this.#backup && sessionId) await (ended ? this.#backup.forget(sessionId) : this.#keep());
    this.#backup?.close();
    this.#backup = undefined;
    this.#connecting = this.#closing = undefined;
    this.#become('closed');
    this.#emit('turns', this.turns);
    if (problem) this.#problem(problem);
    this.#ended?.();
    this.#emit('ended', { reason: ended ?? problem?.code ?? (reason || `closed (${code})`), sessionId });
  }

  #stopAudio() {
    this.#microphone.stop();
    this.#speaker.stop();
  }

  #become(state) {
    if (this.state === state || (this.state === 'closing' && state !== 'closed')) return;
    this.state = state;
    this.#emit('state', state);
  }

  #problem({ code, message }) {
    this.#emit('problem', { code, message });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
