// Builds the turns of a conversation from the provider's events, for display. The relay's own transcript is the
// authoritative one: it holds what is durable.
import type { ServerEvent, Turn as PublicTurn } from '../core.d.ts';

type Turn = { -readonly [K in keyof PublicTurn]: PublicTurn[K] };
type Handler = (transcript: Transcript, event: ServerEvent, audioLength: (item: string) => number) => boolean | void;

export class Transcript {
  #turns = new Map<string, Turn>(); // by item id
  #order: string[] = []; // item ids, in the conversation's order
  #copies = new Map<string, PublicTurn>(); // of turns that did not change since
  #snapshot: readonly PublicTurn[] | undefined;

  /** The turns in order, including turns without text. The same array until a turn changes. */
  get turns(): readonly PublicTurn[] {
    this.#snapshot ??= this.#order.map((id) => {
      const copy = this.#copies.get(id) ?? { ...this.#turns.get(id)! };
      this.#copies.set(id, copy);
      return copy;
    });
    return this.#snapshot;
  }

  /** Returns true if a turn changed. `audioLength(item)` is the audio received of an item, in ms. */
  apply(event: ServerEvent, audioLength: (item: string) => number = () => 0): boolean {
    const handle = handlers[event.type];
    return handle ? handle(this, event, audioLength) !== false : false;
  }

  find(id: string): PublicTurn | undefined {
    return this.#turns.get(id);
  }

  /** The turn, to be changed. */
  turn(id: string): Turn | undefined {
    this.#copies.delete(id);
    this.#snapshot = undefined;
    return this.#turns.get(id);
  }

  place(item: ServerEvent, previous: string | null | undefined): Turn | undefined {
    if (item.type !== 'message' || item.role === 'system') return undefined;
    const known = this.turn(item.id);
    if (known) return known;
    const turn: Turn = {
      itemId: item.id, role: item.role, text: '', status: 'in_progress',
      startedAt: new Date().toISOString(), endedAt: null, heard: null, responseId: null,
    };
    this.#turns.set(item.id, turn);
    const behind = previous ? this.#order.indexOf(previous) : -1;
    this.#order.splice(behind >= 0 ? behind + 1 : this.#order.length, 0, item.id);
    return turn;
  }

  end(turn: Turn, status: Turn['status']): void {
    if (turn.status === 'in_progress' || status === 'truncated') turn.status = status;
    turn.endedAt ??= new Date().toISOString();
  }

  /** Marks open turns as interrupted, because no more events will come. */
  close(): void {
    for (const id of this.#order) {
      if (this.find(id)!.status === 'in_progress') this.end(this.turn(id)!, 'interrupted');
    }
  }

  /** The text within the first `audioMs` of the audio, cut between words; null if unknown. */
  heard({ text }: PublicTurn, audioMs: number, lengthMs: number): string | null {
    if (audioMs <= 0) return '';
    if (lengthMs <= 0) return null; // the length of the audio is not known
    if (audioMs >= lengthMs) return text;
    const at = Math.floor(text.length * (audioMs / lengthMs));
    const cut = text.slice(0, at);
    return /\s/.test(text[at] ?? ' ') ? cut : cut.replace(/\S*$/, '').trimEnd();
  }
}

const placed: Handler = (transcript, { item, previous_item_id: previous }) => {
  const turn = transcript.place(item, previous);
  if (!turn) return false;
  const text = textOf(item);
  if (text && text.length >= turn.text.length) turn.text = text;
  const spoken = item.role === 'user' && item.content?.some(({ type }: ServerEvent) => type === 'input_audio');
  if (text && item.role === 'user') transcript.end(turn, 'completed');
  if (item.role === 'assistant' && item.status === 'completed') transcript.end(turn, 'completed');
  return spoken || Boolean(text) || item.role === 'assistant';
};

function textOf({ content = [] }: ServerEvent): string {
  return content.map((part: ServerEvent) => part.text ?? part.transcript ?? '').join('');
}

const added: Handler = (transcript, { item_id: id, delta, response_id: response = null }) => {
  const turn = transcript.turn(id);
  if (!turn || turn.status !== 'in_progress') return false;
  turn.text += delta;
  turn.responseId ??= response;
};

const said = (key: string): Handler => (transcript, event) => {
  const turn = transcript.turn(event.item_id);
  if (!turn) return false;
  turn.text = event[key];
  turn.responseId ??= event.response_id ?? null;
  if (turn.role === 'user') transcript.end(turn, 'completed');
};

const outcome: Record<string, Turn['status']> = { completed: 'completed', cancelled: 'cancelled', failed: 'failed', incomplete: 'interrupted' };

const handlers: Record<string, Handler> = {
  'conversation.item.added': placed,
  'conversation.item.created': placed,
  'conversation.item.done': placed,
  'conversation.item.input_audio_transcription.delta': added,
  'conversation.item.input_audio_transcription.completed': said('transcript'),
  'conversation.item.input_audio_transcription.failed': (transcript, { item_id: id }) => {
    const turn = transcript.turn(id);
    if (!turn) return false;
    transcript.end(turn, 'failed');
  },
  'response.output_item.added': placed,
  'response.output_audio_transcript.delta': added,
  'response.output_audio_transcript.done': said('transcript'),
  'response.output_text.delta': added,
  'response.output_text.done': said('text'),
  'response.done': (transcript, { response }) => {
    for (const item of response.output ?? []) {
      const turn = transcript.turn(item.id);
      if (turn) transcript.end(turn, outcome[response.status] ?? 'completed');
    }
  },
  'conversation.item.truncated': (transcript, event, audioLength) => {
    const turn = transcript.turn(event.item_id);
    if (!turn) return false;
    const audioMs: number = event.audio_end_ms;
    turn.heard = { audioMs, text: transcript.heard(turn, audioMs, audioLength(event.item_id)) };
    transcript.end(turn, 'truncated');
  },
  'conversation.item.deleted': (transcript, { item_id: id }) => {
    const turn = transcript.turn(id);
    if (!turn) return false;
    turn.deleted = true;
  },
  // The relay reports that a turn is durable.
  'verbatim.turn': (transcript, { item_id: id, status }) => {
    const turn = transcript.turn(id);
    if (!turn || turn.status === status) return false;
    if (status !== 'in_progress') turn.status = status;
  },
};
