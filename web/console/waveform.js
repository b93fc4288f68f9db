// The loudness of both speakers over time, on the axis of the timeline.
import { drawn, element } from './dom.js';

const lanes = { user: 26, assistant: 76 }; // the middle of each
const half = 22; // of a lane
const height = 102;
const column = 3; // px from one stroke to the next
const loudest = 255;

/** The height of a value, from 0 to 1. Quiet speech is seen as well, as it is heard. */
export const heightOf = (value) => Math.sqrt(value / loudest);

/** A stroke for each column: its largest value. `x(ms)` is a place; `perSecond` values a second. */
export function strokes(values, perSecond, x, middle) {
  const begin = x(0);
  const scale = x(1000) - begin; // px per second
  const columns = Math.ceil(((values.length / perSecond) * scale) / column);
  let path = '';
  for (let at = 0; at < columns; ++at) {
    const from = Math.floor(((at * column) / scale) * perSecond);
    const to = Math.min(values.length, Math.max(from + 1, Math.ceil((((at + 1) * column) / scale) * perSecond)));
    let most = 0;
    for (let each = from; each < to; ++each) most = Math.max(most, values[each]);
    if (most === 0) continue;
    const tall = Math.max(0.5, heightOf(most) * half);
    path += `M${(begin + at * column + 1).toFixed(1)} ${(middle - tall).toFixed(1)}v${(2 * tall).toFixed(1)}`;
  }
  return path;
}

/** A slider: `seek(ms)` is called for a click on it. Keys are those of the player. */
export class Waveform {
  #drawing = drawn('svg', {
    class: 'wave',
    height,
    role: 'slider',
    tabindex: '0',
    'aria-label': 'Position in the recording',
    'aria-valuemin': '0',
    'aria-valuemax': '0',
    'aria-valuenow': '0',
    'aria-disabled': 'true',
  });
  #unplayed = element('div', { class: 'unplayed' });
  #head = element('div', { class: 'playhead', hidden: true });
  #peaks;
  #x = () => 0; // ms -> px

  constructor({ seek }) {
    this.element = element('div', { class: 'waves' }, this.#drawing, this.#unplayed, this.#head);
    this.#drawing.addEventListener('click', ({ clientX }) => {
      if (this.#peaks) seek(this.#timeAt(clientX - this.#drawing.getBoundingClientRect().left));
    });
  }

  get slider() {
    return this.#drawing;
  }

  show(peaks) {
    this.#peaks = peaks;
    this.#drawing.removeAttribute('aria-disabled');
    this.#drawing.setAttribute('aria-valuemax', String(Math.round(peaks.duration / 1000)));
    this.#head.hidden = false;
  }

  disable() {
    this.#peaks = undefined;
    this.#drawing.setAttribute('aria-disabled', 'true');
  }

  /** `x(ms)`: the place of a time of the recording. */
  draw({ x, width, left, right }) {
    this.#x = x;
    this.#drawing.setAttribute('width', width);
    this.#drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#drawing.replaceChildren(
      ...Object.entries(lanes).flatMap(([who, middle]) => [
        drawn('line', { class: 'lane', x1: left, x2: width - right, y1: middle, y2: middle }),
        drawn('text', { class: 'lane-name', x: 4, y: middle + 4 }, names[who]),
        this.#peaks && drawn('path', { class: `strokes ${who}`, d: strokes(this.#peaks[who], this.#peaks.perSecond, x, middle) }),
      ]).filter(Boolean),
    );
  }

  /** Moves the playhead, and returns its place. */
  move(ms, words) {
    const x = this.#x(ms);
    this.#drawing.setAttribute('aria-valuenow', String(Math.round(ms / 1000)));
    this.#drawing.setAttribute('aria-valuetext', words);
    this.#head.style.transform = `translateX(${x}px)`;
    this.#unplayed.style.left = `${x}px`;
    return x;
  }

  #timeAt(x) {
    const begin = this.#x(0);
    return ((x - begin) / (this.#x(1000) - begin)) * 1000;
  }
}

const names = { user: 'User', assistant: 'Assistant' };
