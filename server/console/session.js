// One session: what was said in each attempt, when, by whose account, and how complete that is.
import { Refused, call, read, sessionPath } from './api.js';
import { choice, element, facts, labelled, problem } from './dom.js';
import { digest } from './receipt.js';
import { completeness, metadata } from './sessions.js';
import { Timeline } from './timeline.js';
import { TurnList, fromApi } from './turns.js';
import { watch } from './watch.js';
import { between, counted, gapWords, moment, reasonWords, sessionStatuses } from './words.js';

const formats = [['json', 'json'], ['jsonl', 'jsonl'], ['text', 'txt'], ['markdown', 'md'], ['vtt', 'vtt'], ['srt', 'srt']];

export async function show({ page, heading, id, query, signal }) {
  heading.replaceChildren('Session ', element('span', { class: 'id' }, id));
  const session = await found(id, signal);
  if (!session) {
    page.append(problem('There is no such session, or it has been erased. '), element('p', {},
      element('a', { href: '#/sessions' }, 'To all sessions')));
    return;
  }
  const summary = element('div');
  const refresh = async () => summary.replaceChildren(summaryOf(await read(sessionPath(id), { signal })));
  summary.append(summaryOf(session));
  page.append(summary);
  const numbers = session.attempts.map(({ attempt }) => attempt);
  if (numbers.length === 0 && session.turns === 0) {
    page.append(element('p', { class: 'empty' }, 'Nobody has begun this session yet. What is said will appear here.'));
  }
  const chosen = chosenAttempts(query, numbers, session.attempt);
  if (numbers.length > 1) page.append(chooser(id, session.attempts, chosen));
  page.append(exports(id, chosen));
  const columns = chosen.map((number) => new Attempt({ id, number, titled: numbers.length > 1, signal, refresh,
    live: number === Math.max(...numbers, session.attempt) }));
  page.append(element('div', { class: `attempts of-${columns.length}` }, columns.map((column) => column.element)));
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

/** ?attempt=1 or ?attempt=1,2; the latest, if that says nothing. */
function chosenAttempts(query, numbers, latest) {
  const asked = (query.get('attempt') ?? '').split(',').map(Number).filter((number) => numbers.includes(number));
  return asked.length > 0 ? [...new Set(asked)].slice(0, 2) : [latest];
}

function chooser(id, attempts, chosen) {
  const named = attempts.map(({ attempt, status, close_reason: reason }) =>
    [String(attempt), `${attempt} · ${status === 'final' ? reasonWords(reason) ?? 'ended' : sessionStatuses[status]}`]);
  const first = choice({}, named, String(chosen[0]));
  const second = choice({}, [['', 'nothing'], ...named], chosen[1] ? String(chosen[1]) : '');
  const go = () => {
    const asked = [first.value, second.value].filter((number, at) => number && (at === 0 || number !== first.value));
    location.hash = `#/sessions/${encodeURIComponent(id)}?attempt=${asked.join(',')}`;
  };
  first.addEventListener('change', go);
  second.addEventListener('change', go);
  return element('div', { class: 'chooser' }, labelled('Attempt', first), labelled('beside it', second));
}

function summaryOf(session) {
  const { usage } = session;
  const over = session.status === 'final';
  const tokens = usage.total_tokens > 0 &&
    `${usage.total_tokens} tokens (${usage.input_tokens} in, ${usage.output_tokens} out)`;
  const { input, output } = usage.audio_seconds;
  const audio = input + output > 0 && `${input.toFixed(1)} s in, ${output.toFixed(1)} s out`;
  const models = [...new Set(session.attempts.map(({ model }) => model))].filter(Boolean).join(', ');
  return facts([
    ['User', session.user],
    ['Status', element('span', { class: `badge ${session.status}` }, sessionStatuses[session.status])],
    ['How it ended', over ? reasonWords(session.close_reason) : null],
    ['Complete', over ? completeness(session) : null],
    ['Began', moment(session.created_at)],
    ['Lasted', between(session.created_at, session.ended_at)],
    ['Turns', String(session.turns)],
    ['Model', models],
    ['Used', tokens],
    ['Audio', audio],
    ['Metadata', metadata(session.metadata)],
    ['Again', session.status !== 'live' && element('a', { href: `#/talk?${new URLSearchParams({ session: session.id })}` },
      session.status === 'final' ? 'Another attempt' : 'Go on with it')],
  ]);
}

function exports(id, chosen) {
  const said = element('span', { class: 'hint', role: 'status' });
  const attempt = chosen.length > 1 ? 'all' : chosen[0];
  const button = ([format, ending]) => element('button', { type: 'button', on: { click: async () => {
    said.textContent = '';
    try {
      const answer = await call(`${sessionPath(id)}/transcript?attempt=${attempt}&format=${format}`);
      const name = `${id}${attempt === 'all' ? '' : `-${attempt}`}.${ending}`;
      download(await answer.blob(), name);
      said.textContent = `${name} is in your downloads.`;
    } catch (error) {
      said.textContent = error.message;
    }
  } } }, format);
  return element('div', { class: 'exports', role: 'group', 'aria-label': 'Export' },
    element('span', { class: 'label', 'aria-hidden': 'true' }, 'Export'), formats.map(button), said);
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

class Attempt {
  #id;
  #number;
  #signal;
  #refresh;
  #live;
  #turns = new Map(); // by ordinal, in the API's shape
  #copies = []; // whose copies the transcript is merged from
  #list;
  #timeline;
  #state = element('p', { class: 'hint', role: 'status' });
  #trouble = element('div');
  #writers = element('p', { class: 'hint' });
  #gaps = element('div');
  #receipt = element('div');

  constructor({ id, number, titled, live, signal, refresh }) {
    this.#id = id;
    this.#number = number;
    this.#signal = signal;
    this.#refresh = refresh;
    this.#live = live;
    const prefix = `attempt-${number}-turn`;
    this.#list = new TurnList({ label: `Transcript of attempt ${number}`, keyOf: ({ ordinal }) => ordinal, prefix });
    this.#timeline = new Timeline({ prefix, title: `Attempt ${number}`, chosen: ({ ordinal }) => {
      const row = document.getElementById(`${prefix}-${ordinal}`);
      row?.scrollIntoView({ block: 'center' });
      row?.focus({ preventScroll: true });
    } });
    this.element = element('section', { class: 'attempt', 'aria-label': `Attempt ${number}` },
      element('h2', {}, titled ? `Attempt ${number}` : 'Conversation'), this.#state, this.#trouble,
      this.#timeline.element, this.#writers, this.#gaps, this.#list.element, this.#receipt);
  }

  async load() {
    await this.#read();
    if (this.#state.dataset.status !== 'final' && this.#live) this.#watch();
  }

  async #read() {
    const path = `${sessionPath(this.#id)}/transcript?attempt=${this.#number}`;
    const transcript = await read(path, { signal: this.#signal });
    const { turns, writers, gaps, receipt } = transcript;
    this.#turns = new Map(turns.map((turn) => [turn.ordinal, turn]));
    this.#copies = writers;
    this.#showTurns();
    this.#showState(transcript);
    this.#writers.textContent = writersOf(writers);
    this.#gaps.replaceChildren(...(gaps.length ? [gapsOf(gaps)] : []));
    this.#receipt.replaceChildren(...(receipt ? [await receiptOf(transcript)] : []));
  }

  async #watch() {
    const signal = this.#signal;
    try {
      await watch(this.#id, {
        attempt: this.#number,
        signal,
        told: (name, data) => {
          if (name === 'turn') this.#turns.set(data.ordinal, data);
          if (name === 'session') this.#dropBehind(data);
          this.#showTurns();
        },
        away: (lost) => {
          this.#trouble.replaceChildren(...(lost ? [problem('The relay can not be reached. Trying again…')] : []));
        },
      });
      // It is over: what only the whole transcript tells, the receipt among it.
      await this.#read();
      await this.#refresh();
    } catch (error) {
      if (!signal.aborted) this.#trouble.replaceChildren(problem(`Not followed any more: ${error.message}`));
    }
  }

  #dropBehind(state) {
    const ordinals = [...this.#turns.keys()].sort((a, b) => a - b);
    for (const ordinal of ordinals.slice(state.turns)) this.#turns.delete(ordinal);
    this.#showState(state);
  }

  #showState({ status, close_reason: reason, complete, ended_at: ended }) {
    this.#state.dataset.status = status;
    this.#state.textContent = status === 'final'
      ? `Ended ${moment(ended)}: ${reasonWords(reason) ?? 'no reason is known'}. ${complete ? 'Complete.' : 'Incomplete.'}`
      : `${capital(sessionStatuses[status])}. What is said appears here.`;
  }

  #showTurns() {
    const turns = [...this.#turns.values()].sort((a, b) => a.ordinal - b.ordinal).map(fromApi);
    this.#list.update(turns, this.#copies);
    this.#timeline.update(turns);
  }
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);

function writersOf(writers) {
  if (writers.length === 0) return '';
  if (writers.length === 1) return `Written by ${writers[0]}.`;
  const [last, ...others] = writers.toReversed();
  return `Merged from the copies of ${others.reverse().join(', ')} and ${last}. All of them have each turn, but where it says so.`;
}

function gapsOf(gaps) {
  return element('div', { class: 'gaps' }, element('p', {}, 'Known to be missing:'),
    element('ul', {}, gaps.map((gap) => element('li', {}, gapWords(gap),
      Number.isInteger(gap.after) && ` (after turn ${gap.after})`,
      gap.item_id && element('span', { class: 'id' }, ` ${gap.item_id}`)))));
}

async function receiptOf(transcript) {
  const { receipt } = transcript;
  const same = (await digest(transcript)) === receipt.sha256;
  const checked = same ? element('span', { class: 'good' }, 'This page has computed the same from the turns above.')
    : element('span', { class: 'bad' }, 'It is not that of the turns above: load the page again.');
  return element('section', { class: 'receipt', 'aria-label': `Receipt of attempt ${transcript.attempt}` }, element('h3', {}, 'Receipt'), facts([
    ['Committed', counted(receipt.committed, 'turn')],
    ['With words', String(receipt.with_text)],
    ['Cut off', String(receipt.interrupted)],
    ['Not transcribed', String(receipt.failed)],
    ['Complete', completeness(receipt)],
  ]), element('p', { class: 'digest' }, element('span', { class: 'label' }, 'SHA-256 '), element('code', {}, receipt.sha256)),
  element('p', { class: 'hint' }, checked));
}
