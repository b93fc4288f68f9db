// Charts of lines and events over the last minutes. Each has a summary in words and a table of its numbers.
import { drawn, element } from './dom.js';

const edge = { left: 60, right: 4, top: 10, bottom: 24 };
const plotHeight = 120;
const rowsShown = 12; // in the table

/** A drawing as wide as its container, so that text keeps its size. Redrawn when the width changes. */
class Drawing {
  #draw = () => {};

  constructor() {
    this.element = drawn('svg', { role: 'img', class: 'chart' });
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  /** `parts(width)` returns the SVG elements. */
  show(height, parts) {
    this.#draw = () => {
      const width = this.element.clientWidth || 480;
      this.element.setAttribute('viewBox', `0 0 ${width} ${height}`);
      this.element.setAttribute('height', height);
      this.element.replaceChildren(...parts(width));
    };
    this.#draw();
  }
}

/**
 * `lines`: [{name, kind}]; `format(value)` returns a value as text; `scale` is `linear` or `decades`.
 * update(samples, {from, to}) takes [{time, values}] with one value for each line, undefined if unknown.
 */
export class LineChart {
  #lines;
  #format;
  #scale;
  #drawing = new Drawing();
  #summary = element('p', { class: 'summary' });
  #rows = element('tbody');

  constructor({ title, lines, format, scale }) {
    this.#scale = scale;
    this.#lines = lines;
    this.#format = format;
    const legend = element(
      'span',
      { class: 'legend', 'aria-hidden': 'true' },
      lines.map(({ name, kind }) => element('span', { class: `key ${kind}` }, name)),
    );
    this.element = figure({
      title,
      legend,
      drawing: this.#drawing,
      summary: this.#summary,
      table: table(['When', ...lines.map(({ name }) => name)], this.#rows),
    });
  }

  update(samples, span) {
    const values = samples.flatMap((sample) => sample.values).filter((value) => value !== undefined);
    const { marks, share } = this.#scale(values);
    const y = (value) => edge.top + plotHeight * (1 - share(value));
    const height = edge.top + plotHeight + edge.bottom;
    this.#drawing.show(height, (width) => {
      const right = width - edge.right;
      const x = (time) => edge.left + (right - edge.left) * ((time - span.from) / (span.to - span.from));
      return [
        ...marks.flatMap((value) => mark(y(value), this.#format(value), right)),
        ...times(edge.left, right, height),
        ...this.#lines.map(({ kind }, at) =>
          drawn('path', { class: `line ${kind}`, d: path(samples, at, x, y) }),
        ),
        // The present value: at the first look it is all that there is.
        ...this.#lines.map(({ kind }, at) => present(samples.at(-1), at, kind, x, y)).filter(Boolean),
      ];
    });
    const said = this.#lines
      .map(({ name }, at) =>
        this.#say(
          name,
          samples.map((sample) => sample.values[at]),
        ),
      )
      .join(' ');
    this.#summary.textContent = said;
    this.#drawing.element.setAttribute('aria-label', said);
    this.#rows.replaceChildren(
      ...samples
        .slice(-rowsShown)
        .reverse()
        .map(({ time, values: each }) =>
          element(
            'tr',
            {},
            element('td', {}, new Date(time).toLocaleTimeString()),
            each.map((value) => element('td', {}, value === undefined ? '–' : this.#format(value))),
          ),
        ),
    );
  }

  #say(name, values) {
    const known = values.filter((value) => value !== undefined);
    if (known.length === 0) return `${name}: no data yet.`;
    const [low, high] = [Math.min(...known), Math.max(...known)].map(this.#format);
    return `${name}: ${this.#format(known.at(-1))}${low === high ? '' : `, between ${low} and ${high}`}.`;
  }
}

/** A chart of events: a row for each kind, and a dot for each poll that found new ones. */
export class EventChart {
  #drawing = new Drawing();
  #summary = element('p', { class: 'summary' });
  #rows = element('tbody');
  #nothing;

  constructor({ title, kind, nothing }) {
    this.#nothing = nothing;
    this.element = figure({
      title,
      wide: true,
      drawing: this.#drawing,
      summary: this.#summary,
      table: table([kind, 'Last 5 min', 'Total'], this.#rows),
    });
  }

  /** `rows`: [{name, events: [{time, count}], total}] */
  update(rows, span) {
    const step = 28;
    const height = edge.top + rows.length * step + edge.bottom;
    this.#drawing.show(height, (width) => {
      const [left, right] = [Math.min(190, width * 0.45), width - 40];
      const x = (time) => left + (right - left) * ((time - span.from) / (span.to - span.from));
      return [
        ...rows.flatMap(({ name, events, total }, at) => {
          const y = edge.top + at * step + step / 2;
          return [
            drawn('line', { class: 'grid', x1: left, x2: right, y1: y, y2: y }),
            drawn('text', { class: 'axis', x: left - 12, y: y + 4, 'text-anchor': 'end' }, name),
            drawn('text', { class: 'axis', x: width, y: y + 4, 'text-anchor': 'end' }, String(total)),
            ...events.map(({ time, count }) =>
              drawn('circle', { class: 'event', cx: x(time), cy: y, r: Math.min(11, 3 + Math.sqrt(count)) }),
            ),
          ];
        }),
        ...times(left, right, height),
      ];
    });
    const said = rows.length ? rows.map(({ name, total }) => `${name}: ${total}.`).join(' ') : this.#nothing;
    this.#summary.textContent = said;
    this.#drawing.element.setAttribute('aria-label', said);
    this.#drawing.element.toggleAttribute('hidden', rows.length === 0);
    this.#rows.replaceChildren(
      ...rows.map(({ name, events, total }) =>
        element(
          'tr',
          {},
          element('td', {}, name),
          element('td', {}, String(events.reduce((sum, { count }) => sum + count, 0))),
          element('td', {}, String(total)),
        ),
      ),
    );
  }
}

function figure({ title, legend, drawing, summary, table: numbers, wide }) {
  return element(
    'figure',
    { class: wide ? 'panel wide' : 'panel' },
    element('figcaption', {}, element('h2', {}, title), legend),
    drawing.element,
    summary,
    element('details', { class: 'in-words' }, element('summary', {}, 'The numbers'), numbers),
  );
}

function table(names, rows) {
  return element(
    'table',
    {},
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        names.map((name) => element('th', { scope: 'col' }, name)),
      ),
    ),
    rows,
  );
}

function mark(y, words, right) {
  return [
    drawn('line', { class: 'grid', x1: edge.left, x2: right, y1: y, y2: y }),
    drawn('text', { class: 'axis', x: edge.left - 8, y: y + 4, 'text-anchor': 'end' }, words),
  ];
}

function times(left, right, height) {
  return [
    drawn('text', { class: 'axis', x: left, y: height - 6 }, '5 min ago'),
    drawn('text', { class: 'axis', x: right, y: height - 6, 'text-anchor': 'end' }, 'now'),
  ];
}

function present(sample, at, kind, x, y) {
  const value = sample?.values[at];
  return value !== undefined && drawn('circle', { class: `present ${kind}`, cx: x(sample.time) - 3, cy: y(value), r: 3 });
}

/** The path of a line, with a gap where a value is missing. */
function path(samples, at, x, y) {
  let down = false;
  return samples
    .map(({ time, values }) => {
      if (values[at] === undefined) {
        down = false;
        return '';
      }
      const point = `${x(time).toFixed(1)} ${y(values[at]).toFixed(1)}`;
      const step = down ? `L${point}` : `M${point}h0.1`;
      down = true;
      return step;
    })
    .join('');
}

/** A scale from 0 to the next of 2, 4, 10, 20, 40, ..., so that half of the maximum is a whole number. */
export function linear(values) {
  if (values.length === 0) return { marks: [0], share: () => 0 };
  const most = Math.max(2, ...values);
  const power = 10 ** Math.floor(Math.log10(most));
  const top = [1, 2, 4, 10].map((each) => each * power).find((each) => each >= most);
  return { marks: [0, top / 2, top], share: (value) => value / top };
}

/** A logarithmic scale in whole decades, for waiting times: the longest can be 1000 times the median. */
export function decades(values) {
  const known = values.filter((value) => value > 0);
  if (known.length === 0) return { marks: [], share: () => 0 };
  const low = Math.floor(Math.log10(Math.min(...known)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...known))));
  const marks = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
  return { marks, share: (value) => Math.max(0, (Math.log10(value) - low) / (high - low)) };
}
