// The field's words. Names in code do not use the words that this project once made up for what the
// field has a name for. Comments and literals are prose, which text.test.mjs reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, files, isCpp, isScript, lineAt, report, textOf } from './support/sources.mjs';

// Part of a name, as snake_case or CamelCase -> the field's word. Nowhere in code, tests included.
const everywhere = {
  doorbell: 'async_event, AsyncEvent',
  bell: 'event, AsyncEvent',
  rung: 'notified',
  ear: 'subscriber',
  ears: 'subscribers',
  doorkeeper: 'admission_control',
  hang_up: 'shut_down',
  part_from: 'linger_close',
  leg: 'upstream, for an upstream connection',
  legs: 'upstreams',
  complaint: 'rejection',
  greeting: 'session_created; the start of an event stream is its preamble',
  told: 'notified, received or reported, by the direction',
  tell: 'send, notify or report',
  tells: 'sends, notifies or reports',
  heed: 'handle_limit',
  afresh: 'resync',
  ring_whom: 'wake_links',
  whom: 'a name that says which ones',
  stepped: 'pump',
  look_after: 'check_keepalive',
  gathering: 'frame_batch',
  gather: 'batch',
  others_turn: 'yield',
  saying: 'variant',
  sayings: 'variants',
  may_be_same: 'compatible',
  sounds: 'similar',
  endure: 'retry_or_degrade',
  heal: 'recover',
  tend: 'idle_work',
  keep_house: 'run_maintenance',
  at_the_disk: 'io_timer, io_since',
  nobody: 'a name for the party: stranger, no_client',
  somebody: 'a name for the party',
  anybody: 'a name for the party',
  everybody: 'a name for the parties: talkers, subscribers',
  whoever: 'a name for the party',
  whatever: 'a name for the thing',
};

// Words with an ordinary sense as well: only the sense that has a better word is ruled out. `name`
// is a whole identifier; it is looked for only `within`, or in all C++ code.
const somewhere = [
  { name: /^Place$/, instead: 'Permit, Offset, Location, Position, Section or Target, by what it is', why: '`place` is an ordinary word for where something stands; as a type it meant eight things' },
  { name: /^ring$/, within: /^server\//, instead: 'notify', why: 'elsewhere a ring may be a buffer' },
  { name: /^enter$/, within: /^server\/(relay\/access|api)\//, instead: 'admit', why: 'a loop or a wait group may be entered' },
  { name: /^(place|place_)$/, within: /^server\/(net\/(http_connection|connections)|api\/event_stream)/, instead: 'permit', why: 'it counts against a limit' },
  { name: /^([Dd]oor_?)$/, within: /^server\//, instead: 'listeners, or the check that it is', why: 'connections arrive at listeners, and an upgrade is checked' },
  { name: /^([Cc]ustomers?_?|customer_of)$/, within: /^server\//, instead: 'address_key', why: 'limits count by address; users are the ones of tokens' },
  { name: /^([Ww]atchers?_?|take_watchers|empty_watcher_)$/, within: /^server\/relay\//, instead: 'waiter', why: 'a watcher subscribes to an event stream' },
  { name: /^places_?$/, within: /^server\/(net\/listener|app\/app)/, instead: 'targets', why: 'connections are given to them' },
  { name: /^cut(_all|_by|_time)?$/, within: /^server\/(net|app|fleet|relay\/(?!access\/))/, instead: 'abort', why: 'a connection is aborted; text and secrets are cut out of something' },
  { name: /^Message$/, within: /^(tests\/)?(storage|server\/(webhooks|traces|api))\//, instead: 'WebhookMessage', why: 'a message is one of a conversation' },
  { name: /^MessageKind$/, within: /^(tests\/)?(storage|server\/(webhooks|traces|api))\//, instead: 'WebhookKind', why: 'as above' },
  { name: /^Outbox$/, within: /^(tests\/)?(storage|server\/(webhooks|traces|api))\//, instead: 'WebhookOutbox', why: 'an outbox is that of a connection' },
  { name: /^Frame$/, within: /^server\/(?!net\/ws_(frame|peer)\.)/, instead: 'FrameType', why: 'a frame is what FrameReader reads' },
  { name: /^settled?_?$/, within: /^server\/fleet\/ownership\//, instead: 'given_up', why: 'a session settles: its final record is durable' },
  { name: /^new_id$/, call: true, within: /^(base|server|storage)\//, instead: 'new_sortable_id', why: 'the provider has ids as well, and so has a database' },
  { name: /^nlohmann$/, within: /^(?!base\/json\/tree)/, instead: 'Json or OrderedJson of base/json/tree.hpp', why: 'one name for one type, everywhere' },
  { name: /^cut_at_?$/, within: /^server\//, instead: 'abort_at', why: 'as above' },
  { name: /^over$/, call: true, within: /^server\/relay\/session_driver/, instead: 'on_loop_exit', why: '`over` may be a truth: something has ended' },
  { name: /^answered$/, within: /^server\/net\/ws_peer/, instead: 'pong_pending', why: 'requests and questions are answered' },
  { name: /^Slots?$/, within: /^(tests\/)?session\/transcript\/merge\//, instead: 'MergedSlot', why: 'the transcript itself has slots, in another sense' },
  { name: /^(watch|watched|touched|face|Face)$/, within: /^session\/transcript\/[^/]+$/, instead: 'track, tracked, changed, fingerprint', why: 'storage and sessions are watched elsewhere' },
  { name: /^(known|named|speech|answer)$/, call: true, within: /^session\/transcript\/[^/]+$/, instead: 'find_tracked, find_or_create, user_item, assistant_item', why: 'as variables these are ordinary words' },
  { name: /^Attempt$/, within: /^server\/net\//, instead: 'IoResult', why: 'an attempt is one run of a session' },
];

// Files had these names; the words themselves are ordinary.
const fileNames = {
  evidence: 'attempt_reader',
  records: 'row_writer',
  terms: 'token_terms',
  summaries: 'session_json',
  agreement: 'text_similarity',
  wide: 'simd',
  names: 'enum_names',
};

const sources = files.filter(isCpp);

const parts = (name) =>
  name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2').toLowerCase().replace(/^_+|_+$/g, '');

/** Every identifier: [{name, file, line, call}]. Those of libFLAC and libcurl have a prefix. */
const identifiers = sources.flatMap((file) => {
  const code = codeOf(file);
  return [...code.matchAll(/[A-Za-z_]\w*/g)].map(({ 0: name, index }) => ({
    name,
    file,
    call: code[index + name.length] === '(',
    get line() {
      return lineAt(code, index);
    },
  }));
}).filter(({ name }) => !/^(FLAC__|CURLOPT_)/.test(name));

/** Names that scripts declare: [{name, file, line}]. Other names in a script may be those of the platform. */
const declaration =
  /\b(?:const|let|function\*?|class)\s+([A-Za-z_]\w*)|^\s+(?:static |async |get |set |\*)*#?([A-Za-z_]\w*)\([^()]*\)\s*\{$|^\s+#(\w+)/gm;
const declared = files
  .filter((file) => isScript(file) && !file.startsWith('tests/tidy/'))
  .flatMap((file) =>
    [...textOf(file).matchAll(declaration)].map((match) => ({ name: match[1] ?? match[2] ?? match[3], file, line: lineAt(textOf(file), match.index) })),
  );

test('identifiers are read from code, not from comments and literals', () => {
  assert.ok(identifiers.length > 100_000, `found ${identifiers.length} identifiers`);
  assert.ok(declared.length > 5_000, `found ${declared.length} names in scripts`);
  assert.equal(parts('AtTheDisk'), 'at_the_disk');
  assert.equal(parts('hangUp_'), 'hang_up');
});

test('a name has no word of our own where the field has one', () => {
  const words = Object.keys(everywhere);
  const wrong = new RegExp(`(?:^|_)(${words.join('|')})(?:_|$)`);
  const places = [];
  for (const one of [...identifiers, ...declared]) {
    const word = wrong.exec(parts(one.name))?.[1];
    if (word) places.push(`${one.file}:${one.line}: ${one.name}: for \`${word}\` write ${everywhere[word]}`);
  }
  assert.deepEqual(places, [], report('Names with words of our own', places, 'Rename each. The words are in tests/tidy/words.test.mjs.'));
});

test('a word with two senses has only the ordinary one', () => {
  const places = [];
  for (const one of identifiers) {
    for (const { name, within, call, instead, why } of somewhere) {
      if (!name.test(one.name) || (within && !within.test(one.file)) || (call && !one.call)) continue;
      places.push(`${one.file}:${one.line}: ${one.name}: write ${instead} (${why})`);
    }
  }
  assert.deepEqual(places, [], report('Names in a sense that has a better word', places, 'Rename each.'));
});

test('a file is named by what it has', () => {
  const places = sources
    .map((file) => [file, /([^/]+)\.[ch]pp$/.exec(file)?.[1].replace(/_test$/, '')])
    .filter(([, stem]) => Object.hasOwn(fileNames, stem))
    .map(([file, stem]) => `${file}: name it ${fileNames[stem]}`);
  assert.deepEqual(places, [], report('Names of files that say too little', places, 'Use git mv.'));
});
