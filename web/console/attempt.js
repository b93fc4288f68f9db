// One attempt of a session: its timeline, turns, tool calls, incidents, writers, gaps and receipt.
import { Refused, read, sessionPath } from './api.js';
import { costOf, money } from './costs.js';
import { element, facts, problem } from './dom.js';
import { asRows, withIncidents } from './incidents.js';
import { isSlow, waitOf } from './latency.js';
import { captured } from './raw.js';
import { digest } from './receipt.js';
import { Timeline } from './timeline.js';
import { inPlace } from './tools.js';
import { TurnList, fromApi } from './turns.js';
import { chip } from './ui.js';
import { watch } from './watch.js';
import { completeness, counted, gapWords, grouped, moment, reasonWords, sessionStatuses, wait } from './words.js';

const detailsAfter = 1000; // ms after an answer

export class Attempt {
  #id;
  #number;
  #signal;
  #refresh;
  #live;
  #summary; // the attempt in the session's JSON
  #recording; // whether the session was recorded, in its JSON
  #prices;
  #turns = new Map(); // by ordinal, in the API's form
  #calls = new Map(); // tool calls, by number
  #copies = []; // the writers whose copies are merged
  #explained = new Map(); // response id -> the parts of its wait, or null if they are not known
  #events; // the captured ones
  #details; // the timer that reads waits and usage of a live attempt
  #list;
  #timeline;
  #player; // of the recording, if there is one
  #speaking = new Set(); // ids of the items that it plays now
  #state = element('p', { class: 'hint', role: 'status' });
  #trouble = element('div');
  #writers = element('p', { class: 'hint' });
  #gaps = element('div');
  #receipt = element('div');

  /** `summary()` is the attempt and `recording()` a member in the session's JSON; `refresh()` reads it again. */
  constructor({ id, number, titled, live, signal, refresh, summary, recording, prices }) {
    this.#id = id;
    this.#number = number;
    this.#signal = signal;
    this.#refresh = refresh;
    this.#live = live;
    this.#summary = summary;
    this.#recording = recording;
    this.#prices = prices;
    const prefix = `attempt-${number}-turn`;
    this.#list = new TurnList({
      label: `Transcript of attempt ${number}`,
      keyOf: ({ ordinal, number, incident }) => ordinal ?? `${incident ? 'incident' : 'tool'}-${number}`,
      prefix,
      extras: (turn) => this.#extras(turn),
    });
    this.#timeline = new Timeline({
      prefix,
      title: `Attempt ${number}`,
      chosen: ({ ordinal }) => this.goTo(ordinal),
    });
    this.element = element(
      'section',
      { class: 'attempt', 'aria-label': `Attempt ${number}` },
      element('h2', { class: titled ? '' : 'unseen' }, titled ? `Attempt ${number}` : 'Conversation'),
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
    await Promise.all([this.#offerPlayer(), this.#read()]);
    if (this.#state.dataset.status !== 'final' && this.#live) this.#watch();
  }

  /** Shows the player below the timeline if the attempt is over and was recorded. */
  async #offerPlayer() {
    const { status, started_at: startedAt } = this.#summary() ?? {};
    const { state } = this.#recording() ?? {};
    if (this.#player || status !== 'final' || !['kept', 'stopped', 'recording'].includes(state)) return;
    const { Player } = await import('./player.js');
    if (this.#signal.aborted) return;
    const player = new Player({
      id: this.#id,
      number: this.#number,
      startedAt,
      timeline: this.#timeline,
      signal: this.#signal,
      speaking: (items) => {
        this.#speaking = items;
        this.#markSpeaking();
      },
    });
    // Its data may take seconds, and the transcript must not wait for that.
    player.open().then((there) => {
      if (!there) return;
      this.#player = player;
      this.#showTurns();
    });
  }

  #markSpeaking() {
    for (const { ordinal, item_id: item } of this.#turns.values()) {
      const row = document.getElementById(`attempt-${this.#number}-turn-${ordinal}`);
      row?.classList.toggle('speaking', this.#speaking.has(item));
    }
  }

  /** Shows a turn and gives it the focus. */
  goTo(ordinal, { linked = false } = {}) {
    const row = document.getElementById(`attempt-${this.#number}-turn-${ordinal}`);
    row?.scrollIntoView({ block: 'center' });
    row?.focus({ preventScroll: true });
    if (linked) row?.classList.add('linked');
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
          if (name === 'turn') this.#take(data);
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
      await this.#refresh();
      await this.#read();
      await this.#offerPlayer();
    } catch (error) {
      if (!signal.aborted) this.#trouble.replaceChildren(problem(`Live updates stopped: ${error.message}`));
    }
  }

  /** The stream has no waits: they are read a moment after an answer. */
  #take(turn) {
    const known = this.#turns.get(turn.ordinal);
    const wait = known?.item_id === turn.item_id ? known.first_audio_ms : undefined;
    this.#turns.set(turn.ordinal, wait === undefined ? turn : { first_audio_ms: wait, ...turn });
    if (turn.role === 'assistant' && turn.status !== 'in_progress') this.#readDetailsSoon();
  }

  #readDetailsSoon() {
    clearTimeout(this.#details);
    this.#details = setTimeout(async () => {
      try {
        const transcript = await this.#transcript();
        for (const { ordinal, first_audio_ms: wait } of transcript?.turns ?? []) {
          const known = this.#turns.get(ordinal);
          if (known && wait !== undefined) this.#turns.set(ordinal, { ...known, first_audio_ms: wait });
        }
        await this.#refresh();
        this.#showTurns();
      } catch {
        // The stream reports a relay that is away.
      }
    }, detailsAfter);
    this.#signal.addEventListener('abort', () => clearTimeout(this.#details), { once: true });
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
    const summary = this.#summary();
    const usage = new Map((summary?.answers ?? []).map(({ response_id: id, usage: one }) => [id, one]));
    const rows = inPlace(turns, calls).map((row) => {
      const one = usage.get(row.response_id);
      usage.delete(row.response_id); // the usage of an answer stands at its first row only
      return one ? { ...row, usage: one } : row;
    });
    this.#list.update(withIncidents(rows, asRows(summary?.incidents)), this.#copies);
    this.#timeline.update(turns);
    this.#markSpeaking();
  }

  #extras({ ordinal, item_id: item, usage, first_audio_ms: took, response_id: response }) {
    const chips = [];
    const after = [];
    if (took !== undefined) {
      const open = this.#explained.has(response);
      chips.push(
        element(
          'button',
          {
            type: 'button',
            class: `chip ${isSlow(took) ? 'slow' : ''}`,
            'aria-expanded': String(open),
            title: 'From the end of speech, or the request, to the first audio that was sent to the client',
            on: { click: () => this.#explain(response) },
          },
          `first audio ${wait(took)}${isSlow(took) ? ', slow' : ''}`,
        ),
      );
      if (open) after.push(breakdown(this.#explained.get(response), took));
    }
    if (usage) {
      const tokens = `${grouped(usage.input_tokens ?? 0)} in, ${grouped(usage.output_tokens ?? 0)} out`;
      chips.push(chip(`${grouped(usage.total_tokens ?? 0)} tokens`, { title: tokens }));
      const cost = costOf(usage, this.#summary()?.model, this.#prices);
      if (cost !== undefined) chips.push(chip(money(cost, this.#prices)));
    }
    const link =
      ordinal === undefined
        ? undefined
        : `${location.href.split('#')[0]}#/sessions/${encodeURIComponent(this.#id)}?attempt=${this.#number}&turn=${ordinal}`;
    const play = this.#player?.items.has(item) && (() => this.#player.playItem(item));
    return { chips, after, link, play, signature: [took, usage, this.#explained.get(response), this.#explained.has(response), Boolean(play)] };
  }

  /** Shows the parts of the wait for an answer, or hides them again. */
  async #explain(response) {
    if (this.#explained.has(response)) this.#explained.delete(response);
    else {
      this.#events ??= captured(this.#id, this.#number, this.#signal).catch(() => undefined);
      const events = await this.#events;
      this.#explained.set(response, (events && waitOf(events, response)) ?? null);
    }
    this.#showTurns();
    if (this.#state.dataset.status !== 'final') this.#events = undefined; // there will be more
  }
}

function breakdown(parts, took) {
  const whole = `The client waited ${wait(took)} for the first audio.`;
  if (!parts) {
    return element(
      'div',
      { class: 'breakdown' },
      element('p', {}, `${whole} The raw events of this attempt were not captured, so its parts are not known. `, 'Set capture.dir in the configuration to capture those of later conversations.'),
    );
  }
  const longest = parts.reduce((a, b) => (b.ms > a.ms ? b : a), parts[0]);
  const others = took - parts.reduce((sum, { ms }) => sum + ms, 0);
  return element(
    'div',
    { class: 'breakdown' },
    element('p', {}, whole, longest && ` Most of it was the provider’s: ${lower(longest.what)} took ${wait(longest.ms)}.`),
    element(
      'ol',
      {},
      [...parts, ...(others > 5 ? [{ what: 'The relay, its journal, and rounding', ms: others }] : [])].map(({ what, ms }) =>
        element(
          'li',
          {},
          element('span', {}, what),
          element('span', { class: 'ms' }, wait(ms)),
          element('meter', { min: '0', max: String(Math.max(1, took)), value: String(ms), 'aria-hidden': 'true' }),
        ),
      ),
    ),
  );
}

const lower = (words) => words[0].toLowerCase() + words.slice(1);
const capital = (words) => words[0].toUpperCase() + words.slice(1);

function writersOf(writers) {
  if (writers.length === 0 || writers.join() === 'relay') return '';
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
    facts(
      [
        ['Committed', counted(receipt.committed, 'turn')],
        ['With text', String(receipt.with_text)],
        ['Cut off', String(receipt.interrupted)],
        ['Transcription failed', String(receipt.failed)],
        ...(receipt.repaired ? [['Repaired', String(receipt.repaired)]] : []),
        ['Tool calls', toolCalls(receipt)],
        ['Transcript', completeness(receipt)],
      ],
      'row',
    ),
    element(
      'p',
      { class: 'digest' },
      element('span', { class: 'label' }, 'SHA-256 '),
      element('code', {}, receipt.sha256),
    ),
    element('p', { class: 'hint' }, checked),
  );
}
