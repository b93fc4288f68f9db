// A long list of rows of equal height: only those near the visible part are in the document.
import { element } from './dom.js';

const rowsMax = 160; // in the document
const margin = 40; // rows above and below the visible part

export class RowWindow {
  #body;
  #above;
  #below;
  #rows = [];
  #make;
  #heightOf;
  #near;
  #shown = { from: 0, to: 0 };
  #drawing = false;

  /**
   * `body` is the tbody. `make(item, at)` returns the row of an item, the same element each time. `heightOf()` is
   * the height of each row in px. `near()` is called when the end of the list comes near.
   */
  constructor({ body, columns, make, heightOf, near, signal }) {
    this.#body = body;
    this.#make = make;
    this.#heightOf = heightOf;
    this.#near = near;
    const spacer = () =>
      element('tr', { class: 'spacer', 'aria-hidden': 'true', role: 'presentation' }, element('td', { colspan: columns }));
    this.#above = spacer();
    this.#below = spacer();
    addEventListener('scroll', () => this.#later(), { signal, passive: true });
    addEventListener('resize', () => this.draw(), { signal });
  }

  set rows(rows) {
    this.#rows = rows;
    this.draw();
  }

  #later() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      const { from, to } = this.#range();
      // Only when the visible part comes near the edge of what is there.
      const { from: first, to: last } = this.#shown;
      if ((from < first && first > 0) || (to > last && last < this.#rows.length)) this.draw();
      if (this.#shown.to >= this.#rows.length - margin) this.#near();
    });
  }

  /** The rows that are visible, with a quarter of the margin. */
  #range() {
    const height = this.#heightOf();
    const { top } = this.#body.getBoundingClientRect();
    const spare = margin / 4;
    const first = Math.floor(-top / height) - spare;
    const last = Math.ceil((innerHeight - top) / height) + spare;
    return { from: Math.max(0, first), to: Math.min(this.#rows.length, last) };
  }

  draw() {
    const height = this.#heightOf();
    const visible = this.#range();
    const from = Math.max(0, Math.min(visible.from - margin, this.#rows.length - 1));
    const to = Math.min(this.#rows.length, Math.max(visible.to + margin, from + 1), from + rowsMax);
    this.#shown = { from, to };
    this.#above.firstChild.style.height = `${from * height}px`;
    this.#below.firstChild.style.height = `${(this.#rows.length - to) * height}px`;
    this.#above.hidden = from === 0;
    this.#below.hidden = to === this.#rows.length;
    const wanted = [this.#above, ...this.#rows.slice(from, to).map((item, at) => this.#make(item, from + at)), this.#below];
    // Rows that stay are not touched: they may have the focus.
    const keep = new Set(wanted);
    for (const row of [...this.#body.children]) if (!keep.has(row)) row.remove();
    wanted.forEach((row, at) => {
      if (this.#body.children[at] !== row) this.#body.insertBefore(row, this.#body.children[at] ?? null);
    });
  }
}
