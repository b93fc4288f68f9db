// The connection to the relay: one socket at a time. A lost socket is opened again and resumed by the number
// of messages received. Speech and events wait meanwhile, up to a limit.
import { fromBase64, readFrame, toBase64 } from './audio_frame.js';

const pauseMin = 250; // ms; doubles with every failed try
const pauseMax = 8000;
const givenUpAfter = 120_000; // ms without a connection
const audioKept = 24_000 * 20; // samples: 20 s of speech
const eventsKept = 200;

/** Close codes after which the client does not reconnect, and the error code for each. */
const final = {
  1000: 'closed',
  1008: 'refused',
  4000: 'replaced',
  4001: 'limit_reached',
};

export class Connection {
  received = 0; // messages of this attempt, including the relay's own
  sessionId;
  attempt;
  #options;
  #listener;
  #socket;
  #binary = false;
  #waiting = []; // events and Int16Arrays of speech to send
  #audioWaiting = 0;
  #failures = 0;
  #lostAt = 0;
  #timer;
  #first; // resolves or rejects open()
  #done = false;

  /** `listener` has the callbacks event(event, audio), state(state) and end({code, reason, problem}). */
  constructor(options, listener) {
    this.#options = options;
    this.#listener = listener;
    this.sessionId = options.session;
  }

  /** Resolves with the first message. Rejects if the relay refuses or cannot be reached. */
  open() {
    addEventListener('online', this.#online);
    return new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
      this.#dial();
    });
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN && this.attempt !== undefined;
  }

  send(event) {
    if (this.isOpen) this.#socket.send(JSON.stringify(event));
    else if (!this.#done && this.#waiting.length < eventsKept + audioKept / 480) this.#waiting.push(event);
  }

  /** Sends PCM16 at the session's rate. */
  sendAudio(samples) {
    if (this.isOpen) {
      if (this.#binary) this.#socket.send(samples);
      else this.send({ type: 'input_audio_buffer.append', audio: toBase64(samples) });
      return;
    }
    if (this.#done) return;
    this.#waiting.push(samples);
    this.#audioWaiting += samples.length;
    while (this.#audioWaiting > audioKept) {
      const oldest = this.#waiting.findIndex((one) => one instanceof Int16Array);
      this.#audioWaiting -= this.#waiting.splice(oldest, 1)[0].length;
    }
  }

  /** Closes at once; the connection is not opened again. */
  close(code = 1000) {
    if (this.#done) return;
    this.#done = true;
    clearTimeout(this.#timer);
    removeEventListener('online', this.#online);
    this.#release()?.close(code);
  }

  async #dial() {
    const { url, model, token, audio } = this.#options;
    let credential;
    try {
      credential = typeof token === 'function' ? await token() : token;
    } catch (error) {
      return this.#finish({ problem: { code: 'no_token', message: `No token: ${error.message}` } });
    }
    if (this.#done) return;
    const target = new URL(url);
    if (model) target.searchParams.set('model', model);
    if (this.sessionId) target.searchParams.set('session', this.sessionId);
    if (this.attempt !== undefined) target.searchParams.set('after', this.received);
    if (audio !== 'json') target.searchParams.set('audio', 'binary');
    const protocols = ['realtime', 'verbatim.v1'];
    if (credential) protocols.push(`openai-insecure-api-key.${credential}`);
    const socket = new WebSocket(target, protocols);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.credential = credential;
    let greeted = false;
    let refusal; // the relay refuses the upgrade in an event, since a page cannot read its status
    socket.onmessage = ({ data }) => {
      const { event, audio: samples } = typeof data === 'string' ? { event: JSON.parse(data) } : readFrame(data);
      if (!greeted && event.type === 'error' && event.error.status) {
        refusal = event.error;
        return;
      }
      this.received += 1;
      if (event.type === 'verbatim.session') {
        greeted = true;
        this.#greeted(event);
      }
      this.#listener.event(event, samples ?? (isAudio(event) ? fromBase64(event.delta) : undefined));
    };
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket || this.#done) return;
      this.#release();
      this.#lost(code, reason, greeted, refusal);
    };
  }

  #greeted(event) {
    this.received = event.after + 1;
    this.sessionId = event.session_id;
    this.attempt = event.attempt;
    this.#binary = event.audio === 'binary';
    this.#failures = 0;
    this.#lostAt = 0;
    this.#listener.state('open');
    this.#first?.resolve();
    this.#first = undefined;
    const waiting = this.#waiting.splice(0);
    this.#audioWaiting = 0;
    for (const one of waiting) {
      if (one instanceof Int16Array) this.sendAudio(one);
      else this.send(one);
    }
  }

  async #lost(code, reason, greeted, refused) {
    if (final[code] && !refused) return this.#finish({ code, reason, problem: problemOf(code, reason) });
    this.#failures += 1;
    this.#lostAt ||= Date.now();
    // If the relay did not say why it refuses the upgrade, or a proxy did: the answer to an HTTP request with the same
    // credential may have the reason.
    if (!greeted && !(refused && comesBack(refused) && !this.#first)) {
      const problem = refused ? refusalProblem(refused) : await this.#refusal();
      if (this.#done) return;
      if (problem && !(problem.code === 'token_expired' && this.#canRenew())) {
        return this.#finish({ code, reason, problem });
      }
      if (this.#first && !problem) {
        return this.#finish({ code, reason, problem: unreachable(this.#options.url) });
      }
    }
    if (Date.now() - this.#lostAt > givenUpAfter) {
      return this.#finish({ code, reason, problem: unreachable(this.#options.url) });
    }
    this.#listener.state('reconnecting');
    const pause = Math.min(pauseMin * 2 ** (this.#failures - 1), pauseMax);
    this.#timer = setTimeout(() => this.#dial(), pause * (0.5 + Math.random() / 2));
  }

  /**
   * The network is back: dial at once, because the old socket may be dead although it looks open. Do not close
   * the old socket: the relay would end the session. The relay itself closes the older of two connections.
   */
  #online = () => {
    if (this.#done || this.#first) return;
    clearTimeout(this.#timer);
    this.#release();
    this.#listener.state('reconnecting');
    this.#dial();
  };

  #canRenew() {
    return typeof this.#options.token === 'function' && this.#failures < 3;
  }

  async #refusal() {
    const page = new URL(this.#options.url.replace(/^ws/, 'http'));
    page.pathname = page.pathname.replace(/\/realtime$/, `/sessions/${this.sessionId ?? 'none'}`);
    page.search = '';
    try {
      const answer = await fetch(page, {
        headers: this.credential ? { authorization: `Bearer ${this.credential}` } : {},
      });
      if (answer.status === 401) {
        return { code: 'token_expired', message: 'The token is invalid or has expired. Get a new token.' };
      }
      if (answer.status === 403) {
        return { code: 'not_allowed', message: (await answer.json()).detail };
      }
    } catch {
      // The network or the relay is down: retry.
    }
    return undefined;
  }

  #release() {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) socket.onmessage = socket.onclose = null;
    return socket;
  }

  #finish(end) {
    this.close();
    if (this.#first) this.#first.reject(Object.assign(new Error(end.problem?.message ?? 'closed'), end.problem));
    else this.#listener.end(end);
  }
}

/** Whether the same request may be admitted later: the relay is full, restarts, or its disk is in trouble. */
function comesBack({ status }) {
  return status === 409 || status === 429 || status >= 500;
}

function refusalProblem({ status, code, message }) {
  if (status === 401) return { code: 'token_expired', message };
  return { code: status === 403 ? 'not_allowed' : 'refused', message: `${message} (${code})` };
}

function isAudio(event) {
  return event.type === 'response.output_audio.delta';
}

function unreachable(url) {
  return { code: 'unreachable', message: `${new URL(url).host} cannot be reached, or it refuses the connection.` };
}

function problemOf(code, reason) {
  if (code === 1000) return undefined;
  if (code === 4000) {
    return { code: 'replaced', message: 'This conversation was opened elsewhere and continues there.' };
  }
  return { code: final[code], message: reason || `The relay ended the conversation (${code}).` };
}
