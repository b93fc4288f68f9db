// Events beside the words: the provider's connection, its errors, changed settings.
import { element } from './dom.js';
import { clock, spaced } from './words.js';

const kinds = {
  upstream_lost: ['bad', 'The connection to the provider was lost'],
  upstream_opened: ['', 'The connection to the provider was opened again'],
  settings_changed: ['', 'The settings of the session changed'],
  provider_error: ['bad', 'The provider reported an error'],
};

/** Incidents of the API, marked as such. */
export const asRows = (incidents = []) => incidents.map((one, at) => ({ ...one, incident: true, number: at + 1 }));

/** Turns and tool calls with the incidents between them, by time. */
export function withIncidents(rows, incidents) {
  const list = [];
  const begun = rows.find((row) => row.startedAt ?? row.started_at);
  const first = begun && (begun.startedAt ?? begun.started_at);
  // Clients and the relay set a conversation up before its first words: that is nothing unusual.
  const rest = incidents.filter(({ kind, at }) => kind !== 'settings_changed' || (first && at > first));
  for (const row of rows) {
    const at = row.startedAt ?? row.started_at;
    while (rest.length > 0 && at && rest[0].at < at) list.push(rest.shift());
    list.push(row);
  }
  return [...list, ...rest];
}

export function rowOfIncident({ kind, at, why }, id) {
  const [tone, words] = kinds[kind] ?? ['', spaced(kind)];
  return element(
    'li',
    { class: `turn incident ${tone}`, id, tabindex: '-1' },
    element('p', {}, element('time', { datetime: at }, clock(at)), ` ${words}`, why && ': ', why && element('code', {}, why)),
  );
}
