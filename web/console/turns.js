// A transcript, turn by turn, as it is read: who, when, the words, and what became of them.
import { element } from './dom.js';
import { rowOfCall } from './tools.js';
import { between, clock, offset, roles, turnStatuses } from './words.js';

/** A turn of the API, in the shape in which the client library has turns. */
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

  /** `keyOf(turn)` is what a turn keeps while it changes. */
  constructor({ label, keyOf, prefix = 'turn' }) {
    this.#keyOf = keyOf;
    this.#prefix = prefix;
    this.#list = element('ol', { class: 'transcript', 'aria-label': label });
  }

  get element() {
    return this.#list;
  }

  /**
   * Turns, and tool calls (tools.js) between them. Only what has changed is made anew, so that a
   * selection or an open detail stays. `writers` are
   * those of the whole transcript: a turn that all of them have says nothing of it.
   */
  update(turns, writers = []) {
    const rows = turns.map((turn) => {
      const key = this.#keyOf(turn);
      const signature = JSON.stringify([turn, writers]);
      const known = this.#shown.get(key);
      if (known?.signature === signature) return known.row;
      const id = `${this.#prefix}-${key}`;
      const row = turn.kind ? rowOfCall(turn, id) : rowOf(turn, id, writers);
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

function rowOf(turn, id, writers) {
  const time =
    turn.startedAt &&
    element(
      'time',
      { datetime: turn.startedAt, title: between(turn.startedAt, turn.endedAt) },
      clock(turn.startedAt),
    );
  return element(
    'li',
    { class: `turn ${turn.role} ${turn.status}`, id, tabindex: '-1' },
    element(
      'p',
      { class: 'who' },
      element('span', { class: 'role' }, roles[turn.role] ?? turn.role),
      ' ',
      time,
    ),
    element('div', { class: 'said' }, words(turn), notes(turn), provenance(turn, writers)),
  );
}

function words(turn) {
  if (turn.deleted && !turn.text)
    return element('p', { class: 'words none' }, 'Deleted in the conversation.');
  if (!turn.text) return element('p', { class: 'words none' }, wordless[turn.status] ?? 'No words.');
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

const wordless = {
  in_progress: '…',
  failed: 'This could not be transcribed.',
  interrupted: 'Cut off before there were words.',
  cancelled: 'Cancelled before there were words.',
};

function notes(turn) {
  const said = [];
  if (turn.status === 'in_progress') said.push('still speaking');
  else if (turn.status === 'truncated' && turn.heard)
    said.push(`talked over: ${offsetSeconds(turn.heard.audioMs)} were heard`);
  else if (turn.status !== 'completed') said.push(turnStatuses[turn.status] ?? turn.status);
  if (turn.reason) said.push(turn.reason);
  if (turn.deleted) said.push('deleted in the conversation');
  return said.length > 0 && element('p', { class: 'note' }, said.join(' · '));
}

const offsetSeconds = (ms) => (ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${offset(ms)} min`);

/** Who wrote it, where not all did; what others have written instead. */
function provenance({ writers = [], versions = [] }, all) {
  const by = all.every((writer) => writers.includes(writer))
    ? ''
    : `Only ${writers.join(' and ')} wrote this`;
  if (versions.length === 0) return by && element('p', { class: 'writers' }, by);
  const others = versions.length === 1 ? 'Another version' : `${versions.length} other versions`;
  return element(
    'details',
    { class: 'writers' },
    element('summary', {}, by ? `${by} · ${others}` : others),
    element(
      'ul',
      {},
      versions.map(({ writer, status, text }) =>
        element(
          'li',
          {},
          element('b', {}, writer),
          status === 'completed' ? ': ' : ` (${turnStatuses[status] ?? status}): `,
          element('q', {}, text),
        ),
      ),
    ),
  );
}
