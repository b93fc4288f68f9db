// The list of sessions, newest first, with a search by words, user, id or metadata and filters by status
// and day.
import { Refused, read, sessionPath } from './api.js';
import { choice, element, labelled, problem } from './dom.js';
import { between, counted, moment, reasonWords, sessionStatuses } from './words.js';

const pageSize = 25;
const none = '–';

export async function show({ page, query, signal }) {
  // The explicit roles keep the table's meaning when a narrow page shows the rows as cards.
  const rows = element('tbody', { role: 'rowgroup' });
  const found = element('p', { class: 'found', role: 'status' });
  const more = element('button', { type: 'button', hidden: true }, 'Show more');
  const table = element(
    'table',
    { class: 'sessions', role: 'table', hidden: true },
    element(
      'thead',
      { role: 'rowgroup' },
      element(
        'tr',
        { role: 'row' },
        ['Started', 'User', 'Session', 'Turns', 'Duration', 'How it ended', 'Transcript'].map((name) =>
          element('th', { role: 'columnheader', scope: 'col' }, name),
        ),
      ),
    ),
    rows,
  );
  page.append(filters(query), found, table, element('p', { class: 'buttons' }, more));

  let cursor;
  const shown = new Set(); // ids
  const load = async () => {
    more.disabled = true;
    const { sessions, next_cursor: next, search_complete: indexed } = await read(listPath(query, cursor), {
      signal,
    });
    // A session whose id is the whole text comes first.
    const asked = query.get('q');
    const byId = !cursor && asked && !asked.includes('=') ? await one(asked, signal) : undefined;
    cursor = next;
    const named = byId && (!query.get('status') || query.get('status') === byId.status) ? [byId] : [];
    const fresh = [...named, ...sessions].filter(({ id }) => !shown.has(id) && shown.add(id));
    rows.append(...fresh.map(rowOf));
    table.hidden = rows.children.length === 0;
    more.hidden = !next;
    more.disabled = false;
    found.textContent =
      rows.children.length === 0
        ? query.size > 0
          ? 'No session matches.'
          : 'No sessions yet. Start the first one on the Talk page.'
        : `${counted(rows.children.length, 'session')}${next ? ', and there are more' : ''}`;
    if (indexed === false) found.textContent += ' Not every stored conversation is in the index of words yet.';
  };
  more.addEventListener('click', () =>
    load().catch((error) => {
      more.disabled = false;
      if (!signal.aborted) found.replaceChildren(problem(error.message));
    }),
  );
  found.textContent = 'Loading…';
  try {
    await load();
  } catch (error) {
    found.textContent = '';
    throw error;
  }
}

async function one(id, signal) {
  try {
    return await read(sessionPath(id), { signal });
  } catch (error) {
    if (error instanceof Refused && error.status > 0) return undefined;
    throw error;
  }
}

/**
 * Builds the query of the API. The search text is words that were said, the beginning of a user or an id,
 * metadata ("course=7"), or text and metadata.
 */
function listPath(query, cursor) {
  const asked = new URLSearchParams({ limit: pageSize });
  for (const word of (query.get('q') ?? '')
    .split(/\s+(?=\S+=)/)
    .map((part) => part.trim())
    .filter(Boolean)) {
    const at = word.indexOf('=');
    if (at > 0) asked.set(`metadata.${word.slice(0, at).replace(/^metadata\./, '')}`, word.slice(at + 1));
    else asked.set('q', word);
  }
  if (query.get('status')) asked.set('status', query.get('status'));
  // The chosen days are days in the local time zone.
  if (query.get('since')) asked.set('since', new Date(`${query.get('since')}T00:00`).toISOString());
  if (query.get('until')) asked.set('until', new Date(`${query.get('until')}T23:59:59.999`).toISOString());
  if (cursor) asked.set('cursor', cursor);
  return `/v1/sessions?${asked}`;
}

function filters(query) {
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
  const go = (event) => {
    event.preventDefault();
    const asked = [...new FormData(event.currentTarget)].filter(([, value]) => value.trim());
    location.hash = `#/sessions${asked.length ? `?${new URLSearchParams(asked)}` : ''}`;
  };
  return element(
    'form',
    { class: 'filters', role: 'search', on: { submit: go } },
    labelled('Words, user, id or metadata', search),
    labelled('Status', status),
    labelled('From', since),
    labelled('To', until),
    element('button', { type: 'submit' }, 'Search'),
    query.size > 0 && element('a', { href: '#/sessions' }, 'Show all'),
  );
}

function rowOf(session) {
  const cell = (label, ...content) =>
    element('td', { role: 'cell', 'data-label': label, class: content[0] === none && 'nothing' }, ...content);
  const over = session.status === 'final';
  return element(
    'tr',
    { role: 'row' },
    cell('Started', element('time', { datetime: session.created_at }, moment(session.created_at))),
    cell('User', session.user),
    cell(
      'Session',
      element('a', { class: 'id', href: `#/sessions/${encodeURIComponent(session.id)}` }, session.id),
      metadata(session.metadata),
      session.snippet && element('p', { class: 'snippet' }, `“${session.snippet}”`),
    ),
    cell(
      'Turns',
      String(session.turns),
      session.attempts.length > 1 &&
        element('span', { class: 'hint' }, ` ${counted(session.attempts.length, 'attempt')}`),
    ),
    cell('Duration', between(session.created_at, session.ended_at) ?? none),
    cell(
      'How it ended',
      over
        ? (reasonWords(session.close_reason) ?? 'ended')
        : element('span', { class: `badge ${session.status}` }, sessionStatuses[session.status]),
    ),
    cell('Transcript', over ? completeness(session) : none),
  );
}

export function completeness({ complete }) {
  return element('span', { class: complete ? 'good' : 'bad' }, complete ? 'complete' : 'incomplete');
}

/** Metadata as links; each leads to the sessions with the same value. */
export function metadata(values) {
  const known = Object.entries(values).filter(([, value]) => typeof value !== 'object');
  return (
    known.length > 0 &&
    element(
      'span',
      { class: 'tags' },
      known.map(([name, value]) =>
        element(
          'a',
          { class: 'tag', href: `#/sessions?${new URLSearchParams({ q: `${name}=${value}` })}` },
          `${name}=${value}`,
        ),
      ),
    )
  );
}
