// The oracle reports each kind of violation, and nothing for a correct transcript.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendFileSync } from 'node:fs';
import { temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { Record, judge } from './oracle.mjs';
import { Received } from './received.mjs';

const done = 'response.output_text.done';
const seen = [
  { type: 'verbatim.session', session_id: 'sess_1' },
  {
    type: 'conversation.item.added',
    item: { id: 'i1', role: 'user', content: [{ type: 'input_text', text: 'a b' }] },
  },
  { type: 'verbatim.turn', item_id: 'i1', status: 'completed' },
  { type: 'response.output_text.delta', item_id: 'i2', delta: 'You said: ' },
  { type: 'response.output_text.delta', item_id: 'i2', delta: 'a' },
];

function turn(ordinal, item_id, role, text, status = 'completed') {
  return { ordinal, item_id, role, text, status };
}

const user = turn(1, 'i1', 'user', 'a b');
const answer = turn(2, 'i2', 'assistant', 'You said: a', 'interrupted');

/** The oracle's verdict on these turns, and on `more` events that were seen; as `rule kind`. */
function verdict(
  turns,
  { more = [], asked = ['a b'], received = [], interrupts = false, ...transcript } = {},
) {
  const record = new Record();
  for (const event of [...seen, ...more]) record.see(event);
  record.asked = asked;
  record.spoken = 2;
  record.interrupts = interrupts;
  record.received = (text) => received.includes(text);
  const kept = { status: 'final', close_reason: 'crash_recovered', ...transcript, turns };
  return [...new Set(judge(record, kept).map(({ rule, kind }) => `${rule} ${kind}`))];
}

const typed = turn(3, 'i3', 'user', 'typed', 'interrupted');
const begun = (response_id, id) => ({
  ...{ type: 'response.output_item.added', response_id },
  item: { id, type: 'message' },
});
const spoken = (ordinal, text, status) => turn(ordinal, `i${ordinal}`, 'user', text, status);
const whole = 'Here are my words in utterance 1, about one second long.';

const cases = [
  ['exactly the turns that were seen are in order', [user, answer], {}, []],
  [
    'more than was seen is in order, if it was said',
    [user, { ...answer, text: 'You said: a b' }],
    {},
    [],
  ],
  ['a turn that is not there is lost', [user], {}, ['O1 lost']],
  ['a word that is not there is lost', [user, { ...answer, text: 'You said: ' }], {}, ['O1 lost']],
  [
    'words that were not said are invented',
    [user, { ...answer, text: 'You said: a c' }],
    {},
    ['O2 invented'],
  ],
  [
    'a repeated word is invented',
    [user, { ...answer, text: 'You said: a a' }],
    {},
    ['O2 invented'],
  ],
  ['a question that was not asked is invented', [user, answer], { asked: ['c'] }, ['O2 invented']],
  [
    'a done turn is completed',
    [user, answer],
    { more: [{ type: done, item_id: 'i2', text: 'You said: a' }] },
    ['O3 lost'],
  ],
  [
    'a done turn has its whole text',
    [user, { ...answer, status: 'completed' }],
    { more: [{ type: done, item_id: 'i2', text: 'You said: a b' }] },
    ['O3 lost'],
  ],
  [
    'an announced turn keeps its status',
    [{ ...user, status: 'interrupted' }, answer],
    {},
    ['O3 lost'],
  ],
  ['an item is there once', [user, answer, { ...answer, ordinal: 3 }], {}, ['O4 duplicated']],
  ['places are counted without a gap', [user, { ...answer, ordinal: 3 }], {}, ['O4 lost']],
  ['an open turn is stuck', [user, { ...answer, status: 'in_progress' }], {}, ['O4 stuck']],
  ['a live session is stuck', [user, answer], { status: 'live' }, ['O4 stuck']],
  [
    'a session that ended as its client was notified',
    [user, answer],
    {
      more: [{ type: 'verbatim.ended', close_reason: 'client_ended' }],
      close_reason: 'client_ended',
    },
    [],
  ],
  [
    'an end that was reported is kept',
    [user, answer],
    { more: [{ type: 'verbatim.ended', close_reason: 'client_ended' }] },
    ['O4 lost'],
  ],
  [
    'a typed turn that never reached the provider may be missing',
    [user, answer],
    { asked: ['a b', 'typed'] },
    [],
  ],
  [
    'a typed turn that reached the provider is lost if it is not there',
    [user, answer],
    { asked: ['a b', 'typed'], received: ['a b', 'typed'] },
    ['O5 lost'],
  ],
  [
    'a typed turn that was never acknowledged is there, and a gap beside it',
    [user, answer, typed],
    { asked: ['a b', 'typed'], received: ['typed'], gaps: [{ kind: 'unacknowledged_item' }] },
    [],
  ],
  [
    'without the gap it is passed off as whole',
    [user, answer, typed],
    { asked: ['a b', 'typed'], received: ['typed'] },
    ['O5 lost'],
  ],
  [
    'half of what was typed is not what was typed',
    [user, answer, { ...typed, text: 'ty' }],
    { asked: ['a b', 'typed'], received: ['typed'], gaps: [{ kind: 'unacknowledged_item' }] },
    ['O5 lost', 'O2 invented'],
  ],
  [
    'text without an item is that of its response',
    [user, { ...answer, text: 'You said: a b' }],
    { more: [begun('r1', 'i2'), { type: 'response.output_text.delta', response_id: 'r1', delta: ' b' }] },
    [],
  ],
  [
    'and is lost if it is not there',
    [user, answer],
    { more: [begun('r1', 'i2'), { type: 'response.output_text.delta', response_id: 'r1', delta: ' b' }] },
    ['O1 lost'],
  ],
  [
    'an answer beside the conversation is not a turn',
    [user, answer],
    {
      more: [
        { type: 'response.created', response: { id: 'r2', conversation_id: null } },
        { type: done, response_id: 'r2', item_id: 'i9', text: 'Aside.' },
      ],
    },
    [],
  ],
  [
    'an answer that the relay has ended itself is interrupted',
    [user, answer],
    { more: [{ type: done, event_id: 'verbatim_1', item_id: 'i2', text: 'You said: a' }] },
    [],
  ],
  [
    'speech is known by its words',
    [user, answer, spoken(3, whole), spoken(4, ' You are now hearing utter', 'interrupted')],
    {},
    [],
  ],
  [
    'speech that was not spoken is invented',
    [user, answer, spoken(3, whole.replace('1', '3'))],
    {},
    ['O2 invented'],
  ],
  [
    'speech is there once',
    [user, answer, spoken(3, whole), spoken(4, whole)],
    {},
    ['O4 duplicated'],
  ],
];

for (const [name, turns, options, breaches] of cases) {
  test(`the oracle: ${name}`, () => assert.deepEqual(verdict(turns, options), breaches));
}

test("the oracle: the file's client messages count as received, later ones do not", (t) => {
  const received = new Received(temporaryDirectory(t));
  const typed = (text, more = {}) =>
    `${JSON.stringify({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
      ...more,
    })}\n`;
  assert.equal(received.has('a'), false); // there is no file yet
  appendFileSync(received.file, typed('a') + typed('\u{1f642} b', { event_id: 'mine' }));
  appendFileSync(received.file, typed('given again', { event_id: 'verbatim_rebuild:i1' }));
  const { size } = received;
  appendFileSync(received.file, typed('late').slice(0, 20));
  assert.equal(received.has('late'), false); // half a line does not count
  appendFileSync(received.file, typed('late').slice(20));
  assert.deepEqual(
    ['a', '\u{1f642} b', 'given again', 'late', 'never'].map((text) => received.has(text)),
    [true, true, false, true, false],
  );
  assert.deepEqual(
    ['a', 'late', 'never'].map((text) => received.has(text, size)),
    [true, false, false],
  );
});
