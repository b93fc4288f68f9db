// A loudness meter.
import { element } from './dom.js';

export class Meter {
  #bar = element('span', { class: 'bar' });
  #meter;
  #said = 0;

  constructor(name) {
    this.#meter = element(
      'span',
      {
        class: 'meter',
        role: 'meter',
        'aria-label': `${name}: loudness`,
        'aria-valuemin': '0',
        'aria-valuemax': '100',
        'aria-valuenow': '0',
      },
      this.#bar,
    );
    this.element = element(
      'div',
      { class: 'loudness' },
      element('span', { class: 'label', 'aria-hidden': 'true' }, name),
      this.#meter,
    );
  }

  /** From 0 to 1. */
  set level(value) {
    // Speech is mostly below a tenth of the full level; the square root shows that as about a third.
    const shown = Math.sqrt(Math.min(1, Math.max(0, value)));
    this.#bar.style.transform = `scaleX(${shown.toFixed(3)})`;
    const said = Math.round(shown * 10) * 10;
    if (said === this.#said) return;
    this.#said = said;
    this.#meter.setAttribute('aria-valuenow', said);
  }
}
