// Builds the turns of a conversation from the provider's events, for display. The relay's own transcript is the
// authoritative one: it holds what is durable.

export class Transcript {
  #turns = new Map(); // by item id
  #order = []; // item ids, in the conversation's order

  /** The turns in order, including turns without text. */
  get turns() {
    return this.#order.map((id) => this.#turns.get(id));
  }

  /** Returns true if a turn changed. `audioLength(item)` is the audio received of an item, in ms. */
  apply(event, audioLength = () => 0) {
    const handle = handlers[event.type];
    return handle ? handle(this, event, audioLength) !== false : false;
  }

  turn(id) {
    return this.#turns.get(id);
  }

  place(item, previous) {
    if (item.type !== 'message' || item.role === 'system') return undefined;
    const known = this.#turns.get(item.id);
    if (known) return known;
    const turn = {
      itemId: item.id, role: item.role, text: '', status: 'in_progress',
      startedAt: new Date().toISOString(), endedAt: null, heard: null, responseId: null,
    };
    this.#turns.set(item.id, turn);
    const behind = this.#order.indexOf(previous);
    this.#order.splice(previous && behind >= 0 ? behind + 1 : this.#order.length, 0, item.id);
    return turn;
  }

  end(turn, status) {
    if (turn.status === 'in_progress' || status === 'truncated') turn.status = status;
    turn.endedAt ??= new Date().toISOString();
  }

  /** Marks open turns as interrupted, because no more events will come. */
  close() {
    for (const turn of this.#turns.values()) {
      if (turn.status === 'in_progress') this.end(turn, 'interrupted');
    }
  }

  /** The text within the first `audioMs` of the audio, cut between words; null if unknown. */
  heard(turn, audioMs, lengthMs) {
    if (audioMs <= 0) return '';
    if (lengthMs <= 0) return null; // the length of the audio is not known
    if (audioMs >= lengthMs) return turn.text;
    const at = Math.floor(turn.text.length * (audioMs / lengthMs));
    const cut = turn.text.slice(0, at);
    return /\s/.test(turn.text[at] ?? ' ') ? cut : cut.replace(/\S*$/, '').trimEnd();
  }
}

function placed(transcript, { item, previous_item_id: previous }) {
  const turn = transcript.place(item, previous);
  if (!turn) return false;
  const text = textOf(item);
  if (text && text.length >= turn.text.length) turn.text = text;
  const spoken = item.role === 'user' && item.content?.some(({ type }) => type === 'input_audio');
  if (text && item.role === 'user') transcript.end(turn, 'completed');
  if (item.role === 'assistant' && item.status === 'completed') transcript.end(turn, 'completed');
  return spoken || Boolean(text) || item.role === 'assistant';
}

function textOf({ content = [] }) {
  return content.map((part) => part.text ?? part.transcript ?? '').join('');
}

function added(transcript, { item_id: id, delta, response_id: response = null }) {
  const turn = transcript.turn(id);
  if (!turn || turn.status !== 'in_progress') return false;
  turn.text += delta;
  turn.responseId ??= response;
}

function said(key) {
  return (transcript, event) => {
    const turn = transcript.turn(event.item_id);
    if (!turn) return false;
    turn.text = event[key];
    turn.responseId ??= event.response_id ?? null;
    if (turn.role === 'user') transcript.end(turn, 'completed');
  };
}

const outcome = { completed: 'completed', cancelled: 'cancelled', failed: 'failed', incomplete: 'interrupted' };

const handlers = {
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
    const audioMs = event.audio_end_ms;
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
