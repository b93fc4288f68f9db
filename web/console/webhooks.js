// Deliveries of webhooks: what each target got, what it answered, and the button that sends a message again.
import { call, read } from './api.js';
import { choice, element, labelled } from './dom.js';
import { attempt, chip, emptyState, poll, showTrouble, toast } from './ui.js';
import { clock, counted, moment, wait } from './words.js';

const pollEvery = 3000; // ms
const pageSize = 100;
const rowsMax = 200; // in the document

const states = {
  waiting: ['waiting', 'waiting'],
  delivered: ['live', 'delivered'],
  dead: ['bad', 'given up'],
};

export async function show({ page, query, signal, arrived }) {
  const trouble = element('div');
  const found = element('p', { class: 'found', role: 'status' });
  const list = element('ol', { class: 'opens', 'aria-label': 'Deliveries' });
  const nothing = element('div');
  const more = element('button', { type: 'button', hidden: true }, 'Show more');
  const rows = new Map(); // id -> {row, signature}
  let limit = pageSize;
  page.append(filters(query), trouble, found, list, nothing, element('p', { class: 'buttons' }, more));
  const path = () => {
    const asked = new URLSearchParams({ limit });
    for (const name of ['target', 'state', 'session']) if (query.get(name)) asked.set(name, query.get(name));
    return `/v1/webhooks/deliveries?${asked}`;
  };
  const look = async () => {
    try {
      const { deliveries, next_cursor: next } = await read(path(), { signal });
      arrived();
      showTrouble(trouble);
      const wanted = deliveries.map((one) => rowFor(rows, one, look));
      if (wanted.some((row, at) => list.children[at] !== row) || list.children.length !== wanted.length)
        list.replaceChildren(...wanted);
      more.hidden = !next || limit >= rowsMax;
      found.textContent = deliveries.length === 0 ? '' : summary(deliveries, next);
      nothing.replaceChildren(...(deliveries.length === 0 ? [none(query)] : []));
    } catch (error) {
      if (!signal.aborted) showTrouble(trouble, error);
    }
  };
  more.addEventListener('click', () => {
    limit = rowsMax;
    attempt(more, look);
  });
  await poll(signal, pollEvery, look);
}

function none(query) {
  if (['target', 'state', 'session'].some((name) => query.get(name))) return emptyState('No delivery matches.', element('a', { href: '#/webhooks' }, 'Show all'));
  return emptyState('No deliveries.', 'Messages appear here once webhook.targets is configured and a conversation begins.');
}

function summary(deliveries, next) {
  const dead = deliveries.filter(({ state }) => state === 'dead').length;
  const waiting = deliveries.filter(({ state }) => state === 'waiting').length;
  const parts = [waiting && `${waiting} waiting`, dead && `${dead} given up`].filter(Boolean);
  return `${counted(deliveries.length, 'delivery', 'deliveries')}${next ? ', and there are more' : ''}${parts.length ? `: ${parts.join(', ')}` : ''}. Updated ${clock(Date.now())}.`;
}

function filters(query) {
  const state = choice({ name: 'state' }, [['', 'any'], ...Object.entries(states).map(([name, [, words]]) => [name, words])], query.get('state') ?? '');
  const target = element('input', { type: 'text', name: 'target', value: query.get('target') ?? '', autocomplete: 'off' });
  const session = element('input', { type: 'text', name: 'session', value: query.get('session') ?? '', autocomplete: 'off' });
  const form = element(
    'form',
    { class: 'filters', role: 'search' },
    labelled('Session', session),
    labelled('State', state),
    labelled('Target', target),
    element('span'),
    element('button', { type: 'submit' }, 'Search'),
  );
  const go = () => {
    const asked = [...new FormData(form)].filter(([, value]) => value.trim());
    location.hash = `#/webhooks${asked.length ? `?${new URLSearchParams(asked)}` : ''}`;
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    go();
  });
  state.addEventListener('change', go);
  return form;
}

/** The same element while the delivery has not changed, so that one that is open stays open. */
function rowFor(rows, delivery, look) {
  const signature = JSON.stringify(delivery);
  const known = rows.get(delivery.id);
  if (known?.signature === signature) return known.row;
  const row = rowOf(delivery, look);
  if (known) row.querySelector('details').open = known.row.querySelector('details').open;
  rows.set(delivery.id, { row, signature });
  return row;
}

function rowOf(delivery, look) {
  const { id, type, state, target, session_id: session, created_at: at, attempts, tries, last_error: error, next_try_at: next } = delivery;
  const [kind, words] = states[state] ?? ['', state];
  const retry = element('button', { type: 'button', class: 'small' }, state === 'dead' ? 'Send again' : 'Send now');
  retry.addEventListener('click', () =>
    attempt(retry, async () => {
      await call(`/v1/webhooks/deliveries/${encodeURIComponent(id)}/retry`, { method: 'POST' });
      toast('The message is sent again.');
      await look();
    }),
  );
  const last = attempts.at(-1);
  return element(
    'li',
    { class: `delivery ${state}`, 'data-id': id },
    element(
      'details',
      {},
      element(
        'summary',
        {},
        element('span', { class: `badge ${kind}` }, words),
        element('span', {}, type),
        element('span', {}, target),
        element('span', { class: state === 'delivered' ? 'hint' : 'bad' }, resultOf(last, error)),
        element('time', { class: 'hint', datetime: at }, moment(at)),
      ),
      element(
        'div',
        { class: 'inside' },
        element(
          'p',
          { class: 'chips' },
          element('a', { href: `#/sessions/${encodeURIComponent(session)}` }, 'The session'),
          chip(counted(tries, 'try', 'tries')),
          next && chip(`next try ${clock(next)}`),
          state !== 'delivered' && retry,
        ),
        attempts.length > 0 ? triesOf(attempts) : element('p', { class: 'hint' }, 'It has not been sent yet.'),
        element('p', { class: 'hint' }, 'webhook-id ', element('code', {}, delivery.message)),
      ),
    ),
  );
}

function resultOf(last, error) {
  if (!last) return 'not sent yet';
  if (last.error || error) return last.error ?? error;
  return `${last.status} in ${wait(last.latency_ms)}`;
}

function triesOf(attempts) {
  return element(
    'table',
    {},
    element(
      'thead',
      {},
      element('tr', {}, ['When', 'Status', 'Took', 'Result'].map((name) => element('th', { scope: 'col' }, name))),
    ),
    element(
      'tbody',
      {},
      attempts.toReversed().map(({ at, status, latency_ms: took, error, answer }) =>
        element(
          'tr',
          {},
          element('td', {}, element('time', { datetime: at }, clock(at))),
          element('td', {}, status === null ? 'no answer' : String(status)),
          element('td', {}, wait(took)),
          element('td', {}, error ?? 'delivered', answer && element('pre', {}, answer)),
        ),
      ),
    ),
  );
}
