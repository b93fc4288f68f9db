// The page of one session: its conversation, its facts beside it, its raw events, or two attempts side by side.
import { Refused, read, sessionPath } from './api.js';
import { Attempt } from './attempt.js';
import { eraseSession, endSession } from './ending.js';
import { costOf, costOfSession, money, pricing } from './costs.js';
import { choice, element, facts, labelled, problem } from './dom.js';
import { exportMenu } from './exports.js';
import { rawView } from './raw.js';
import { copyButton, tabs } from './ui.js';
import { between, completeness, grouped, metadata, moment, reasonWords, sessionStatuses, titleOf, wait } from './words.js';

export async function show({ page, heading, id, query, signal, arrived }) {
  heading.textContent = id;
  let session = await found(id, signal);
  const prices = await pricing();
  if (signal.aborted) return;
  arrived();
  if (!session) {
    page.append(
      problem('There is no such session, or it has been erased. '),
      element('p', {}, element('a', { href: '#/sessions' }, 'All sessions')),
    );
    return;
  }
  const numbers = session.attempts.map(({ attempt }) => attempt);
  const chosen = chosenAttempts(query, numbers, session.attempt);
  const head = element('div', { class: 'head' });
  const side = element('aside', { class: 'side', 'aria-label': 'Facts' });
  const comparison = element('div');
  const paint = () => {
    const title = titleOf(session);
    heading.textContent = title;
    document.title = `${title} · Verbatim`;
    head.replaceChildren(...headOf(heading, session, chosen, refresh));
    side.replaceChildren(...sideOf(session, prices));
    if (chosen.length > 1) comparison.replaceChildren(comparisonOf(session, chosen, prices));
  };
  const refresh = async () => {
    session = await read(sessionPath(id), { signal });
    paint();
  };
  paint();
  const columns = chosen.map(
    (number) =>
      new Attempt({
        id,
        number,
        titled: numbers.length > 1,
        signal,
        refresh,
        prices,
        live: number === Math.max(...numbers, session.attempt),
        summary: () => session.attempts.find(({ attempt }) => attempt === number),
        recording: () => session.recording,
      }),
  );
  const conversation = element(
    'div',
    { class: `attempts of-${columns.length}` },
    columns.map((column) => column.element),
  );
  const content =
    columns.length > 1 ? [comparison, conversation] : [viewsOf({ id, query, session, chosen, conversation, signal })];
  const chooserRow = numbers.length > 1 ? [chooser(id, session.attempts, chosen)] : [];
  if (columns.length > 1) page.append(head, ...chooserRow, ...content);
  else page.append(head, element('div', { class: 'layout' }, element('div', {}, ...chooserRow, ...content), side));
  await Promise.all(columns.map((column) => column.load()));
  if (query.get('turn')) columns[0].goTo(query.get('turn'), { linked: true });
}

function viewsOf({ id, query, session, chosen: [number], conversation, signal }) {
  const live = session.status !== 'final' && session.status !== 'created' && number === session.attempt;
  let raw;
  const list = [
    { name: 'conversation', label: 'Conversation', show: () => conversation },
    { name: 'raw', label: 'Raw events', show: () => (raw ??= rawView({ id, number, live, signal })) },
  ];
  // The address follows, without reading the page again.
  const chosen = (name) => {
    const asked = new URLSearchParams(query);
    asked.delete('view');
    if (name !== 'conversation') asked.set('view', name);
    const text = asked.size ? `?${asked}` : '';
    history.replaceState(null, '', `#/sessions/${encodeURIComponent(id)}${text}`);
  };
  return tabs('Views', list, query.get('view') === 'raw' ? 'raw' : 'conversation', chosen);
}

async function found(id, signal) {
  try {
    return await read(sessionPath(id), { signal });
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return undefined;
    throw error;
  }
}

/** From ?attempt=1 or ?attempt=1,2; without them, the latest attempt. */
function chosenAttempts(query, numbers, latest) {
  const asked = (query.get('attempt') ?? '')
    .split(',')
    .map(Number)
    .filter((number) => numbers.includes(number));
  return asked.length > 0 ? [...new Set(asked)].slice(0, 2) : [latest];
}

function chooser(id, attempts, chosen) {
  const named = attempts.map(({ attempt, status, close_reason: reason }) => [
    String(attempt),
    `${attempt} · ${status === 'final' ? (reasonWords(reason) ?? 'ended') : sessionStatuses[status]}`,
  ]);
  const first = choice({}, named, String(chosen[0]));
  const second = choice({}, [['', 'none'], ...named], chosen[1] ? String(chosen[1]) : '');
  const go = () => {
    const asked = [first.value, second.value].filter(
      (number, at) => number && (at === 0 || number !== first.value),
    );
    location.hash = `#/sessions/${encodeURIComponent(id)}?attempt=${asked.join(',')}`;
  };
  first.addEventListener('change', go);
  second.addEventListener('change', go);
  return element('div', { class: 'chooser' }, labelled('Attempt', first), labelled('Compare with', second));
}

function headOf(heading, session, chosen, refresh) {
  const { id, status } = session;
  const captured = session.attempts.filter((one) => one.captured && chosen.includes(one.attempt));
  const open = status === 'live' || status === 'detached' || status === 'recovering';
  const end = element('button', { type: 'button', class: 'danger' }, 'End');
  end.addEventListener('click', () => endSession(id, end, refresh));
  const erase = element('button', { type: 'button', class: 'danger' }, 'Erase');
  erase.addEventListener('click', () => eraseSession(id, erase));
  const talk = element(
    'a',
    { class: 'button', href: `#/talk?${new URLSearchParams({ session: id })}` },
    status === 'final' ? 'Start another attempt' : 'Continue this session',
  );
  return [
    element(
      'div',
      {},
      heading,
      element(
        'p',
        { class: 'under' },
        element('span', { class: `badge ${status}` }, sessionStatuses[status]),
        element('span', { class: 'id' }, id),
        copyButton(id, 'Copy the id of the session'),
      ),
    ),
    element('div', { class: 'buttons' }, status !== 'live' && talk, exportMenu(id, chosen, captured.map(({ attempt }) => attempt)), open ? end : erase),
  ];
}

const tokensOf = ({ total_tokens: all, input_tokens: input, output_tokens: output }) =>
  all > 0 && `${grouped(all)} (${grouped(input)} in, ${grouped(output)} out)`;

function audioOf({ audio_seconds: { input, output } }) {
  return input + output > 0 && `${input.toFixed(1)} s in, ${output.toFixed(1)} s out`;
}

function waitsOf({ first_audio_ms: waits }) {
  if (!waits) return null;
  return waits.count > 1 ? `${wait(waits.mean)} mean, ${wait(waits.max)} longest` : wait(waits.max);
}

function sideOf(session, prices) {
  const { usage, responses, attempts } = session;
  const over = session.status === 'final';
  const models = [...new Set(attempts.map(({ model }) => model))].filter(Boolean).join(', ');
  const cost = costOfSession(session, prices);
  const statuses = Object.entries(responses.by_status).map(([name, number]) => `${number} ${name}`);
  const section = (title, entries, ...more) => element('section', {}, element('h2', {}, title), facts(entries), ...more);
  return [
    section('Conversation', [
      ['User', element('a', { href: `#/sessions?${new URLSearchParams({ user: session.user })}` }, session.user)],
      ['How it ended', over ? reasonWords(session.close_reason) : null],
      ['Transcript', over ? completeness(session) : null],
      ['Started', moment(session.created_at)],
      ['Duration', between(session.created_at, session.ended_at)],
      ['Turns', String(session.turns)],
      ['Attempts', attempts.length > 1 && String(attempts.length)],
      ['Metadata', metadata(session.metadata)],
      ['Private metadata', metadata(session.private ?? {})],
    ]),
    section('The model', [
      ['Model', models],
      ['First audio', waitsOf(responses)],
      ['Answers', statuses.join(', ')],
      ['Last reason', responses.last_reason],
      ['Tokens', tokensOf(usage)],
      ['Audio', audioOf(usage)],
      ['Cost', cost !== undefined && money(cost, prices)],
      ['The provider’s session', session.provider.session_id && element('span', { class: 'id' }, session.provider.session_id)],
    ]),
  ];
}

/** The facts of two attempts beside each other; those that differ are marked. */
function comparisonOf(session, chosen, prices) {
  const both = chosen.map((number) => session.attempts.find(({ attempt }) => attempt === number));
  const rows = [
    ['How it ended', ({ status, close_reason: reason }) => (status === 'final' ? reasonWords(reason) : sessionStatuses[status])],
    ['Transcript', ({ complete }) => (complete ? 'complete' : 'incomplete')],
    ['Duration', ({ started_at: from, ended_at: to }) => between(from, to)],
    ['Turns', ({ turns }) => String(turns)],
    ['Model', ({ model }) => model],
    ['First audio', ({ responses }) => waitsOf(responses)],
    ['Tokens', ({ usage }) => tokensOf(usage)],
    ['Cost', ({ usage, model }) => {
      const cost = costOf(usage, model, prices);
      return cost !== undefined && money(cost, prices);
    }],
    ['Incidents', ({ incidents }) => String(incidents?.length ?? 0)],
  ];
  return element(
    'table',
    { class: 'comparison' },
    element('caption', { class: 'unseen' }, 'The attempts compared'),
    element('thead', {}, element('tr', {}, element('td'), chosen.map((number) => element('th', { scope: 'col' }, `Attempt ${number}`)))),
    element(
      'tbody',
      {},
      rows.map(([name, of]) => {
        const values = both.map((one) => of(one) || '–');
        const differ = values[0] !== values[1];
        return element(
          'tr',
          {},
          element('th', { scope: 'row' }, name),
          values.map((value) => element('td', { class: differ && 'other' }, value)),
        );
      }),
    ),
  );
}
