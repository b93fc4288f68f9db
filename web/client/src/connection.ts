// The connection to the relay: one socket at a time. A lost socket is opened again and resumed by the number
// of messages received. Speech and events wait meanwhile, up to a limit.
import type { ServerEvent, SessionOptions } from '../core.d.ts';
import { fromBase64, readFrame, toBase64 } from './audio_frame.ts';
import { errorFrom, finalClose, refusalOf, VerbatimError } from './errors.ts';
import { watchPolicy } from './page_policy.ts';
import { askForRefusal } from './refusal.ts';
import { Waiting } from './waiting.ts';

const pauseMin = 250; // ms; doubles with every failed try
const pauseMax = 8000;
const dialMax = 15_000; // ms that one try may take
const closeMax = 1000; // ms from an error of the socket to its close
const givenUpAfter = 120_000; // ms without a connection

export interface End {
  code?: number;
  reason?: string;
  error?: VerbatimError;
}

export interface ConnectionListener {
  event(event: ServerEvent, audio: Int16Array | undefined): void;
  /** A new or resumed connection; before anything that waited is sent. */
  greeted(event: ServerEvent): void;
  lost(): void;
  end(end: End): void;
}

type Options = SessionOptions & { url: string };

export class Connection {
  sessionId: string | undefined;
  attempt: number | undefined;
  credential: string | undefined;
  /** The connection waits for this. */
  stage: 'token' | 'relay' = 'token';
  #received = 0; // messages of this attempt, including the relay's own
  #options: Options;
  #listener: ConnectionListener;
  #socket: WebSocket | undefined;
  #binary = false;
  #waiting = new Waiting();
  #failures = 0;
  #lostAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #limit: ReturnType<typeof setTimeout> | undefined;
  #dials = 0;
  #greetedNow = false; // on the present socket
  #unwatch: (() => void) | undefined;
  #first: { resolve(): void; reject(error: VerbatimError): void } | undefined; // of open()
  #done = false;

  constructor(options: Options, listener: ConnectionListener) {
    this.#options = options;
    this.#listener = listener;
    this.sessionId = options.session;
  }

  /** Resolves with the first message. Rejects if the relay refuses or cannot be reached, or after close(). */
  open(): Promise<void> {
    globalThis.addEventListener?.('online', this.#online);
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      this.#dial();
    });
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === 1 && this.attempt !== undefined;
  }

  send(event: object): void {
    if (this.isOpen) this.#socket!.send(JSON.stringify(event));
    else if (!this.#done) this.#waiting.event(event);
  }

  /** Sends PCM16 at the session's rate. */
  sendAudio(samples: Int16Array): void {
    if (!this.isOpen) {
      if (!this.#done) this.#waiting.audio(samples);
    } else if (this.#binary) {
      this.#socket!.send(samples as Int16Array<ArrayBuffer>);
    } else {
      this.send({ type: 'input_audio_buffer.append', audio: toBase64(samples) });
    }
  }

  /** Closes at once; the connection is not opened again. */
  close(code = 1000): void {
    if (this.#done) return;
    this.#done = true;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.('online', this.#online);
    this.#release()?.close(code);
    this.#first?.reject(new VerbatimError('aborted'));
    this.#first = undefined;
  }

  async #dial(): Promise<void> {
    let socket: WebSocket;
    const number = ++this.#dials;
    this.#greetedNow = false;
    // The page limits the first try.
    if (!this.#first) this.#limit = setTimeout(() => this.#lost(1006, 'no answer', undefined), dialMax);
    try {
      const { host } = new URL(this.#options.url);
      this.stage = 'token';
      this.credential = await this.#token();
      if (this.#done || number !== this.#dials) return;
      this.stage = 'relay';
      this.#unwatch = watchPolicy(host, (reason) =>
        this.#finish({ error: new VerbatimError('blocked_by_policy', { reason, message: `The policy of this page forbids ${host}.` }) }));
      socket = this.#openSocket();
    } catch (error) {
      if (this.#done || number !== this.#dials) return;
      return this.#finish({ error: errorFrom(error, this.stage === 'token' ? 'no_token' : 'invalid_options') });
    }
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    let refusal: VerbatimError | undefined;
    socket.onmessage = ({ data }) => {
      const { event, audio } = read(data);
      if (!this.#greetedNow && event.type === 'error' && event.error?.status) {
        refusal = refusalOf(event.error);
        return;
      }
      this.#received += 1;
      if (event.type === 'verbatim.session') this.#greeted(event);
      this.#listener.event(event, audio);
    };
    socket.onclose = ({ code, reason }) => this.#lost(code, reason, refusal);
    socket.onerror = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#lost(1006, 'the socket failed', refusal), closeMax);
    };
  }

  async #token(): Promise<string | undefined> {
    const { token } = this.#options;
    return typeof token === 'function' ? token() : token;
  }

  #openSocket(): WebSocket {
    const { url, model, audio } = this.#options;
    const target = new URL(url);
    if (model) target.searchParams.set('model', model);
    if (this.sessionId) target.searchParams.set('session', this.sessionId);
    if (this.attempt !== undefined) target.searchParams.set('after', String(this.#received));
    if (audio !== 'json') target.searchParams.set('audio', 'binary');
    const protocols = ['realtime', 'verbatim.v1'];
    if (this.credential) protocols.push(`openai-insecure-api-key.${this.credential}`);
    return new WebSocket(target, protocols);
  }

  #greeted(event: ServerEvent): void {
    clearTimeout(this.#limit);
    this.#unwatch?.();
    this.#greetedNow = true;
    this.#received = event.after + 1;
    this.sessionId = event.session_id;
    this.attempt = event.attempt;
    this.#binary = event.audio === 'binary';
    this.#failures = 0;
    this.#lostAt = 0;
    this.#listener.greeted(event);
    this.#first?.resolve();
    this.#first = undefined;
    for (const one of this.#waiting.take()) {
      if (one instanceof Int16Array) this.sendAudio(one);
      else this.send(one);
    }
  }

  async #lost(code: number, reason: string, refusal: VerbatimError | undefined): Promise<void> {
    const greeted = this.#greetedNow;
    // An open socket stays: the relay would end the session, and it closes the older of two connections itself.
    const left = this.#release();
    const number = this.#dials;
    if (left?.readyState === 0) left.close();
    const end = refusal ? undefined : finalClose(code, reason);
    if (end !== undefined) return this.#finish({ code, reason, ...(end && { error: end }) });
    this.#failures += 1;
    this.#lostAt ||= Date.now();
    if (!greeted && !(comesBack(refusal) && !this.#first)) {
      // If the relay did not say why it refuses the upgrade, or a proxy did: the answer to an HTTP request with the
      // same credential may have the reason.
      const error = refusal ?? (this.stage === 'relay' ? await askForRefusal(this.#options.url, this.sessionId, this.credential) : undefined);
      if (this.#done || number !== this.#dials) return; // the network came back, and another try began
      if (error && !(error.code === 'token_expired' && this.#canRenew())) return this.#finish({ code, reason, error });
      if (this.#first && !error) return this.#finish({ code, reason, error: this.#unreachable() });
    }
    if (Date.now() - this.#lostAt > givenUpAfter) return this.#finish({ code, reason, error: this.#unreachable() });
    this.#listener.lost();
    const pause = Math.min(pauseMin * 2 ** (this.#failures - 1), pauseMax);
    this.#timer = setTimeout(() => this.#dial(), pause * (0.5 + Math.random() / 2));
  }

  #unreachable(): VerbatimError {
    return new VerbatimError('unreachable', {
      message: `${new URL(this.#options.url).host} cannot be reached, or it refuses the connection.`,
    });
  }

  /**
   * The network is back: dial at once, because the old socket may be dead although it looks open. Do not close
   * the old socket: the relay would end the session. The relay itself closes the older of two connections.
   */
  #online = (): void => {
    if (this.#done || this.#first) return;
    clearTimeout(this.#timer);
    this.#release();
    this.#listener.lost();
    this.#dial();
  };

  #canRenew(): boolean {
    return typeof this.#options.token === 'function' && this.#failures < 3;
  }

  #release(): WebSocket | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#dials += 1; // a try that still waits for its token is stale
    clearTimeout(this.#limit);
    clearTimeout(this.#timer);
    this.#unwatch?.();
    if (socket) socket.onmessage = socket.onclose = socket.onerror = null;
    return socket;
  }

  #finish(end: End): void {
    const first = this.#first;
    this.#first = undefined;
    this.close();
    if (first) first.reject(end.error ?? new VerbatimError('unreachable', { ...(end.reason ? { reason: end.reason } : {}) }));
    else this.#listener.end(end);
  }
}

function read(data: unknown): { event: ServerEvent; audio: Int16Array | undefined } {
  if (typeof data !== 'string') return readFrame(data as ArrayBuffer);
  const event: ServerEvent = JSON.parse(data);
  return { event, audio: event.type === 'response.output_audio.delta' ? fromBase64(event.delta) : undefined };
}

/** Whether the same request may be admitted later: the relay is full, restarts, or its disk is in trouble. */
function comesBack(refusal: VerbatimError | undefined): boolean {
  const status = refusal?.status ?? 0;
  return status === 409 || status === 429 || status >= 500;
}
