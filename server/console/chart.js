// Lines and events over the last minutes, each with its summary in words and its numbers as a table.
import { drawn, element } from './dom.js';

const size = { width: 640, height: 150, left: 56, right: 10, top: 10, bottom: 24 };
const inner = { width: size.width - size.left - size.right, height: size.height - size.top - size.bottom };
const rowsShown = 12; // of the table

/**
 * `lines`: [{name, kind}]; `format(value)` says a value in words. update(samples, {from, to}) takes
 * [{time, values}] with a value, or undefined where there is none, for each line.
 */
export class LineChart {
  #lines;
  #format;
  #drawing = drawn('svg', { viewBox: `0 0 ${size.width} ${size.height}`, role: 'img', class: 'chart' });
  #summary = element('p', { class: 'summary' });
  #rows = element('tbody');

  constructor({ title, lines, format }) {
    this.#lines = lines;
    this.#format = format;
    const legend = lines.length > 1 && element('span', { class: 'legend', 'aria-hidden': 'true' }, lines.map(({ name, kind }) =>
      element('span', { class: `key ${kind}` }, name)));
    this.element = figure({ title, legend, drawing: this.#drawing, summary: this.#summary,
      table: table(['When', ...lines.map(({ name }) => name)], this.#rows) });
  }

  update(samples, span) {
    const values = samples.flatMap((sample) => sample.values).filter((value) => value !== undefined);
    const top = roundUp(Math.max(...values, 0));
    const y = (value) => size.top + inner.height * (1 - value / top);
    this.#drawing.replaceChildren(...grid([0, top / 2, top].map((value) => [y(value), this.#format(value)])), ...times(),
      ...this.#lines.map(({ kind }, at) => drawn('path', { class: `line ${kind}`, d: path(samples, at, span, y) })));
    const said = this.#lines.map(({ name }, at) => this.#say(name, samples.map((sample) => sample.values[at])));
    this.#summary.textContent = said.join(' ');
    this.#drawing.setAttribute('aria-label', said.join(' '));
    this.#rows.replaceChildren(...samples.slice(-rowsShown).reverse().map(({ time, values: each }) => element('tr', {},
      element('td', {}, new Date(time).toLocaleTimeString()),
      each.map((value) => element('td', {}, value === undefined ? '–' : this.#format(value))))));
  }

  #say(name, values) {
    const known = values.filter((value) => value !== undefined);
    if (known.length === 0) return `${name}: nothing yet.`;
    const [low, high] = [Math.min(...known), Math.max(...known)].map(this.#format);
    return `${name}: ${this.#format(known.at(-1))}${low === high ? '' : `, between ${low} and ${high}`}.`;
  }
}

/** When something happened: a row for each kind, a dot for each look that found some. */
export class EventChart {
  #drawing = drawn('svg', { role: 'img', class: 'chart' });
  #summary = element('p', { class: 'summary' });
  #rows = element('tbody');
  #nothing;

  constructor({ title, kind, nothing }) {
    this.#nothing = nothing;
    this.element = figure({ title, drawing: this.#drawing, summary: this.#summary,
      table: table([kind, 'Lately', 'In all'], this.#rows) });
  }

  /** `rows`: [{name, events: [{time, count}], total}] */
  update(rows, span) {
    const line = 26;
    const height = size.top + Math.max(1, rows.length) * line + size.bottom;
    const lower = height - size.bottom;
    this.#drawing.setAttribute('viewBox', `0 0 ${size.width} ${height}`);
    const names = 200;
    const x = (time) => names + (size.width - names - 44) * ((time - span.from) / (span.to - span.from));
    this.#drawing.replaceChildren(...rows.flatMap(({ name, events, total }, at) => {
      const y = size.top + at * line + line / 2;
      return [
        drawn('line', { class: 'grid', x1: names, x2: size.width - 44, y1: y, y2: y }),
        drawn('text', { class: 'axis', x: names - 12, y: y + 4, 'text-anchor': 'end' }, name),
        drawn('text', { class: 'axis', x: size.width, y: y + 4, 'text-anchor': 'end' }, String(total)),
        ...events.map(({ time, count }) => drawn('circle', { class: 'event', cx: x(time), cy: y, r: Math.min(11, 3 + Math.sqrt(count)) })),
      ];
    }), ...rows.length ? times(names, size.width - 44, lower + 17) : []);
    const said = rows.length ? rows.map(({ name, total }) => `${name}: ${total}.`).join(' ') : this.#nothing;
    this.#summary.textContent = said;
    this.#drawing.setAttribute('aria-label', said);
    this.#drawing.toggleAttribute('hidden', rows.length === 0);
    this.#rows.replaceChildren(...rows.map(({ name, events, total }) => element('tr', {}, element('td', {}, name),
      element('td', {}, String(events.reduce((sum, { count }) => sum + count, 0))), element('td', {}, String(total)))));
  }
}

function figure({ title, legend, drawing, summary, table: numbers }) {
  return element('figure', { class: 'panel' }, element('figcaption', {}, element('h2', {}, title), legend), drawing, summary,
    element('details', { class: 'in-words' }, element('summary', {}, 'The numbers'), numbers));
}

function table(names, rows) {
  return element('table', {}, element('thead', {}, element('tr', {}, names.map((name) =>
    element('th', { scope: 'col' }, name)))), rows);
}

function grid(marks) {
  return marks.flatMap(([y, words]) => [
    drawn('line', { class: 'grid', x1: size.left, x2: size.width - size.right, y1: y, y2: y }),
    drawn('text', { class: 'axis', x: size.left - 8, y: y + 4, 'text-anchor': 'end' }, words),
  ]);
}

function times(from = size.left, to = size.width - size.right, y = size.height - 6) {
  return [drawn('text', { class: 'axis', x: from, y }, '5 min ago'),
    drawn('text', { class: 'axis', x: to, y, 'text-anchor': 'end' }, 'now')];
}

/** Lifted where there is no value: a hole is no zero. */
function path(samples, at, { from, to }, y) {
  let down = false;
  return samples.map(({ time, values }) => {
    if (values[at] === undefined) {
      down = false;
      return '';
    }
    const x = size.left + inner.width * ((time - from) / (to - from));
    const step = `${down ? 'L' : 'M'}${x.toFixed(1)} ${y(values[at]).toFixed(1)}${down ? '' : 'h0.1'}`;
    down = true;
    return step;
  }).join('');
}

/** The next of 1, 2, 5, 10, 20, ... */
function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= value * 0.999);
}
