// The columns of the list, and which of them are shown.
import { costOfSession, money } from './costs.js';
import { element } from './dom.js';
import { menu } from './ui.js';
import { completeness, counted, duration, grouped, metadata, moment, reasonWords, sessionStatuses, shortMoment, titleOf, wait } from './words.js';

const none = '–';
const kept = 'verbatim.columns';

/** ms; of one that has not ended, until now. */
export function lengthOf({ status, created_at: from, ended_at: to, attempts }) {
  const begun = attempts[0]?.started_at ?? from;
  if (to) return new Date(to) - new Date(begun);
  return status === 'live' ? Date.now() - new Date(begun) : undefined;
}

export const latencyOf = ({ responses }) => responses.first_audio_ms?.mean;

function endOf(session) {
  if (session.status !== 'final')
    return element('span', { class: `badge ${session.status}` }, sessionStatuses[session.status]);
  return [
    element('span', { class: `badge ${session.complete ? '' : 'bad'}` }, reasonWords(session.close_reason) ?? 'ended'),
    ' ',
    !session.complete && completeness(session),
  ];
}

function conversationOf(session) {
  const { id, attempts, snippet } = session;
  return [
    element('a', { class: 'title', href: `#/sessions/${encodeURIComponent(id)}` }, session.first_words ? titleOf(session) : id),
    element(
      'span',
      { class: 'below' },
      snippet ? element('q', { class: 'snippet' }, snippet) : session.first_words && element('span', { class: 'id' }, id),
      attempts.length > 1 && element('span', {}, counted(attempts.length, 'attempt')),
      metadata(session.metadata),
    ),
  ];
}

/** `of(session, prices)` fills a cell; `csv` gives its plain value; `sort` are the API's names, first click first. */
export const columns = [
  { name: 'conversation', label: 'Conversation', always: true, of: conversationOf, csv: ({ first_words: words }) => words ?? '' },
  { name: 'user', label: 'User', sort: ['user', '-user'], of: ({ user }) => user, csv: ({ user }) => user },
  {
    name: 'started',
    label: 'Started',
    sort: ['-created_at', 'created_at'],
    of: ({ created_at: at }) => element('time', { datetime: at, title: moment(at) }, shortMoment(at)),
    csv: ({ created_at: at }) => at,
  },
  {
    name: 'length',
    label: 'Length',
    number: true,
    of: (session) => duration(lengthOf(session) ?? NaN) ?? none,
    csv: (session) => Math.round((lengthOf(session) ?? 0) / 1000),
    unit: 'seconds',
  },
  { name: 'turns', label: 'Turns', number: true, of: ({ turns }) => grouped(turns), csv: ({ turns }) => turns },
  {
    name: 'latency',
    label: 'First audio',
    number: true,
    of: (session) => (latencyOf(session) === undefined ? none : wait(latencyOf(session))),
    csv: (session) => Math.round(latencyOf(session) ?? 0) || '',
    unit: 'ms',
  },
  {
    name: 'tokens',
    label: 'Tokens',
    number: true,
    of: ({ usage }) => (usage.total_tokens ? grouped(usage.total_tokens) : none),
    csv: ({ usage }) => usage.total_tokens,
  },
  {
    name: 'cost',
    label: 'Cost',
    number: true,
    of: (session, prices) => {
      const cost = costOfSession(session, prices);
      return cost === undefined ? none : money(cost, prices);
    },
    csv: (session, prices) => costOfSession(session, prices)?.toFixed(6) ?? '',
  },
  {
    name: 'ended',
    label: 'How it ended',
    sort: ['-ended_at', 'ended_at'],
    of: endOf,
    csv: ({ status, close_reason: reason }) => reason ?? status,
  },
];

/** Without prices there are no costs to show. */
export function shownColumns(prices) {
  let hidden = [];
  try {
    hidden = JSON.parse(localStorage.getItem(kept) ?? '[]');
  } catch {
    // a value of another version
  }
  return columns.filter(
    ({ name, always }) => always || (!hidden.includes(name) && (name !== 'cost' || prices.prices.length > 0)),
  );
}

export function columnMenu(prices, changed) {
  const shown = shownColumns(prices);
  const boxes = columns
    .filter(({ always, name }) => !always && (name !== 'cost' || prices.prices.length > 0))
    .map((column) => {
      const box = element('input', { type: 'checkbox', value: column.name });
      box.checked = shown.includes(column);
      box.addEventListener('change', () => {
        localStorage.setItem(kept, JSON.stringify(boxes.filter((one) => !one.checked).map(({ value }) => value)));
        changed();
      });
      return box;
    });
  const labelOf = (box) => columns.find(({ name }) => name === box.value).label;
  return menu('Columns', boxes.map((box) => element('label', { class: 'check' }, box, labelOf(box))), { class: 'small' });
}

/** Rows of a spreadsheet. Text that a spreadsheet would run as a formula gets an apostrophe. */
export function csvOf(sessions, prices) {
  const cellOf = (value) => {
    const text = String(value ?? '');
    const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+$/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const head = ['id', ...columns.map(({ name, unit }) => (unit ? `${name}_${unit}` : name)), 'complete'];
  const rows = sessions.map((session) => [session.id, ...columns.map(({ csv }) => csv(session, prices)), session.complete]);
  return [head, ...rows].map((row) => row.map(cellOf).join(',')).join('\r\n') + '\r\n';
}
