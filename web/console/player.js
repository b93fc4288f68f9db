// The player of an attempt's recording: its waveform below the timeline, and its controls.
import { Refused, call, read, sessionPath } from './api.js';
import { choice, element, labelled, problem } from './dom.js';
import { download } from './exports.js';
import { RecordedSound } from './recorded-sound.js';
import { menu, toast } from './ui.js';
import { Waveform } from './waveform.js';
import { offset } from './words.js';

const step = 5_000; // ms, of an arrow key
const page = 30_000; // ms, of PageUp and PageDown
const lookEvery = 250; // ms between looks at the position, with reduced motion
const speeds = ['0.75', '1', '1.25', '1.5', '1.75', '2'];
const formats = [
  ['wav', 'WAV, exact'],
  ['flac', 'FLAC, exact and smaller'],
  ['opus', 'Opus, small'],
];
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

export class Player {
  /** The ids of the items that are in the recording. */
  items = new Set();
  #id;
  #number;
  #begin; // ms: of the attempt, then of its recording
  #timeline;
  #signal;
  #speaking; // the callback
  #marked = '';
  #sound;
  #spoken = []; // [{item_id, from_ms, to_ms}]
  #next; // the timer or frame of the next look
  #place; // px, of the last look; undefined: it jumps
  #play = element('button', { type: 'button', class: 'play', 'aria-keyshortcuts': 'Space', disabled: true }, 'Play');
  #clock = element('span', { class: 'clock' }, '0:00');
  #speed = choice({ disabled: true }, speeds.map((one) => [one, `${one}×`]), '1');
  #downloads;
  #trouble = element('div');
  #wave = new Waveform({ seek: (ms) => this.seek(ms) });
  #parts;

  /**
   * `startedAt`: of the attempt. `speaking(items)` is called with the set of item ids that are heard now, when it has
   * changed.
   */
  constructor({ id, number, startedAt, timeline, signal, speaking }) {
    this.#id = id;
    this.#number = number;
    this.#begin = Date.parse(startedAt);
    this.#timeline = timeline;
    this.#signal = signal;
    this.#speaking = speaking;
    this.#downloads = menu('Download', formats.map(([format, words]) => this.#downloadButton(format, words)), { class: 'left' });
    const controls = element(
      'div',
      { class: 'player', role: 'group', 'aria-label': `Recording of attempt ${number}` },
      element(
        'div',
        { class: 'buttons' },
        this.#play,
        this.#clock,
        labelled('Speed', this.#speed),
        this.#downloads,
        element('span', { class: 'hint keys' }, 'Space plays and pauses, ← and → move by 5 s.'),
      ),
      this.#trouble,
    );
    this.#parts = { drawing: this.#wave.element, controls };
    this.#play.addEventListener('click', () => this.#toggle());
    this.#speed.addEventListener('change', () => (this.#sound.speed = Number(this.#speed.value)));
    for (const part of [this.#wave.slider, this.#play]) part.addEventListener('keydown', (event) => this.#key(event));
    signal.addEventListener('abort', () => this.#stopLooking());
  }

  /** Shows the player, then its waveform. Returns whether there is a recording. */
  async open() {
    const { drawing, controls } = this.#parts;
    this.#timeline.addBelow({ drawing, controls, draw: (scale) => this.#draw(scale) });
    for (;;) {
      try {
        this.#show(await read(`${this.#path}/peaks?attempt=${this.#number}`, { signal: this.#signal }));
        return true;
      } catch (error) {
        if (this.#signal.aborted) return false;
        if (error instanceof Refused && (error.status === 404 || error.status === 409)) {
          this.#timeline.removeRecording(this.#parts);
          return false;
        }
        await this.#again(error);
      }
    }
  }

  /** Plays from the begin of an item; pauses if it is the one that is heard. */
  playItem(item) {
    const spoken = this.#spoken.find(({ item_id: one }) => one === item);
    if (!spoken || !this.#sound) return;
    const at = this.#sound.position;
    if (this.#sound.playing && at >= spoken.from_ms && at < spoken.to_ms) {
      this.#sound.pause();
      return;
    }
    this.seek(spoken.from_ms);
    if (!this.#sound.playing) this.#sound.play();
  }

  seek(ms) {
    this.#place = undefined;
    this.#sound?.seek(ms);
  }

  get #path() {
    return `${sessionPath(this.#id)}/recording`;
  }

  #show({ starts_at_ms: starts, duration_ms: duration, per_second: perSecond, user, assistant, spoken }) {
    const from = this.#begin + starts;
    const peaks = { duration, perSecond, user, assistant };
    this.#spoken = spoken;
    this.items = new Set(spoken.map(({ item_id: item }) => item));
    this.#sound = new RecordedSound({
      path: `${this.#path}?attempt=${this.#number}`,
      peaks,
      signal: this.#signal,
      changed: () => this.#look(),
      failed: (words, over) => this.#fail(words, over),
    });
    this.#parts.controls.append(...this.#sound.elements);
    this.#wave.show(peaks);
    for (const one of [this.#play, this.#speed]) one.disabled = false;
    this.#begin = from;
    const times = spoken.map(({ item_id: item, from_ms: begin, to_ms: end }) => [item, { from: from + begin, to: from + end }]);
    this.#timeline.showRecording({ from, to: from + duration, spoken: new Map(times) });
  }

  #draw(scale) {
    this.#wave.draw({ ...scale, x: (ms) => scale.x(this.#begin + ms) });
    this.#look();
  }

  /** Shows the position, again and again while it plays. */
  #look() {
    this.#stopLooking();
    if (!this.#sound) return;
    const { position, duration, playing, waiting } = this.#sound;
    const words = `${offset(position)} of ${offset(duration)}`;
    this.#clock.textContent = `${offset(position)} / ${offset(duration)}`;
    this.#play.textContent = playing ? 'Pause' : 'Play';
    this.#play.setAttribute('aria-busy', String(waiting));
    const x = this.#wave.move(position, words);
    if (x !== this.#place) this.#timeline.reveal(x, this.#place);
    if (playing) {
      this.#trouble.replaceChildren();
      this.#next = reducedMotion.matches
        ? { timer: setTimeout(() => this.#look(), lookEvery) }
        : { frame: requestAnimationFrame(() => this.#look()) };
    }
    this.#place = x;
    this.#mark(position, playing || position > 0);
  }

  #stopLooking() {
    clearTimeout(this.#next?.timer);
    cancelAnimationFrame(this.#next?.frame);
  }

  #mark(position, begun) {
    const items = this.#spoken
      .filter(({ from_ms: from, to_ms: to }) => begun && position >= from && position < to)
      .map(({ item_id: item }) => item);
    if (items.join() === this.#marked) return;
    this.#marked = items.join();
    this.#speaking(new Set(items));
  }

  #toggle() {
    if (this.#sound.playing) this.#sound.pause();
    else this.#sound.play();
  }

  #key(event) {
    if (!this.#sound || this.#play.disabled) return;
    const { position, duration } = this.#sound;
    const to = {
      ArrowLeft: position - step,
      ArrowRight: position + step,
      ArrowDown: position - step,
      ArrowUp: position + step,
      PageDown: position - page,
      PageUp: position + page,
      Home: 0,
      End: duration,
    }[event.key];
    if (to !== undefined) this.seek(to);
    else if (event.key === ' ' && event.currentTarget !== this.#play) this.#toggle(); // a button does so itself
    else return;
    event.preventDefault();
  }

  #fail(words, over) {
    this.#trouble.replaceChildren(problem(words));
    if (!over) return;
    for (const one of [this.#play, this.#speed]) one.disabled = true;
    this.#downloads.remove();
    this.#wave.disable();
  }

  /** Waits for a click on a button. */
  #again(error) {
    return new Promise((resolve) => {
      const again = element('button', { type: 'button' }, 'Try again');
      again.addEventListener('click', () => {
        this.#trouble.replaceChildren();
        resolve();
      });
      this.#trouble.replaceChildren(problem(`${error.message} `, again));
    });
  }

  #downloadButton(format, words) {
    const button = element('button', { type: 'button' }, words);
    button.addEventListener('click', async () => {
      const name = `${this.#id}-${this.#number}.${format}`;
      button.disabled = true;
      toast(`${name} is being fetched.`);
      try {
        const answer = await call(`${this.#path}?attempt=${this.#number}&format=${format}`, { signal: this.#signal, cache: 'no-store' });
        download(await answer.blob(), name);
        toast(`${name} is in your downloads.`);
      } catch (error) {
        // An answer that ends early has an error of the browser, which says nothing to a user.
        const words = error instanceof Refused ? error.message : 'The recording ended too early: it was erased, or the relay is away.';
        if (!this.#signal.aborted) toast(words, 'bad');
      } finally {
        button.disabled = false;
      }
    });
    return button;
  }
}
