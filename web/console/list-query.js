// The filters of the list: as the page's address has them, as the API wants them, and as chips that remove them.
import { choice, element, labelled } from './dom.js';
import { sessionStatuses } from './words.js';

const plain = ['q', 'user', 'status', 'since', 'until'];
const isMetadata = (name) => name.startsWith('metadata.');
const isFilter = (name) => plain.includes(name) || isMetadata(name);

/** The filters of the page's address: [[name, value]]. */
export const filtersOf = (query) => [...query].filter(([name, value]) => isFilter(name) && value.trim());

/** The API's query for these filters; days are days in the local time zone. */
export function apiQuery(query, { sorted = true } = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of filtersOf(query)) {
    if (name === 'since') asked.set(name, new Date(`${value}T00:00`).toISOString());
    else if (name === 'until') asked.set(name, new Date(`${value}T23:59:59.999`).toISOString());
    else asked.set(name, value);
  }
  if (sorted && query.get('sort')) asked.set('sort', query.get('sort'));
  return asked;
}

export const hashOf = (entries) => {
  const known = [...entries].filter(([, value]) => value.trim());
  return `#/sessions${known.length ? `?${new URLSearchParams(known)}` : ''}`;
};

/** Without these names. */
export const without = (query, ...names) => hashOf([...query].filter(([name]) => !names.includes(name)));

/** The form: words, or metadata such as "course=7", and the usual filters. */
export function filterForm(query) {
  const search = element('input', {
    type: 'search',
    name: 'q',
    value: query.get('q') ?? '',
    autocomplete: 'off',
    placeholder: 'wrong invoice, ada, an id, or course=7',
  });
  const status = choice(
    { name: 'status' },
    [['', 'any'], ...Object.entries(sessionStatuses)],
    query.get('status') ?? '',
  );
  const since = element('input', { type: 'date', name: 'since', value: query.get('since') ?? '' });
  const until = element('input', { type: 'date', name: 'until', value: query.get('until') ?? '' });
  const form = element(
    'form',
    { class: 'filters', role: 'search' },
    labelled('Words, user, id or metadata', search),
    labelled('Status', status),
    labelled('From', since),
    labelled('To', until),
    element('button', { type: 'submit' }, 'Search'),
  );
  const go = () => {
    const asked = new Map([...query].filter(([name]) => !['q', 'status', 'since', 'until'].includes(name)));
    for (const [name, value] of new FormData(form)) {
      if (name !== 'q') asked.set(name, value);
      else for (const [key, one] of wordsAndMetadata(value)) asked.set(key, one);
    }
    location.hash = hashOf(asked);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    go();
  });
  for (const control of [status, since, until]) control.addEventListener('change', go);
  return form;
}

/** "ada course=7" asks for the words "ada" and for metadata. */
function wordsAndMetadata(text) {
  return text
    .split(/\s+(?=\S+=)/)
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => {
      const at = part.indexOf('=');
      if (at < 1) return ['q', part];
      return [`metadata.${part.slice(0, at).replace(/^metadata\./, '')}`, part.slice(at + 1)];
    });
}

const names = { q: 'words', user: 'user', status: 'status', since: 'from', until: 'to' };

/** A chip for each filter; its button removes it. */
export function filterChips(query) {
  const active = filtersOf(query);
  if (active.length === 0) return element('div', { class: 'chips', hidden: true });
  return element(
    'div',
    { class: 'chips', role: 'group', 'aria-label': 'Active filters' },
    active.map(([name, value]) => {
      const words = `${names[name] ?? name.replace(/^metadata\./, '')}: ${name === 'status' ? (sessionStatuses[value] ?? value) : value}`;
      return element(
        'button',
        {
          type: 'button',
          class: 'chip',
          'aria-label': `Remove the filter ${words}`,
          on: { click: () => (location.hash = without(query, name)) },
        },
        words,
        element('span', { 'aria-hidden': 'true' }, ' ×'),
      );
    }),
    element('a', { href: '#/sessions' }, 'Show all'),
  );
}
