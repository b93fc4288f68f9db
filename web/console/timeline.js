// The timeline of an attempt, to scale: a lane for each speaker, and marks where a turn was cut off. A recording can
// be shown below the lanes, on the same axis.
import { drawn, element } from './dom.js';
import { offset, roles, turnStatusWords } from './words.js';

const lanes = { user: 30, assistant: 74, system: 74 };
const height = { lane: 26, whole: 132, axis: 112 };
const left = 84; // px for the lanes' names
const right = 16;
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]; // seconds between marks of the axis
const markWidth = 64; // px per mark of the axis
const pixelsPerSecond = 5; // minimum; a long conversation scrolls
const widest = 20_000;

/** Calls `chosen(turn)` on a click or Enter. `prefix` makes ids unique; `title` names the timeline. */
export class Timeline {
  #prefix;
  #chosen;
  #given = []; // the turns of update()
  #turns = [];
  #recording; // that of showRecording()
  #drawing = drawn('svg', {
    class: 'timeline',
    height: height.whole,
    role: 'listbox',
    'aria-orientation': 'horizontal',
    tabindex: '0',
  });
  #tip = element('p', { class: 'tip', 'aria-hidden': 'true' }, tipless);
  #scene = element('div', { class: 'scene' }, this.#drawing);
  #scroller = element('div', { class: 'scroller' }, this.#scene);
  #words = element('tbody');
  #at = -1;

  constructor({ prefix, title, chosen }) {
    this.#prefix = prefix;
    this.#chosen = chosen;
    this.#drawing.setAttribute('aria-label', `${title} in time; arrow keys move, Enter shows the turn`);
    this.element = element(
      'figure',
      { class: 'timeline-figure' },
      this.#scroller,
      this.#tip,
      inWords(title, this.#words),
    );
    this.#drawing.addEventListener('keydown', (event) => this.#key(event));
    this.#drawing.addEventListener('focus', () => this.#select(Math.max(0, this.#at)));
    this.#drawing.addEventListener('blur', () => this.#showTip(undefined));
    new ResizeObserver(() => this.#draw()).observe(this.#scroller);
  }

  /**
   * Shows `drawing` below the lanes and `controls` below the scale. `draw({x, width, left, right})` is called when the
   * scale has changed; x(time) is a place in the drawing.
   */
  addBelow({ drawing, controls, draw }) {
    this.#scene.append(drawing);
    this.#scroller.after(controls);
    this.#recording = { draw };
    this.update(this.#given);
  }

  /** The recording is from `from` to `to`; `spoken` has the exact times of its turns, by item id. */
  showRecording({ from, to, spoken }) {
    Object.assign(this.#recording, { from, to, spoken });
    this.update(this.#given);
  }

  /** Takes back both. */
  removeRecording({ drawing, controls }) {
    drawing.remove();
    controls.remove();
    this.#recording = undefined;
    this.update(this.#given);
  }

  /** Scrolls until `x` is seen; if it moves on from `before`, only if that is seen. */
  reveal(x, before) {
    const { scrollLeft, clientWidth } = this.#scroller;
    const seen = (place) => place >= scrollLeft && place <= scrollLeft + clientWidth;
    if (!seen(x) && (before === undefined || seen(before))) this.#scroller.scrollLeft = x - left;
  }

  update(turns) {
    this.#given = turns;
    const spoken = this.#recording?.spoken;
    this.#turns = turns.filter(({ startedAt }) => startedAt).map((turn) => span(turn, spoken?.get(turn.itemId)));
    this.element.hidden = this.#turns.length === 0 && !this.#recording;
    this.#draw();
    this.#words.replaceChildren(
      ...this.#turns.map((turn) =>
        element(
          'tr',
          {},
          element('td', {}, offset(turn.from - this.#begin)),
          element('td', {}, offset(turn.to - this.#begin)),
          element('td', {}, roles[turn.role] ?? turn.role),
          element('td', {}, becameOf(turn)),
        ),
      ),
    );
  }

  get #begin() {
    return Math.min(...this.#turns.map(({ from }) => from), this.#recording?.from ?? Infinity);
  }

  get #end() {
    return Math.max(...this.#turns.map(({ to }) => to), this.#recording?.to ?? -Infinity);
  }

  #draw() {
    const begin = this.#begin;
    if (!Number.isFinite(begin) || this.#scroller.clientWidth === 0) return;
    const seconds = Math.max(1, (this.#end - begin) / 1000);
    const width = Math.min(
      widest,
      Math.max(this.#scroller.clientWidth, left + right + seconds * pixelsPerSecond),
    );
    const scale = (width - left - right) / seconds;
    const x = (time) => left + ((time - begin) / 1000) * scale;
    this.#drawing.setAttribute('width', width);
    this.#drawing.setAttribute('viewBox', `0 0 ${width} ${height.whole}`);
    this.#drawing.replaceChildren(
      drawn('g', { 'aria-hidden': 'true' }, axis(seconds, scale), names(width)),
      ...this.#turns.map((turn, at) => this.#bar(turn, at, x)),
    );
    this.#mark();
    this.#recording?.draw({ x, width, left, right });
  }

  #bar(turn, at, x) {
    const y = lanes[turn.role] ?? lanes.system;
    const width = Math.max(3, x(turn.to) - x(turn.from));
    const end = x(turn.from) + width;
    const heardTo = turn.heardTo && Math.min(end, x(turn.heardTo));
    const cut =
      turn.heardTo ?? (turn.status === 'interrupted' || turn.status === 'cancelled' ? turn.to : undefined);
    const cutAt = heardTo ?? end;
    return drawn(
      'g',
      {
        class: `bar ${turn.role} ${turn.status}`,
        role: 'option',
        id: this.#idOf(turn),
        'aria-selected': 'false',
        'aria-label': this.#describe(turn),
        on: {
          mouseenter: () => this.#showTip(turn),
          mouseleave: () => this.#showTip(undefined),
          click: () => this.#choose(at),
        },
      },
      drawn('rect', {
        x: x(turn.from),
        y,
        width,
        height: height.lane,
        rx: 3,
        class: heardTo ? 'unheard' : 'speech',
      }),
      heardTo &&
        drawn('rect', {
          x: x(turn.from),
          y,
          width: Math.max(2, heardTo - x(turn.from)),
          height: height.lane,
          rx: 3,
          class: 'speech',
        }),
      cut &&
        drawn('path', {
          class: 'cut',
          d: `M${cutAt} ${y - 6}v${height.lane + 12}m-4 ${-height.lane - 12}h8`,
        }),
    );
  }

  #idOf({ ordinal }) {
    return `${this.#prefix}-${ordinal}-bar`;
  }

  #describe(turn) {
    const words = turn.text.length > 120 ? `${turn.text.slice(0, 120)}…` : turn.text;
    return (
      `${offset(turn.from - this.#begin)} to ${offset(turn.to - this.#begin)}, ` +
      `${roles[turn.role] ?? turn.role}, ${becameOf(turn)}: ${words || 'no words'}`
    );
  }

  #showTip(turn) {
    this.#tip.textContent = turn ? this.#describe(turn) : tipless;
  }

  #key(event) {
    const last = this.#turns.length - 1;
    const to = { ArrowRight: this.#at + 1, ArrowLeft: this.#at - 1, Home: 0, End: last }[event.key];
    if (to !== undefined) this.#select(Math.min(last, Math.max(0, to)));
    else if (event.key === 'Enter' || event.key === ' ') this.#choose(this.#at);
    else return;
    event.preventDefault();
  }

  #select(at) {
    this.#at = at;
    this.#mark();
    this.#showTip(this.#turns[at]);
    this.#bars[at]?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  #choose(at) {
    this.#at = at;
    this.#mark();
    if (this.#turns[at]) this.#chosen(this.#turns[at]);
  }

  get #bars() {
    return [...this.#drawing.querySelectorAll('.bar')];
  }

  #mark() {
    this.#bars.forEach((bar, at) => bar.setAttribute('aria-selected', String(at === this.#at)));
    const id = this.#turns[this.#at] && this.#idOf(this.#turns[this.#at]);
    if (id) this.#drawing.setAttribute('aria-activedescendant', id);
    else this.#drawing.removeAttribute('aria-activedescendant');
  }
}

const tipless = 'Point at a turn, or press the arrow keys.';

/**
 * Start and end of a turn. An answer is generated faster than it plays: its bar is as long as its audio, and that of
 * one that was talked over shows how much was heard. `spoken` is its time in the recording, if there is one.
 */
function span(turn, spoken) {
  const from = spoken?.from ?? Date.parse(turn.startedAt);
  const made = spoken?.to ?? Math.max(from, Date.parse(turn.endedAt ?? new Date().toISOString()));
  const played = turn.audio_ms ? from + turn.audio_ms : made;
  const heardTo = turn.status === 'truncated' && turn.heard ? from + turn.heard.audioMs : undefined;
  return { ...turn, from, heardTo, to: Math.max(played, heardTo ?? played) };
}

function becameOf(turn) {
  if (turn.heardTo) return `talked over after ${offset(turn.heard.audioMs)}`;
  return turnStatusWords(turn);
}

function axis(seconds, scale) {
  const step = steps.find((each) => each * scale >= markWidth) ?? steps.at(-1);
  const marks = [];
  for (let second = 0; second <= seconds; second += step) {
    const x = left + second * scale;
    marks.push(
      drawn('line', { x1: x, x2: x, y1: 18, y2: height.axis, class: 'grid' }),
      drawn(
        'text',
        { x, y: height.axis + 15, 'text-anchor': 'middle', class: 'axis' },
        offset(second * 1000),
      ),
    );
  }
  return marks;
}

function names(width) {
  return [
    ['User', lanes.user],
    ['Assistant', lanes.assistant],
  ].flatMap(([name, y]) => [
    drawn('line', {
      x1: left,
      x2: width - right,
      y1: y + height.lane / 2,
      y2: y + height.lane / 2,
      class: 'lane',
    }),
    drawn('text', { x: 4, y: y + height.lane / 2 + 4, class: 'lane-name' }, name),
  ]);
}

function inWords(title, rows) {
  return element(
    'details',
    { class: 'in-words' },
    element('summary', {}, 'Show as a table'),
    element(
      'div',
      { class: 'scroller', tabindex: '0', role: 'region', 'aria-label': `${title} in time, as a table` },
      element(
        'table',
        {},
        element(
          'thead',
          {},
          element(
            'tr',
            {},
            ['From', 'To', 'Who', 'Status'].map((name) => element('th', { scope: 'col' }, name)),
          ),
        ),
        rows,
      ),
    ),
  );
}
