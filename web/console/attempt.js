// One attempt of a session: its timeline, turns, writers, gaps and receipt.
import { Refused, read, sessionPath } from './api.js';
import { element, facts, problem } from './dom.js';
import { digest } from './receipt.js';
import { completeness } from './sessions.js';
import { Timeline } from './timeline.js';
import { inPlace } from './tools.js';
import { TurnList, fromApi } from './turns.js';
import { watch } from './watch.js';
import { counted, gapWords, moment, reasonWords, sessionStatuses } from './words.js';

export class Attempt {
  #id;
  #number;
  #signal;
  #refresh;
  #live;
  #turns = new Map(); // by ordinal, in the API's form
  #calls = new Map(); // tool calls, by number
  #copies = []; // the writers whose copies are merged
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
    this.#list = new TurnList({
      label: `Transcript of attempt ${number}`,
      keyOf: ({ ordinal, number }) => ordinal ?? `tool-${number}`,
      prefix,
    });
    this.#timeline = new Timeline({
      prefix,
      title: `Attempt ${number}`,
      chosen: ({ ordinal }) => {
        const row = document.getElementById(`${prefix}-${ordinal}`);
        row?.scrollIntoView({ block: 'center' });
        row?.focus({ preventScroll: true });
      },
    });
    this.element = element(
      'section',
      { class: 'attempt', 'aria-label': `Attempt ${number}` },
      element('h2', {}, titled ? `Attempt ${number}` : 'Conversation'),
      this.#state,
      this.#trouble,
      this.#timeline.element,
      this.#writers,
      this.#gaps,
      this.#list.element,
      this.#receipt,
    );
  }

  async load() {
    await this.#read();
    if (this.#state.dataset.status !== 'final' && this.#live) this.#watch();
  }

  async #read() {
    const transcript = await this.#transcript();
    if (!transcript) {
      this.#showState({ status: 'created' });
      return;
    }
    const { turns, tool_calls: calls, writers, gaps, receipt } = transcript;
    this.#calls = new Map(calls.map((call, at) => [at + 1, { ...call, number: at + 1 }]));
    this.#turns = new Map(turns.map((turn) => [turn.ordinal, turn]));
    this.#copies = writers;
    this.#showTurns();
    this.#showState(transcript);
    this.#writers.textContent = writersOf(writers);
    this.#gaps.replaceChildren(...(gaps.length ? [gapsOf(gaps)] : []));
    this.#receipt.replaceChildren(...(receipt ? [await receiptOf(transcript)] : []));
  }

  /** The transcript, or undefined if the session has not started. */
  async #transcript() {
    const path = `${sessionPath(this.#id)}/transcript?attempt=${this.#number}`;
    try {
      return await read(path, { signal: this.#signal });
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return undefined;
      throw error;
    }
  }

  async #watch() {
    const signal = this.#signal;
    try {
      await watch(this.#id, {
        attempt: this.#number,
        signal,
        receive: (name, data) => {
          if (name === 'turn') this.#turns.set(data.ordinal, data);
          if (name === 'tool_call') this.#calls.set(data.number, data);
          if (name === 'session') this.#dropBehind(data);
          this.#showTurns();
        },
        away: (lost) => {
          this.#trouble.replaceChildren(
            ...(lost ? [problem('The relay cannot be reached. Trying again…')] : []),
          );
        },
      });
      // The attempt has ended: load the whole transcript, with the receipt.
      await this.#read();
      await this.#refresh();
    } catch (error) {
      if (!signal.aborted) this.#trouble.replaceChildren(problem(`Live updates stopped: ${error.message}`));
    }
  }

  #dropBehind(state) {
    const ordinals = [...this.#turns.keys()].sort((a, b) => a - b);
    for (const ordinal of ordinals.slice(state.turns)) this.#turns.delete(ordinal);
    for (const number of [...this.#calls.keys()]) if (number > state.tool_calls) this.#calls.delete(number);
    const begun = this.#state.dataset.status === 'created' && state.status !== 'created';
    this.#showState(state);
    if (begun) this.#refresh().catch(() => {}); // refreshed again at the end
  }

  #showState({ status, close_reason: reason, complete, ended_at: ended }) {
    this.#state.dataset.status = status;
    this.#state.textContent =
      status === 'final'
        ? `Ended ${moment(ended)}: ${reasonWords(reason) ?? 'reason unknown'}. ` +
          (complete ? 'Complete.' : 'Incomplete.')
        : `${capital(sessionStatuses[status])}. New turns appear here.`;
  }

  #showTurns() {
    const turns = [...this.#turns.values()].sort((a, b) => a.ordinal - b.ordinal).map(fromApi);
    const calls = [...this.#calls.values()].sort((a, b) => a.number - b.number);
    this.#list.update(inPlace(turns, calls), this.#copies);
    this.#timeline.update(turns);
  }
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);

function writersOf(writers) {
  if (writers.length === 0) return '';
  if (writers.length === 1) return `Written by ${writers[0]}.`;
  const [last, ...others] = writers.toReversed();
  const names = `${others.reverse().join(', ')} and ${last}`;
  return `Merged from the copies of ${names}. Every writer supplied every turn unless noted.`;
}

function gapsOf(gaps) {
  return element(
    'div',
    { class: 'gaps' },
    element('p', {}, 'Known to be missing:'),
    element(
      'ul',
      {},
      gaps.map((gap) =>
        element(
          'li',
          {},
          gapWords(gap),
          Number.isInteger(gap.after) && ` (after turn ${gap.after})`,
          gap.item_id && element('span', { class: 'id' }, ` ${gap.item_id}`),
        ),
      ),
    ),
  );
}

function toolCalls({ tool_calls: all, tool_calls_failed: failed, tool_calls_unanswered: unanswered }) {
  const remarks = [failed > 0 && `${failed} failed`, unanswered > 0 && `${unanswered} without output`];
  return [String(all), ...remarks.filter(Boolean)].join(', ');
}

async function receiptOf(transcript) {
  const { receipt } = transcript;
  const same = (await digest(transcript)) === receipt.sha256;
  const checked = same
    ? element('span', { class: 'good' }, 'This page computed the same digest from the turns above.')
    : element('span', { class: 'bad' }, 'This is not the digest of the turns above. Reload the page.');
  return element(
    'section',
    { class: 'receipt', 'aria-label': `Receipt of attempt ${transcript.attempt}` },
    element('h3', {}, 'Receipt'),
    facts([
      ['Committed', counted(receipt.committed, 'turn')],
      ['With text', String(receipt.with_text)],
      ['Cut off', String(receipt.interrupted)],
      ['Transcription failed', String(receipt.failed)],
      ['Tool calls', toolCalls(receipt)],
      ['Transcript', completeness(receipt)],
    ]),
    element(
      'p',
      { class: 'digest' },
      element('span', { class: 'label' }, 'SHA-256 '),
      element('code', {}, receipt.sha256),
    ),
    element('p', { class: 'hint' }, checked),
  );
}
