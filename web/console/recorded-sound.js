// Plays a recording of any length while a few seconds of it are in memory. An <audio> element cannot send the key, and
// an hour of WAV has 350 MB. So ranges of the file are fetched as pieces, which two elements play in turn. A piece ends
// in a pause of speech, so that the change of elements is not heard.
import { Refused, call } from './api.js';
import { element } from './dom.js';

const headBytes = 44; // of a WAV file
const pieceMin = 8_000; // ms
const pieceMax = 20_000; // ms
const pauseMs = 200; // the quietest stretch of this length is a pause
const pauses = [500, 1000, 2000]; // ms between tries
const notPlayable = 'This browser cannot play the recording.';
const lastMoment = 50; // ms; nothing is played from there on

let sounding; // the recording that was played last: only one plays at a time

/** The end of a piece that begins at `from`: a moment at which both speakers are quiet. All in milliseconds. */
export function endOfPiece(from, { duration, perSecond, user, assistant }) {
  if (from + pieceMax >= duration) return duration;
  const valueAt = (ms) => Math.floor((ms / 1000) * perSecond);
  const around = Math.max(1, Math.round((pauseMs / 2000) * perSecond));
  const loudness = (at) => Math.max(user[at] ?? 0, assistant[at] ?? 0);
  let best = { sum: Infinity, at: valueAt(from + pieceMax) };
  for (let at = valueAt(from + pieceMin); at <= valueAt(from + pieceMax); ++at) {
    let sum = 0;
    for (let near = at - around; near <= at + around; ++near) sum += loudness(near);
    if (sum < best.sum) best = { sum, at };
  }
  return Math.max(from + 1000, ((best.at + 0.5) / perSecond) * 1000);
}

export class RecordedSound {
  #path;
  #peaks;
  #changed;
  #failed;
  #file; // {tag, head, rate, frameBytes}, from the first answer
  #elements;
  #inUse = 0; // the element of the piece
  #piece; // {from, to, url}: in the element that is in use
  #next; // a promise of the piece after it
  #wanted = 0; // ms; the position while there is no piece
  #asked = false; // it is to play
  #waiting = false;
  #loading = new AbortController(); // of the pieces since the last jump
  #speed = 1;

  /**
   * `peaks`: {duration, perSecond, user, assistant}. `changed()` is called when it plays, waits or pauses;
   * `failed(words, over)` if it cannot go on, `over` if it never will.
   */
  constructor({ path, peaks, signal, changed, failed }) {
    this.#path = path;
    this.#peaks = peaks;
    this.#changed = changed;
    this.#failed = failed;
    this.#elements = [0, 1].map(() => element('audio', { preload: 'auto' }));
    for (const one of this.#elements) {
      const mine = (work) => () => one === this.#element && this.#piece && !signal.aborted && work();
      one.addEventListener('ended', mine(() => this.#goOn()));
      one.addEventListener('error', mine(() => this.#fail(notPlayable, true)));
      // By the system: a headset, a call.
      one.addEventListener('pause', mine(() => one.ended || this.#waiting || this.#set(false)));
      one.addEventListener('play', mine(() => this.#set(true)));
    }
    signal.addEventListener('abort', () => this.#close());
  }

  /** The <audio> elements, for the document. */
  get elements() {
    return this.#elements;
  }

  get playing() {
    return this.#asked;
  }

  get waiting() {
    return this.#asked && this.#waiting;
  }

  get duration() {
    return this.#peaks.duration;
  }

  /** ms */
  get position() {
    if (!this.#piece) return this.#wanted;
    return Math.min(this.#piece.to, this.#piece.from + this.#element.currentTime * 1000);
  }

  set speed(speed) {
    this.#speed = speed;
    for (const one of this.#elements) one.defaultPlaybackRate = one.playbackRate = speed;
  }

  get #element() {
    return this.#elements[this.#inUse];
  }

  play() {
    if (sounding !== this) sounding?.pause();
    sounding = this;
    // Safari lets an element play that was loaded by a click.
    for (const one of this.#elements) if (!one.src) one.load();
    this.#asked = true;
    if (this.position >= this.duration - lastMoment) this.#jump(0);
    else if (this.#piece) this.#start();
    else this.#jump(this.#wanted);
    this.#changed();
  }

  pause() {
    this.#asked = false;
    this.#element.pause();
    this.#changed();
  }

  /** Goes to a position, and plays on if it plays. */
  seek(ms) {
    const to = Math.max(0, Math.min(ms, this.duration - lastMoment));
    const piece = this.#piece;
    if (piece && to >= piece.from && to < piece.to - lastMoment) {
      this.#element.currentTime = (to - piece.from) / 1000;
      if (this.#asked) this.#start();
    } else if (this.#asked) this.#jump(to);
    else {
      this.#drop();
      this.#wanted = to;
    }
    this.#changed();
  }

  #set(asked) {
    this.#asked = asked;
    this.#changed();
  }

  #start() {
    this.#element.play().catch((error) => {
      if (error.name === 'NotAllowedError') this.#fail('The browser does not allow sound yet. Press Play again.');
      else if (error.name === 'NotSupportedError') this.#fail(notPlayable, true);
      // Otherwise a pause or a jump came between.
    });
  }

  /** Fetches the piece at this position, and plays it if it is to play. */
  async #jump(ms) {
    this.#drop();
    this.#wanted = ms;
    await this.#use(this.#fetchPiece(ms, this.#loading.signal));
  }

  /** The piece is over: the next one follows. */
  async #goOn() {
    if (!this.#next) {
      this.#set(false);
      return;
    }
    const { to } = this.#piece;
    const { signal } = this.#loading;
    // It was fetched early: the relay may be back by now.
    await this.#use(this.#next.catch(() => this.#fetchPiece(to, signal)));
  }

  /** Takes the promised piece into use. */
  async #use(promised) {
    const { signal } = this.#loading;
    this.#waiting = true;
    this.#changed();
    try {
      const { piece, place } = await promised;
      if (signal.aborted) return;
      if (this.#piece) URL.revokeObjectURL(this.#piece.url);
      this.#inUse = place;
      this.#piece = piece;
      this.#waiting = false;
      this.#next = piece.to < this.duration ? this.#fetchPiece(piece.to, signal) : undefined;
      this.#next?.catch(() => {}); // reported when its turn comes
      if (this.#asked) this.#start();
      this.#changed();
    } catch (error) {
      if (!signal.aborted) this.#report(error);
    }
  }

  /** A piece in the element that is not in use. */
  async #fetchPiece(from, signal) {
    const place = this.#piece ? 1 - this.#inUse : this.#inUse;
    const piece = await this.#made(from, signal);
    signal.throwIfAborted();
    const one = this.#elements[place];
    one.src = piece.url;
    one.defaultPlaybackRate = one.playbackRate = this.#speed;
    signal.addEventListener('abort', () => URL.revokeObjectURL(piece.url));
    return { piece, place };
  }

  async #made(from, signal) {
    this.#file ??= await this.#readHead(signal);
    const { rate, frameBytes } = this.#file;
    const first = Math.round((from * rate) / 1000);
    const last = Math.max(first + 1, Math.round((endOfPiece(from, this.#peaks) * rate) / 1000));
    const { bytes } = await this.#read(headBytes + first * frameBytes, headBytes + last * frameBytes - 1, signal);
    const frames = Math.floor(bytes.byteLength / frameBytes);
    const url = URL.createObjectURL(new Blob([headFor(this.#file.head, bytes.byteLength), bytes], { type: 'audio/wav' }));
    const atEnd = first + frames < last || last / rate >= this.duration / 1000;
    return { url, from: (first * 1000) / rate, to: atEnd ? this.duration : (last * 1000) / rate };
  }

  async #readHead(signal) {
    const { bytes, answer } = await this.#read(0, headBytes - 1, signal);
    const head = new DataView(bytes);
    return { head, tag: answer.headers.get('etag'), rate: head.getUint32(24, true), frameBytes: head.getUint16(32, true) };
  }

  /** These bytes of the file. Tries again while the relay is away or busy. */
  async #read(first, last, signal) {
    const headers = { range: `bytes=${first}-${last}`, ...(this.#file ? { 'if-range': this.#file.tag } : {}) };
    for (let tries = 0; ; ++tries) {
      try {
        // The browser must not keep what the relay erases.
        const answer = await call(this.#path, { headers, signal, cache: 'no-store' });
        if (answer.status !== 206) {
          answer.body?.cancel().catch(() => {}); // it would be the whole file
          throw new Refused(416, '');
        }
        return { answer, bytes: await answer.arrayBuffer() };
      } catch (error) {
        // The body of an answer may end early as well: the next try shows why.
        const status = error instanceof Refused ? error.status : 0;
        const passes = status === 0 || status === 429 || status >= 500;
        if (signal.aborted || !passes || tries === pauses.length) throw error instanceof Refused ? error : new Refused(0, '');
        await new Promise((resolve) => setTimeout(resolve, pauses[tries]));
      }
    }
  }

  #report({ status, message }) {
    if (status === 404) this.#fail('The recording has been erased or has expired. It cannot be played any more.', true);
    else if (status === 416) this.#fail('The recording has changed. Reload the page to hear it.', true);
    else this.#fail(status === 0 ? 'The relay cannot be reached. Press Play to try again.' : message);
  }

  #fail(words, over = false) {
    const at = this.position;
    this.#asked = false;
    this.#drop();
    this.#wanted = at;
    this.#failed(words, over);
    this.#changed();
  }

  /** Leaves the pieces, and makes their loads void. */
  #drop() {
    this.#loading.abort();
    this.#loading = new AbortController();
    this.#waiting = false;
    this.#piece = undefined;
    this.#next = undefined;
    for (const one of this.#elements) one.pause();
  }

  #close() {
    this.#asked = false;
    this.#drop();
    if (sounding === this) sounding = undefined;
    for (const one of this.#elements) one.removeAttribute('src');
  }
}

/** The head of a WAV file with this many bytes of samples. */
function headFor(head, bytes) {
  const made = new DataView(head.buffer.slice(0));
  made.setUint32(4, bytes + headBytes - 8, true);
  made.setUint32(40, bytes, true);
  return made;
}
