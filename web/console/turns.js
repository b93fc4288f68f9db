// A conversation as a list in one column: turns, tool calls and incidents.
import { element } from './dom.js';
import { differences } from './differences.js';
import { rowOfIncident } from './incidents.js';
import { rowOfCall } from './tools.js';
import { chip, copyButton } from './ui.js';
import { between, clock, offset, roles, turnStatusWords } from './words.js';

/** Converts a turn of the API into the form that the client library uses. */
export function fromApi(turn) {
  return {
    ...turn,
    itemId: turn.item_id,
    startedAt: turn.started_at,
    endedAt: turn.ended_at,
    heard: turn.heard && { audioMs: turn.heard.audio_ms, text: turn.heard.text },
  };
}

export class TurnList {
  #list;
  #shown = new Map(); // by key: { row, signature }
  #keyOf;
  #prefix;
  #extras;

  /**
   * `keyOf(turn)` identifies a turn while its content changes. `extras(turn)` may return {chips, after}: chips beside
   * the speaker, and elements below the words; `link` in it is the address of the turn, and `play()` plays it. Its
   * `signature` decides whether the row is made again.
   */
  constructor({ label, keyOf, prefix = 'turn', extras = () => ({}) }) {
    this.#keyOf = keyOf;
    this.#prefix = prefix;
    this.#extras = extras;
    this.#list = element('ol', { class: 'transcript', 'aria-label': label });
  }

  get element() {
    return this.#list;
  }

  /**
   * Shows turns, with tool calls (tools.js) and incidents (incidents.js) between them. Replaces only the rows that
   * changed, so that a selection or an open detail stays. `writers` are those of the whole transcript; a turn names
   * its writers only if one of them lacks it.
   */
  update(turns, writers = []) {
    const rows = turns.map((turn) => {
      const key = this.#keyOf(turn);
      const extras = this.#extras(turn) ?? {};
      const signature = JSON.stringify([turn, writers, extras.signature]);
      const known = this.#shown.get(key);
      if (known?.signature === signature) return known.row;
      const row = made(turn, `${this.#prefix}-${key}`, writers, extras);
      if (known) known.row.replaceWith(row);
      this.#shown.set(key, { row, signature });
      return row;
    });
    for (const row of [...this.#list.children]) if (!rows.includes(row)) row.remove();
    rows.forEach((row, at) => {
      if (this.#list.children[at] !== row) this.#list.insertBefore(row, this.#list.children[at] ?? null);
    });
  }
}

function made(turn, id, writers, extras) {
  if (turn.incident) return rowOfIncident(turn, id);
  return turn.kind ? rowOfCall(turn, id, extras) : rowOf(turn, id, writers, extras);
}

function rowOf(turn, id, writers, { chips = [], after = [], link, play }) {
  const time =
    turn.startedAt &&
    element(
      'time',
      { datetime: turn.startedAt, title: between(turn.startedAt, turn.endedAt) },
      clock(turn.startedAt),
    );
  const speaker = roles[turn.role] ?? turn.role;
  return element(
    'li',
    { class: `turn ${turn.role} ${turn.status}`, id, tabindex: '-1' },
    element(
      'div',
      { class: 'who' },
      element('span', { class: 'role' }, speaker),
      play && time ? playButton(time, play) : time,
      heardChip(turn),
      chips,
      element(
        'span',
        { class: 'acts' },
        turn.text && copyButton(turn.text, `Copy the words of ${speaker}, ${clock(turn.startedAt) ?? 'without a time'}`),
        link && copyButton(link, `Copy a link to this turn`, 'Link'),
      ),
    ),
    element('div', { class: 'said' }, words(turn), notes(turn), provenance(turn, writers), after),
  );
}

const playButton = (time, play) =>
  element(
    'button',
    { type: 'button', class: 'quiet from-here', title: 'Play from here', 'aria-label': `Play from ${time.textContent}`, on: { click: play } },
    time,
  );

function heardChip({ status, heard }) {
  if (status !== 'truncated' || !heard) return false;
  return chip(`${offsetSeconds(heard.audioMs)} heard`, { kind: 'warn', title: 'The user talked over this answer.' });
}

function words(turn) {
  if (turn.deleted && !turn.text)
    return element('p', { class: 'words none' }, 'Deleted in the conversation.');
  if (!turn.text) return element('p', { class: 'words none' }, wordless(turn));
  if (turn.status === 'in_progress') return element('p', { class: 'words partial' }, turn.text.trimStart());
  const heard = turn.heard?.text;
  if (typeof heard !== 'string' || !turn.text.startsWith(heard)) return element('p', { class: 'words' }, turn.text);
  const unheard = turn.text.slice(heard.length);
  return element(
    'p',
    { class: 'words' },
    heard,
    unheard &&
      element(
        's',
        { class: 'unheard' },
        element('span', { class: 'unseen' }, ' [not heard:] '),
        unheard,
        element('span', { class: 'unseen' }, ' [end]'),
      ),
  );
}

const withoutWords = {
  in_progress: '…',
  interrupted: 'Cut off before any text.',
  cancelled: 'Cancelled before any text.',
  failed: 'Failed before any text.',
};

const wordless = ({ role, status }) =>
  status === 'failed' && role === 'user' ? 'This could not be transcribed.' : (withoutWords[status] ?? 'No text.');

function notes(turn) {
  const said = [];
  if (turn.status === 'in_progress') said.push('still speaking');
  else if (turn.status === 'truncated' && turn.heard)
    said.push(`talked over: ${offsetSeconds(turn.heard.audioMs)} were heard`);
  else if (turn.status !== 'completed') said.push(turnStatusWords(turn));
  if (turn.reason) said.push(turn.reason);
  if (turn.deleted) said.push('deleted in the conversation');
  return said.length > 0 && element('p', { class: 'note' }, said.join(' · '));
}

const offsetSeconds = (ms) => (ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${offset(ms)} min`);

/** Names the writers of a turn if others lack it, and shows other versions of its text beside it. */
function provenance({ role, text, writers = [], versions = [] }, all) {
  const by = all.every((writer) => writers.includes(writer))
    ? ''
    : `Written by ${writers.join(' and ')} only`;
  if (versions.length === 0) return by && element('p', { class: 'writers' }, by);
  const others = versions.length === 1 ? 'Another version' : `${versions.length} other versions`;
  return element(
    'details',
    { class: 'writers' },
    element('summary', {}, by ? `${by} · ${others}` : others),
    element(
      'div',
      { class: 'writers-side' },
      element('div', {}, element('h4', {}, 'In the transcript'), element('p', {}, text)),
      versions.map((version) => versionBeside(text, { role, ...version })),
    ),
  );
}

function versionBeside(text, { role, writer, status, text: other }) {
  const title = status === 'completed' ? writer : `${writer} (${turnStatusWords({ role, status })})`;
  const marked = differences(text, other).map(({ kind, text: part }) => {
    if (kind === 'same') return part;
    return element(kind === 'added' ? 'ins' : 'del', {}, part);
  });
  return element('div', {}, element('h4', {}, title), element('p', { class: 'version' }, marked));
}
