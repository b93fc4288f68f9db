// The rules for a transcript, given what one client received (docs/durability.md):
//   O1  received text is there, for each item, from its beginning;
//   O2  no text is there that was not said: no invention, repetition or exchange;
//   O3  an item that was received as done is completed, with exactly that text;
//   O4  every turn and every session has one end, and nothing is there twice;
//   O5  typed text is there once the provider has received it; if the acknowledgement was never
//       received, the turn may be interrupted, and then a gap says so. Such a turn appears at the
//       end of the session, not while it is recovering.

const deltas = new Set([
  'response.output_audio_transcript.delta',
  'response.output_text.delta',
  'conversation.item.input_audio_transcription.delta',
]);
const finals = {
  'response.output_audio_transcript.done': ({ transcript }) => transcript,
  'response.output_text.done': ({ text }) => text,
  'conversation.item.input_audio_transcription.completed': ({ transcript }) => transcript,
};

/** The events that one client saw and its own actions, for a comparison with the transcript. */
export class Record {
  id; // the session's id, as soon as the client knows it
  texts = new Map(); // by item: { text, final }
  asked = []; // the client's own words, in order
  received = () => false; // whether the provider has received these
  spoken = 0; // number of committed utterances
  outputs = []; // the outputs of its functions
  interrupts = false; // it cancelled or talked over an answer, which may then end other than completed
  order = []; // item ids, if a harness has placed them itself
  sent; // by item, all text ever sent, if a harness has sent it word by word
  replaced = false; // its upstream connection may be replaced: the simulator then counts from one again
  connections = 1; // upstream connections that it knows of
  hasty = false; // it asked without waiting: answers cannot be matched to questions
  waits = false; // it may be recovering, because its relay was killed
  ended; // the reason in verbatim.ended: the end was durable
  turns = new Map(); // by item: the status in verbatim.turn
  characters = 0;
  #events = new Set();
  #itemOf = new Map(); // by response: its message item
  #asides = new Set(); // responses outside the conversation

  see(event) {
    // Providers repeat events; a reader recognises a repeat by its id.
    if (event.event_id && this.#events.has(event.event_id)) return;
    this.#events.add(event.event_id);
    if (event.type === 'verbatim.session') this.id = event.session_id;
    else if (event.type === 'verbatim.ended') this.ended = event.close_reason;
    else if (event.type === 'verbatim.upstream') this.connections += event.state === 'restored';
    else if (event.type === 'verbatim.turn') this.turns.set(event.item_id, event.status);
    else if (event.type === 'response.created') {
      if (event.response.conversation_id === null) this.#asides.add(event.response.id);
    } else if (this.#asides.has(event.response_id)) return;
    else if (event.type === 'response.output_item.added') {
      if (event.item.type === 'message') this.#itemOf.set(event.response_id, event.item.id);
    } else if (deltas.has(event.type)) this.#of(this.#item(event)).text += this.#count(event.delta);
    else if (event.type in finals) this.#ended(event);
    else if (event.type === 'conversation.item.added' && event.item.role === 'user')
      this.#typed(event.item);
  }

  #typed(item) {
    const [part] = item.content;
    if (part?.type === 'input_text') this.#of(item.id).final = this.#count(part.text);
  }

  /** If the provider's connection is lost, the relay ends the answer itself. Such an end has no last word. */
  #ended(event) {
    if (event.event_id?.startsWith('verbatim_')) return;
    this.#of(this.#item(event)).final = this.#count(finals[event.type](event));
  }

  /** Some providers name the response only. */
  #item({ item_id, response_id }) {
    return item_id ?? this.#itemOf.get(response_id);
  }

  #of(item) {
    if (!this.texts.has(item)) this.texts.set(item, { text: '' });
    return this.texts.get(item);
  }

  #count(text) {
    this.characters += text.length;
    return text;
  }
}

// The simulator's words: see Script in simulator/script.cpp.
const openings = [
  'This is what I said in',
  'Here are my words in',
  'You are now hearing',
  'Let me say something in',
];
const echoMost = 400;

const numbers = [
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
];

/** Whether these are the words that the simulator hears in one of the first `count` utterances. */
function isSpoken(text, count) {
  const heard = text.trim();
  for (let n = 1; n <= count; ++n) {
    for (const opening of openings) {
      const start = `${opening} utterance ${n}, about `;
      if (start.startsWith(heard)) return true;
      if (!heard.startsWith(start)) continue;
      return numbers.some((number, i) =>
        `${start}${number} second${i ? 's' : ''} long.`.startsWith(heard),
      );
    }
  }
  return false;
}

/** Breaches, each `{ rule, kind, what }`; kind is lost, duplicated, stuck or invented. */
export function judge(record, transcript) {
  const breaches = [];
  const breach = (rule, kind, what) => breaches.push({ rule, kind, what: `${record.id}: ${what}` });
  const { turns } = transcript;
  const turnOf = new Map(turns.map((turn) => [turn.item_id, turn]));

  if (turnOf.size < turns.length) breach('O4', 'duplicated', 'an item is there twice');
  turns.forEach((turn, i) => {
    const kind = turn.ordinal > i + 1 ? 'lost' : 'duplicated';
    if (turn.ordinal !== i + 1) breach('O4', kind, `ordinal ${turn.ordinal} at place ${i + 1}`);
    if (turn.status === 'in_progress') breach('O4', 'stuck', `${turn.item_id} is in progress`);
  });
  const waits = record.waits && transcript.status === 'recovering';
  if (waits && record.ended) breach('O4', 'lost', `ended with ${record.ended}, and is recovering`);
  if (!waits && transcript.status !== 'final') breach('O4', 'stuck', `the session is ${transcript.status}`);
  else if (!waits && !transcript.close_reason) breach('O4', 'stuck', 'it ended for no reason');
  if (!waits && record.ended && transcript.close_reason !== record.ended) {
    breach('O4', 'lost', `ended with ${record.ended}, kept as ${transcript.close_reason}`);
  }

  for (const [item, seen] of record.texts) {
    const turn = turnOf.get(item);
    if (!turn) {
      breach('O1', 'lost', `no turn for ${item}, seen "${seen.final ?? seen.text}"`);
      continue;
    }
    // A transcription's first piece begins with a space that its final text lacks; the final text may be in the
    // journal but not at the client.
    const settled = turn.role === 'user' && turn.status === 'completed';
    const text = settled ? seen.text.trimStart() : seen.text;
    if (!turn.text.startsWith(text)) breach('O1', 'lost', `kept "${turn.text}", seen "${text}"`);
    if (seen.final === undefined) continue;
    if (turn.text !== seen.final)
      breach('O3', 'lost', `kept "${turn.text}", done was "${seen.final}"`);
    if (turn.status !== 'completed' && !record.interrupts) {
      breach('O3', 'lost', `${item} was done and is ${turn.status}`);
    }
  }
  for (const [item, status] of record.turns) {
    if (!turnOf.has(item))
      breach('O1', 'lost', `${item} was announced as ${status} and is not there`);
    else if (turnOf.get(item).status !== status && !record.interrupts) {
      breach('O3', 'lost', `${item} was announced as ${status} and is ${turnOf.get(item).status}`);
    }
  }

  heldAgainstReceived(record, transcript, breach, waits);
  if (record.sent) heldAgainstSent(record, turns, transcript.gaps ?? [], breach);
  else heldAgainstScript(record, turns, breach);
  return breaches;
}

function heldAgainstReceived(record, { turns, gaps = [] }, breach, waits) {
  const typed = new Map(turns.filter(({ role }) => role === 'user').map((turn) => [turn.text, turn]));
  for (const text of record.asked.filter((words) => record.received(words))) {
    const turn = typed.get(text);
    if (!turn && waits) continue;
    if (!turn) breach('O5', 'lost', `no turn for "${text}", which the provider has received`);
    else if (turn.status === 'completed') continue;
    else if (turn.status !== 'interrupted')
      breach('O5', 'lost', `"${text}" was typed and is ${turn.status}`);
    else if (!gaps.some(({ kind }) => kind === 'unacknowledged_item'))
      breach('O5', 'lost', `"${text}" is interrupted, and no gap says why`);
  }
}

function heldAgainstSent({ sent, order }, turns, gaps, breach) {
  // The relay does not know where the provider put an item that it never acknowledged.
  const unacknowledged = new Set(gaps.filter(({ kind }) => kind === 'unacknowledged_item').map(({ item_id }) => item_id));
  const known = turns.filter(({ item_id }) => !unacknowledged.has(item_id));
  const places = known.map(({ item_id }) => order.indexOf(item_id)).filter((place) => place >= 0);
  places.forEach((place, i) => {
    if (place < places[i - 1]) breach('O2', 'invented', `${order[place]} stands in another's place`);
  });
  for (const { item_id, text } of turns) {
    if (!sent.has(item_id)) breach('O2', 'invented', `no peer has sent ${item_id}, "${text}"`);
    else if (!sent.get(item_id).startsWith(text))
      breach('O2', 'invented', `kept "${text}", sent "${sent.get(item_id)}"`);
  }
}

/** The simulator's words, which follow from the question. */
function heldAgainstScript(record, turns, breach) {
  // The client's words come in its order, each at most once; each answer repeats the words before it.
  let next = 0;
  let last = '';
  // Each upstream connection gets its first utterance; one more connection may have been made unseen.
  const heardMost = record.replaced ? record.connections + 1 : 1;
  const heard = new Map();
  for (const { role, text } of turns) {
    if (role === 'user') {
      const at = record.asked.indexOf(text, next);
      if (at >= 0) {
        next = at + 1;
        last = text;
      } else {
        last = '';
        if (!isSpoken(text, record.spoken))
          breach('O2', 'invented', `the user did not say "${text}" there`);
        heard.set(text, (heard.get(text) ?? 0) + 1);
        if (/ long\.$/.test(text) && heard.get(text) > heardMost)
          breach('O4', 'duplicated', `"${text}" was said ${heardMost} times at most`);
      }
    } else if (role === 'assistant' && last && !record.hasty) {
      const echo = `You said: ${last.slice(0, echoMost)}${last.length > echoMost ? ' ...' : ''}`;
      const outputs = record.outputs.map((output) => `The tool says: ${output}`);
      if (![echo, ...outputs].some((whole) => whole.startsWith(text))) {
        breach('O2', 'invented', `"${text}" answers "${last}"`);
      }
    }
  }
}
