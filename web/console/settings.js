// The effective configuration of the relay, with secrets masked.
import { read } from './api.js';
import { element, labelled } from './dom.js';
import { copyButton } from './ui.js';

export async function show({ page, signal, arrived }) {
  const configuration = await read('/v1/config', { signal });
  arrived();
  const search = element('input', { type: 'search', autocomplete: 'off', placeholder: 'webhook, timeout, dir …' });
  const found = element('p', { class: 'found', role: 'status' });
  const list = element('div', { class: 'settings-list' });
  const rows = Object.entries(configuration).flatMap(([section, members]) =>
    Object.entries(members).map(([name, value]) => ({ section, key: `${section}.${name}`, value })),
  );
  const paint = () => {
    const wanted = search.value.trim().toLowerCase();
    const shown = rows.filter(({ key, value }) => `${key} ${JSON.stringify(value)}`.toLowerCase().includes(wanted));
    found.textContent = wanted ? `${shown.length} of ${rows.length} settings` : `${rows.length} settings`;
    list.replaceChildren(...sectionsOf(shown));
  };
  search.addEventListener('input', paint);
  page.append(
    element(
      'p',
      { class: 'hint' },
      'These settings are in force now: the file, the environment and the command line together. Secrets show *** if they are set.',
    ),
    element('div', { class: 'settings-search' }, labelled('Find a setting', search)),
    element('div', { class: 'list-bar' }, found, copyButton(JSON.stringify(configuration, null, 2), 'Copy as JSON: the configuration', 'Copy as JSON')),
    list,
  );
  paint();
}

function sectionsOf(rows) {
  const sections = [...new Set(rows.map(({ section }) => section))];
  return sections.map((name) =>
    element(
      'section',
      { 'aria-label': name },
      element('h2', {}, name),
      element(
        'table',
        {},
        element('thead', { class: 'unseen' }, element('tr', {}, element('th', { scope: 'col' }, 'Setting'), element('th', { scope: 'col' }, 'Value'))),
        element(
          'tbody',
          {},
          rows
            .filter(({ section }) => section === name)
            .map(({ key, value }) => element('tr', {}, element('td', {}, element('code', {}, key)), element('td', {}, shownValue(value)))),
        ),
      ),
    ),
  );
}

function shownValue(value) {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return element('span', { class: 'hint' }, 'not set');
  if (Array.isArray(value)) return value.map((one) => element('div', {}, element('code', {}, typeof one === 'string' ? one : JSON.stringify(one))));
  return element('code', {}, String(value));
}
