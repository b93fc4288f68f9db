// A conversation without devices: connection, settings, transcript, tools. `Parts` adds what a page has more.
import type {
  Problem, ServerEvent, SessionEvents, SessionOptions, Settings, Snapshot, State, Turn,
} from '../core.d.ts';
import { Connection, type ConnectionListener, type End } from './connection.ts';
import { errorFrom, problemOf, VerbatimError } from './errors.ts';
import { sessionOf } from './settings.ts';
import { limited } from './time.ts';
import { ToolRunner } from './tools.ts';
import { Transcript } from './transcript.ts';

const endedWithin = 10_000; // ms that close() waits until the last words are durable
/** Begins the ids of requests that may come too late: the answer is over. The page has no problem then. */
const haste = 'interrupt_';
const turnSamplesMin = 2400; // 100 ms; the provider refuses shorter utterances

export interface Heard {
  item: string;
  content: number;
  audioMs: number;
}

/** The surroundings of a conversation: devices, a backup. All members are optional. */
export interface Parts {
  /** Before the connection is open: rejects if the conversation cannot begin. */
  begin?(): Promise<void>;
  /** Once the connection is open. */
  opened?(): Promise<void>;
  play?(item: string, content: number, samples: Int16Array): void;
  /** Audio of an item received so far, in ms. */
  length?(item: string): number;
  /** Stops playing; how much was heard of each item that was not played to its end. */
  flush?(): Promise<Heard[]>;
  mute?(value: boolean): void;
  /** Resolves once the audio that the microphone has taken so far is sent. */
  captured?(): Promise<void>;
  changed?(): void;
  stop?(): void;
  /** `ended`: the relay has every word. */
  finished?(ended: boolean): Promise<void>;
}

/** The listeners' types; the methods are EventTarget's. */
export interface Session<Events extends SessionEvents = SessionEvents> {
  addEventListener<K extends keyof Events & string>(type: K, listener: (event: CustomEvent<Events[K]>) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof Events & string>(type: K, listener: (event: CustomEvent<Events[K]>) => void, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

export class Session<Events extends SessionEvents = SessionEvents> extends EventTarget {
  state: State = 'idle';
  muted = false;
  answering = false;
  protected parts: Parts = {};
  protected connection: Connection | undefined;
  protected transcript = new Transcript();
  #options: SessionOptions;
  #tools: ToolRunner;
  #connecting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #ended: (() => void) | undefined;
  #turnSamples: number | null = null; // sent in the present turn; null outside one
  #problem: Problem | null = null;
  #snapshot: Snapshot | undefined;
  #subscribers = new Set<(snapshot: Snapshot) => void>();

  constructor(options: SessionOptions = {}) {
    super();
    this.#options = { connectTimeout: 20_000, ...options };
    this.#tools = new ToolRunner(options.toolTimeout ?? 30_000, {
      send: (event) => this.#send(event),
      tool: (event) => this.emit('tool', event),
      problem: (problem) => this.report(problem),
    });
    this.#tools.tools = options.tools ?? {};
  }

  get url(): string {
    return this.#options.url ?? `${location.origin.replace(/^http/, 'ws')}/v1/realtime`;
  }

  get sessionId(): string | undefined {
    return this.connection?.sessionId ?? this.#options.session;
  }

  get turns(): readonly Turn[] {
    return this.transcript.turns;
  }

  get snapshot(): Snapshot {
    this.#snapshot ??= {
      state: this.state, turns: this.turns, answering: this.answering, muted: this.muted, problem: this.#problem,
    };
    return this.#snapshot;
  }

  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    const subscriber = (snapshot: Snapshot) => listener(snapshot);
    this.#subscribers.add(subscriber);
    listener(this.snapshot);
    return () => this.#subscribers.delete(subscriber);
  }

  on<K extends keyof Events & string>(type: K, listener: (detail: Events[K]) => void): () => void {
    const heard = ({ detail }: CustomEvent<Events[K]>) => listener(detail);
    this.addEventListener(type, heard);
    return () => this.removeEventListener(type, heard);
  }

  /** Concurrent calls share one connection. */
  connect(): Promise<void> {
    if (this.state === 'closing') return Promise.reject(new VerbatimError('busy'));
    if (this.#connecting) return this.#connecting;
    const connecting = this.#connect().catch((error) => {
      if (this.#connecting === connecting) this.#abandon();
      throw errorFrom(error, 'unreachable');
    });
    this.#connecting = connecting;
    return connecting;
  }

  async #connect(): Promise<void> {
    this.#problem = null;
    this.#become('connecting');
    const connection = new Connection({ ...this.#options, url: this.url }, this.#listener());
    this.connection = connection;
    this.transcript = new Transcript(); // the relay sends the items of a session that goes on
    const begun = (this.parts.begin?.() ?? Promise.resolve()).catch((error) => {
      throw errorFrom(error, 'unsupported');
    });
    const limitMs = this.#options.connectTimeout!;
    await limited(Promise.all([connection.open(), begun]), limitMs, () =>
      new VerbatimError('timeout', {
        reason: connection.isOpen ? 'audio' : connection.stage,
        message: `Not connected within ${limitMs} ms: ${waitedFor[connection.isOpen ? 'audio' : connection.stage]}.`,
      }));
    // It may have been closed while the surroundings began: then no device starts.
    if (this.state === 'open' || this.state === 'reconnecting') await this.parts.opened?.();
    if (!connection.isOpen && this.state !== 'reconnecting') throw new VerbatimError('aborted');
  }

  /** Nothing stays open after a failure: an open line costs. */
  #abandon(): void {
    this.#stopAll();
    this.#become('closed');
    this.#ended?.();
    void this.parts.finished?.(false);
  }

  #listener(): ConnectionListener {
    let greeted = false;
    return {
      event: (event, audio) => this.#received(event, audio),
      greeted: ({ resumed }) => {
        // A resumed session has its settings, but those of a reloaded page may differ.
        if (!resumed || !greeted) this.#sendSettings(this.#options);
        greeted = true;
        this.#become('open');
      },
      lost: () => {
        if (this.state !== 'connecting') this.#become('reconnecting');
      },
      end: (end) => void this.#finish(end),
    };
  }

  #sendSettings(settings: Settings): void {
    const session = sessionOf(settings);
    if (session) this.connection?.send({ type: 'session.update', session });
  }

  configure(settings: Settings): void {
    Object.assign(this.#options, settings);
    if (settings.tools) this.#tools.tools = settings.tools;
    if (this.connection?.isOpen) this.#sendSettings(settings);
  }

  send(event: { type: string; [field: string]: unknown }): void {
    this.#send(event);
  }

  #send(event: object): void {
    this.connection?.send(event);
  }

  sendText(text: string): void {
    void this.interrupt();
    this.#send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
    });
    this.#send({ type: 'response.create' });
  }

  /** Speech is sent in turns only, if the page marks them. */
  sendAudio(samples: Int16Array): void {
    if (this.#options.turnDetection === null) {
      if (this.#turnSamples === null) return;
      this.#turnSamples += samples.length;
    }
    this.connection?.sendAudio(samples);
  }

  async startTurn(): Promise<void> {
    this.#send({ type: 'input_audio_buffer.clear' });
    this.#turnSamples = 0;
    await this.interrupt();
  }

  async endTurn(): Promise<boolean> {
    if (this.#turnSamples === null) return false;
    await this.parts.captured?.();
    const enough = this.#turnSamples >= turnSamplesMin;
    this.#turnSamples = null;
    this.#send({ type: enough ? 'input_audio_buffer.commit' : 'input_audio_buffer.clear' });
    if (enough) this.#send({ type: 'response.create' });
    return enough;
  }

  interrupt(): Promise<void> {
    if (this.answering) this.#send({ type: 'response.cancel', event_id: `${haste}cancel` });
    return this.#stopPlaying();
  }

  async #stopPlaying(): Promise<void> {
    for (const { item, content, audioMs } of (await this.parts.flush?.()) ?? []) {
      this.#send({ type: 'conversation.item.truncate', event_id: `${haste}${item}`, item_id: item, content_index: content, audio_end_ms: audioMs });
      this.played(item, audioMs);
    }
  }

  /** Reports how much of an answer was played. */
  protected played(item: string, audioMs: number): void {
    const turn = this.transcript.find(item);
    const text = turn ? this.transcript.heard(turn, audioMs, this.parts.length?.(item) ?? 0) : null;
    this.emit('heard', { itemId: item, audioMs, text });
  }

  mute(value: boolean): void {
    this.muted = value;
    this.parts.mute?.(value);
    this.#changed();
  }

  /** Resolves once the last word is durable, or after `endedWithin`. */
  close(): Promise<void> {
    if (this.state === 'idle' || this.state === 'closed') return Promise.resolve();
    if (this.state === 'connecting') {
      this.connection?.close(); // connect() rejects
      this.#abandon();
      return Promise.resolve();
    }
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#become('closing');
    this.#tools.stop();
    const ended = new Promise<void>((resolve) => (this.#ended = resolve)); // it may end while the sound stops
    await this.#stopPlaying();
    this.parts.stop?.();
    this.#send({ type: 'verbatim.end' });
    await limited(ended, endedWithin).catch(() => {});
    await this.#finish({ code: 1000 });
  }

  #received(event: ServerEvent, audio: Int16Array | undefined): void {
    if (audio) {
      this.emit('audio', { itemId: event.item_id, contentIndex: event.content_index, samples: audio });
      this.parts.play?.(event.item_id, event.content_index, audio);
    }
    switch (event.type) {
      case 'input_audio_buffer.speech_started':
        void this.#stopPlaying();
        break;
      case 'response.created':
      case 'response.done':
        this.answering = event.type === 'response.created';
        this.#changed();
        break;
      case 'verbatim.ending':
        this.emit('ending', event as ServerEvent & SessionEvents['ending']);
        break;
      case 'verbatim.ended':
        void this.#finish({ code: 1000, ended: event.close_reason });
        break;
      case 'error':
        if (!String(event.error?.event_id).startsWith(haste)) this.report(problemOf(event));
        break;
    }
    this.#tools.apply(event);
    if (this.transcript.apply(event, (item) => this.parts.length?.(item) ?? 0)) this.#turnsChanged();
    this.emit('event', event);
  }

  #turnsChanged(): void {
    this.emit('turns', this.turns);
    this.#changed();
    this.parts.changed?.();
  }

  async #finish({ code, reason, error, ended }: End & { ended?: string }): Promise<void> {
    if (this.state === 'closed') return;
    const sessionId = this.sessionId;
    this.transcript.close();
    this.#stopAll();
    await this.parts.finished?.(Boolean(ended));
    this.#become('closed');
    this.emit('turns', this.turns);
    if (error) this.report(error.problem);
    this.#ended?.();
    this.emit('ended', { reason: ended ?? error?.code ?? (reason || `closed (${code})`), sessionId });
  }

  #stopAll(): void {
    this.connection?.close();
    this.parts.stop?.();
    this.#tools.stop();
    this.answering = false;
    this.#connecting = this.#closing = undefined;
    this.#turnSamples = null;
  }

  #become(state: State): void {
    if (this.state === state || (this.state === 'closing' && state !== 'closed')) return;
    this.state = state;
    this.emit('state', state);
    this.#changed();
  }

  protected report(problem: Problem): void {
    this.#problem = problem;
    this.emit('problem', problem);
    this.#changed();
  }

  #changed(): void {
    this.#snapshot = undefined;
    for (const subscriber of this.#subscribers) subscriber(this.snapshot);
  }

  protected emit<K extends keyof SessionEvents>(type: K, detail: SessionEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const waitedFor = {
  token: 'the page’s token function did not answer',
  relay: 'the relay did not answer',
  audio: 'the audio code was not loaded',
};
