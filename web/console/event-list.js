// A list of protocol events with filters by type and text, the time of each, the pause before it, and its JSON
// as a tree. At most `rowsMax` are in the document.
import { choice, element, labelled } from './dom.js';
import { tree } from './tree.js';

const rowsMax = 150;
const longPause = 1000; // ms

/** The event without its audio, which says nothing to a reader. */
function withoutAudio(event) {
  const shorter = { ...event };
  for (const member of ['delta', 'audio'])
    if (/audio/.test(event.type) && typeof event[member] === 'string' && event[member].length > 200)
      shorter[member] = `(audio, ${Math.round((event[member].length * 3) / 4)} bytes)`;
  return shorter;
}

function summaryOf(event) {
  if (event.error) return [event.error.code, event.error.message].filter(Boolean).join(': ');
  if (/audio/.test(event.type) && typeof event.delta === 'string' && !/transcript/.test(event.type)) return '';
  for (const member of ['delta', 'transcript', 'text', 'arguments'])
    if (typeof event[member] === 'string') return event[member];
  const { item, response, session } = event;
  if (item) return [item.role ?? item.type, item.name, item.content?.[0]?.text ?? item.content?.[0]?.transcript].filter(Boolean).join(' ');
  if (response) return response.status ?? '';
  return session?.model ?? '';
}

export class EventList {
  #events = []; // {ms, dir, event, text, row}
  #types = new Map(); // type -> number
  #newestFirst;
  #drawn = false;
  #list = element('ol', { class: 'events' });
  #count = element('p', { class: 'found', role: 'status' });
  #type = choice({ on: { change: () => this.#show() } }, [['', 'all types']]);
  #direction = choice({ on: { change: () => this.#show() } }, [
    ['', 'both directions'],
    ['c2s', 'from the client'],
    ['s2c', 'from the provider'],
  ]);
  #search = element('input', { type: 'search', autocomplete: 'off', on: { input: () => this.#show() } });
  #audio = element('input', { type: 'checkbox', on: { change: () => this.#show() } });
  #more = element('button', { type: 'button', class: 'small', hidden: true }, 'Show the next events');
  #from = 0;

  /** `directions`: whether events of both sides come. `newestFirst`: for a running conversation. */
  constructor({ directions = true, newestFirst = false, label = 'Events' } = {}) {
    this.#newestFirst = newestFirst;
    this.#list.setAttribute('aria-label', label);
    this.#list.addEventListener('keydown', (event) => this.#key(event));
    this.#more.addEventListener('click', () => {
      this.#from += rowsMax;
      this.#draw();
      this.#list.querySelector('summary')?.focus();
    });
    this.element = element(
      'div',
      { class: 'event-view' },
      element(
        'div',
        { class: 'event-filters' },
        labelled('Type', this.#type),
        directions && labelled('Direction', this.#direction),
        labelled('Search in events', this.#search),
        element('label', { class: 'check' }, this.#audio, 'with audio'),
      ),
      this.#count,
      element('div', { class: 'events-scroll' }, this.#list),
      this.#more,
    );
  }

  get length() {
    return this.#events.length;
  }

  clear() {
    this.#events = [];
    this.#types.clear();
    this.#type.replaceChildren(element('option', { value: '' }, 'all types'));
    this.#show();
  }

  /** `ms`: since the beginning; `dir`: 'c2s' or 's2c'. */
  add(...entries) {
    for (const { ms, dir, event } of entries) {
      this.#events.push({ ms, dir, event, row: undefined, text: undefined });
      const type = String(event.type);
      if (!this.#types.has(type)) this.#addType(type);
      this.#types.set(type, (this.#types.get(type) ?? 0) + 1);
    }
    if (this.#drawn) return;
    this.#drawn = true;
    requestAnimationFrame(() => {
      this.#drawn = false;
      this.#draw();
    });
  }

  #addType(type) {
    const next = [...this.#type.options].slice(1).find(({ value }) => value > type);
    this.#type.insertBefore(element('option', { value: type }, type), next ?? null);
  }

  #show() {
    this.#from = 0;
    for (const one of this.#events) one.row = undefined;
    this.#draw();
  }

  #matching() {
    const [type, direction, wanted] = [this.#type.value, this.#direction.value, this.#search.value.trim().toLowerCase()];
    return this.#events.filter((one) => {
      if (type ? one.event.type !== type : !this.#audio.checked && isAudio(one.event)) return false;
      if (direction && one.dir !== direction) return false;
      if (wanted) {
        one.text ??= JSON.stringify(withoutAudio(one.event)).toLowerCase();
        if (!one.text.includes(wanted)) return false;
      }
      return true;
    });
  }

  #draw() {
    const found = this.#matching();
    const shown = this.#newestFirst ? found.slice(-rowsMax).reverse() : found.slice(this.#from, this.#from + rowsMax);
    // A row stays the same element, so that one that is open stays open.
    this.#list.replaceChildren(...shown.map((one) => (one.row ??= this.#row(one, found[found.indexOf(one) - 1]))));
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.closest('li > details > summary') : undefined;
    this.#stop(focused ?? this.#list.querySelector('li > details > summary'));
    const rest = this.#newestFirst ? 0 : found.length - this.#from - shown.length;
    this.#more.hidden = rest <= 0;
    this.#count.textContent =
      this.#events.length === 0
        ? 'No events yet.'
        : `${found.length} of ${this.#events.length} events${shown.length < found.length ? `; ${shown.length} are shown` : ''}`;
  }

  /** One stop for Tab; arrow keys move. */
  #key(event) {
    const heads = [...this.#list.querySelectorAll('li > details > summary')];
    const at = heads.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: heads.length - 1 }[event.key];
    if (at < 0 || to === undefined || !heads[to]) return;
    event.preventDefault();
    this.#stop(heads[to]);
    heads[to].focus();
  }

  #stop(head) {
    for (const other of this.#list.querySelectorAll('li > details > summary')) other.tabIndex = other === head ? 0 : -1;
  }

  #row(one, previous) {
    const gap = previous ? one.ms - previous.ms : 0;
    const body = element('div');
    return element(
      'li',
      { class: `${one.dir} ${one.event.type === 'error' ? 'error-event' : ''}` },
      element(
        'details',
        { on: { toggle: () => body.children.length === 0 && body.append(tree(withoutAudio(one.event))) } },
        element(
          'summary',
          {},
          element('span', { class: 'at' }, seconds(one.ms)),
          element('span', { class: `gap ${gap >= longPause ? 'long' : ''}`, title: 'since the event above' }, previous ? `+${Math.round(gap)}` : ''),
          element('span', { class: 'dir', title: one.dir === 'c2s' ? 'from the client' : 'from the provider' }, one.dir === 'c2s' ? '→' : '←', element('span', { class: 'unseen' }, one.dir === 'c2s' ? ' client ' : ' provider ')),
          element('span', { class: 'type' }, element('b', {}, one.event.type), element('span', {}, summaryOf(one.event).slice(0, 160))),
        ),
        body,
      ),
    );
  }
}

const isAudio = ({ type }) => /^(input_audio_buffer\.append|response\.(output_)?audio\.delta)$/.test(type);
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
