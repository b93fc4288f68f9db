// What must be true of a transcript, given what one client saw (docs/durability.md):
//   O1  text that was seen is there, per item, from its beginning on;
//   O2  nothing is there that was not said: no invention, no repetition, no exchange;
//   O3  what was seen to be done is completed, with exactly that text;
//   O4  every turn and every session has one end, nothing is there twice.

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

/** What one client saw and did, held against the transcript afterwards. */
export class Record {
  id; // the session's, as soon as the client knows it
  texts = new Map(); // by item: { text, final }
  asked = []; // the client's own words, in order
  spoken = 0; // utterances committed
  outputs = []; // what its functions answered
  interrupts = false; // it has cancelled or talked over an answer: completed is not the only end
  sent; // by item, all that was ever said, where a harness has said it word by word
  replaced = false; // its provider's connection may be replaced: the simulator counts anew
  hasty = false; // it asked without waiting: which answer is whose can not be told
  ended; // the reason in verbatim.ended: the end was durable
  turns = new Map(); // by item: the status in verbatim.turn
  characters = 0;
  #events = new Set();

  see(event) {
    // Providers repeat events; who reads them knows a repeat by its id.
    if (event.event_id && this.#events.has(event.event_id)) return;
    this.#events.add(event.event_id);
    if (event.type === 'verbatim.session') this.id = event.session_id;
    else if (event.type === 'verbatim.ended') this.ended = event.close_reason;
    else if (event.type === 'verbatim.turn') this.turns.set(event.item_id, event.status);
    else if (deltas.has(event.type)) this.#of(event.item_id).text += this.#count(event.delta);
    else if (event.type in finals)
      this.#of(event.item_id).final = this.#count(finals[event.type](event));
    else if (event.type === 'conversation.item.added' && event.item.role === 'user')
      this.#typed(event.item);
  }

  #typed(item) {
    const [part] = item.content;
    if (part?.type === 'input_text') this.#of(item.id).final = this.#count(part.text);
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

// The simulator's own words: see Script in simulator/script.cpp.
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
  if (transcript.status !== 'final') breach('O4', 'stuck', `the session is ${transcript.status}`);
  else if (!transcript.close_reason) breach('O4', 'stuck', 'it ended for no reason');
  if (record.ended && transcript.close_reason !== record.ended) {
    breach('O4', 'lost', `ended with ${record.ended}, kept as ${transcript.close_reason}`);
  }

  for (const [item, seen] of record.texts) {
    const turn = turnOf.get(item);
    if (!turn) {
      breach('O1', 'lost', `no turn for ${item}, seen "${seen.final ?? seen.text}"`);
      continue;
    }
    // A transcription's first piece begins with a blank that its final text does not have; the
    // final text may be in the journal and not at the client.
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

  if (record.sent) heldAgainstSent(record, turns, breach);
  else heldAgainstScript(record, turns, breach);
  return breaches;
}

function heldAgainstSent({ sent }, turns, breach) {
  for (const { item_id, text } of turns) {
    if (!sent.has(item_id)) breach('O2', 'invented', `nobody has sent ${item_id}, "${text}"`);
    else if (!sent.get(item_id).startsWith(text))
      breach('O2', 'invented', `kept "${text}", sent "${sent.get(item_id)}"`);
  }
}

/** The simulator's words, which are known from what it was told. */
function heldAgainstScript(record, turns, breach) {
  // The client's words come in its order, each at most once; each answer repeats the words before it.
  let next = 0;
  let last = '';
  const heard = new Set();
  const lastSaid = turns.findLast(({ role }) => role === 'user')?.item_id;
  for (const { role, text, item_id } of turns) {
    if (role === 'user') {
      const at = record.asked.indexOf(text, next);
      if (at >= 0) {
        next = at + 1;
        last = text;
      } else {
        last = '';
        if (!isSpoken(text, record.spoken))
          breach('O2', 'invented', `the user did not say "${text}" there`);
        const again = record.replaced && (record.texts.has(item_id) || item_id === lastSaid);
        if (/ long\.$/.test(text) && heard.has(text) && !again)
          breach('O4', 'duplicated', `"${text}" was said once`);
        heard.add(text);
      }
    } else if (role === 'assistant' && last && !record.hasty) {
      const echo = `You said: ${last.slice(0, echoMost)}${last.length > echoMost ? ' ...' : ''}`;
      const told = record.outputs.map((output) => `The tool says: ${output}`);
      if (![echo, ...told].some((whole) => whole.startsWith(text))) {
        breach('O2', 'invented', `"${text}" answers "${last}"`);
      }
    }
  }
}
