// The page of one session: its summary, and one or two of its attempts.
import { Refused, read, sessionPath } from './api.js';
import { Attempt } from './attempt.js';
import { choice, element, facts, labelled, problem } from './dom.js';
import { exportButtons } from './exports.js';
import { completeness, metadata } from './sessions.js';
import { between, grouped, moment, reasonWords, sessionStatuses } from './words.js';

export async function show({ page, heading, id, query, signal }) {
  heading.replaceChildren('Session ', element('span', { class: 'id' }, id));
  const session = await found(id, signal);
  if (!session) {
    page.append(
      problem('There is no such session, or it has been erased. '),
      element('p', {}, element('a', { href: '#/sessions' }, 'All sessions')),
    );
    return;
  }
  const summary = element('div');
  const refresh = async () => summary.replaceChildren(summaryOf(await read(sessionPath(id), { signal })));
  summary.append(summaryOf(session));
  page.append(summary);
  const numbers = session.attempts.map(({ attempt }) => attempt);
  const chosen = chosenAttempts(query, numbers, session.attempt);
  if (numbers.length > 1) page.append(chooser(id, session.attempts, chosen));
  const captured = session.attempts.filter((one) => one.captured && chosen.includes(one.attempt));
  page.append(exportButtons(id, chosen, captured.map(({ attempt }) => attempt)));
  const columns = chosen.map(
    (number) =>
      new Attempt({
        id,
        number,
        titled: numbers.length > 1,
        signal,
        refresh,
        live: number === Math.max(...numbers, session.attempt),
      }),
  );
  page.append(
    element(
      'div',
      { class: `attempts of-${columns.length}` },
      columns.map((column) => column.element),
    ),
  );
  await Promise.all(columns.map((column) => column.load()));
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

function summaryOf(session) {
  const { usage } = session;
  const over = session.status === 'final';
  const tokens =
    usage.total_tokens > 0 &&
    `${grouped(usage.total_tokens)} tokens (${grouped(usage.input_tokens)} in, ${grouped(usage.output_tokens)} out)`;
  const { input, output } = usage.audio_seconds;
  const audio = input + output > 0 && `${input.toFixed(1)} s in, ${output.toFixed(1)} s out`;
  const models = [...new Set(session.attempts.map(({ model }) => model))].filter(Boolean).join(', ');
  return facts([
    ['User', session.user],
    ['Status', element('span', { class: `badge ${session.status}` }, sessionStatuses[session.status])],
    ['How it ended', over ? reasonWords(session.close_reason) : null],
    ['Transcript', over ? completeness(session) : null],
    ['Started', moment(session.created_at)],
    ['Duration', between(session.created_at, session.ended_at)],
    ['Turns', String(session.turns)],
    ['Model', models],
    ['Usage', tokens],
    ['Audio', audio],
    ['Metadata', metadata(session.metadata)],
    [
      'Talk',
      session.status !== 'live' &&
        element(
          'a',
          { href: `#/talk?${new URLSearchParams({ session: session.id })}` },
          session.status === 'final' ? 'Start another attempt' : 'Continue this session',
        ),
    ],
  ]);
}
