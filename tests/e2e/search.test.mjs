// Full-text search over stored transcripts: what is found, what a question may hold, and that erased words are gone
// from the index.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { holders } from './support/holders.mjs';
import { Client, run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const indexOf = (relay) => join(relay.dataDir, 'search.index');

const find = (relay, q, more = {}) =>
  relay.request(`/v1/sessions?${new URLSearchParams({ q, ...more })}`);

/** A session that other writers have posted. */
async function posted(relay, id, texts, user = 'ada', more = {}) {
  const made = await relay.request('/v1/sessions', { method: 'POST', body: { id, user, ...more } });
  assert.equal(made.status, 201, made.text);
  const turns = texts.map((text, n) => ({ role: n % 2 ? 'assistant' : 'user', text }));
  const kept = await relay.request(`/v1/sessions/${id}/transcript`, { method: 'POST', body: { writer: 'agent', turns } });
  assert.equal(kept.status, 200, kept.text);
}

/** The ids that a search finds once the index has every transcript. */
async function found(relay, q, more) {
  let answer;
  await eventually(async () => {
    answer = await find(relay, q, more);
    assert.equal(answer.status, 200, answer.text);
    return answer.json.search_complete;
  }, 'a complete index');
  return answer.json.sessions.map(({ id }) => id);
}

test('a conversation is found by its words, with the place and the words of the hit', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  await client.ask('My invoice shows the wrong amount.');
  await client.close();
  await relay.transcript(client.id);
  assert.deepEqual(await found(relay, 'INVOICE amount'), [client.id]);
  const { json } = await find(relay, 'invoice amount');
  const [{ snippet, match, status }] = json.sessions;
  assert.equal(status, 'final');
  assert.equal(snippet, 'My invoice shows the wrong amount.');
  assert.deepEqual(match, { attempt: 1, ordinal: 1, role: 'user', words: ['invoice', 'amount'] });
  assert.deepEqual(await found(relay, '"wrong amount"'), [client.id]);
  assert.deepEqual(await found(relay, '"amount wrong"'), []);
  assert.deepEqual(await found(relay, 'invoi'), [], 'a word is a whole word');
  assert.deepEqual(await found(relay, 'invoi*'), [client.id]);
  assert.deepEqual(await found(relay, 'invoice', { status: 'live' }), []);
});

test('a copy that is posted later is found too, and so are ids and users by their beginning', async (t) => {
  const relay = await startRelay(t);
  await posted(relay, 'lesson-7', ['First words.'], 'grace');
  await posted(relay, 'lesson-8', ['Other words.'], 'ada lovelace', { metadata: { course: '7' } });
  assert.deepEqual(await found(relay, 'words'), ['lesson-8', 'lesson-7']);
  assert.deepEqual(await found(relay, 'words', { sort: 'created_at' }), ['lesson-7', 'lesson-8']);
  assert.deepEqual(await found(relay, 'words', { 'metadata.course': '7' }), ['lesson-8']);
  const later = { writer: 'client', turns: [{ role: 'user', text: 'First words.' }, { role: 'user', text: 'And a postscript.' }] };
  await relay.request('/v1/sessions/lesson-7/transcript', { method: 'POST', body: later });
  assert.deepEqual(await found(relay, 'postscript'), ['lesson-7']);
  assert.deepEqual(await found(relay, 'lesson-'), ['lesson-8', 'lesson-7']);
  assert.deepEqual(await found(relay, 'gra'), ['lesson-7']);
  assert.deepEqual(await found(relay, 'ada love'), ['lesson-8']);
  const { json } = await find(relay, 'gra');
  assert.equal(json.sessions[0].snippet, null);
  assert.equal(json.sessions[0].match, null);
});

test('text in any script is found: with diacritics, without blanks between words, emoji', async (t) => {
  const relay = await startRelay(t);
  await posted(relay, 'fr', ['Où est la bibliothèque, s’il vous plaît ?']);
  await posted(relay, 'zh', ['今天天气很好，我们去公园散步吧。']);
  await posted(relay, 'ja', ['明日の会議はキャンセルになりました。']);
  await posted(relay, 'th', ['สวัสดีครับ ผมชื่อสมชาย']);
  await posted(relay, 'hi', ['नमस्ते, मुझे हिन्दी में मदद चाहिए']);
  await posted(relay, 'ru', ['Здравствуйте, мне нужна помощь']);
  await posted(relay, 'emoji', ['Well done 🎉 and more']);
  for (const [q, id] of [
    ['bibliotheque', 'fr'], ['天气', 'zh'], ['公园', 'zh'], ['散', 'zh'], ['キャンセル', 'ja'], ['会議', 'ja'],
    ['ชื่อ', 'th'], ['हिन्दी', 'hi'], ['ПОМОЩЬ', 'ru'], ['🎉', 'emoji'],
  ]) assert.deepEqual(await found(relay, q), [id], q);
  assert.deepEqual(await found(relay, '气天'), [], 'characters of a word stand together');
  const { json } = await find(relay, '天气');
  assert.equal(json.sessions[0].snippet, '今天天气很好，我们去公园散步吧。');
  assert.deepEqual(json.sessions[0].match.words, ['天气']);
});

test('words are found in each way that people write them, and the snippet shows what was said', async (t) => {
  const relay = await startRelay(t);
  const said = 'Ο λόγος της. Ёлка стоит. Straße 7. قَالَ مُحَمَّدٌ العربيّة. علی آمد. שָׁלוֹם עולם.';
  await posted(relay, 'one', [said]);
  await relay.indexed();
  for (const q of [
    'λόγος', 'ΛΟΓΟΣ', 'λογοσ', 'ёлка', 'ЕЛКА', 'елка', 'strasse', 'STRASSE', 'Straße', 'محمد', 'مُحَمَّد', 'العربية', 'العربيه', 'علي', 'على', 'שלום',
    'שָׁלוֹם', 'λογ*', 'محم*', '"елка стоит"',
  ]) assert.deepEqual(await found(relay, q), ['one'], q);
  assert.deepEqual(await found(relay, 'йлка'), []);
  const { json } = await find(relay, 'محمد');
  assert.ok(json.sessions[0].snippet.includes('مُحَمَّدٌ'), json.sessions[0].snippet);
  assert.deepEqual(json.sessions[0].match.words, ['مُحَمَّدٌ']);
});

test('no question is an error of the engine: quotes, operators, signs and every single character', async (t) => {
  const relay = await startRelay(t);
  await posted(relay, 'one', ['to be OR NOT to be AND NEAR, that* is "the" question: (a^b)']);
  await found(relay, 'question');
  const questions = [
    'AND', 'OR NOT', 'NEAR(', 'NEAR(a b, 5)', '"', '""', '"""', '"be', 'be"', "'; DROP TABLE session; --", '*', '**', 'a*b',
    '"that"*', '^a', '{text}: be', 'text:be', '-be', '+be', '(', ')', '()', '\\', '%', '_', '\u001f', '\u0002', '￿', '😀',
    '!!!', 'be !!!', '\ud7ff', 'é', 'ｆｕｌｌ', `${'x'.repeat(512)}`, Array.from({ length: 32 }, () => 'be').join(' '),
  ];
  for (let code = 1; code < 256; ++code) questions.push(`be${String.fromCharCode(code)}be`);
  for (const q of questions) {
    const answer = await find(relay, q);
    const blank = !/[^\s\u0000-\u0020]/.test(q);
    assert.equal(answer.status, blank ? 400 : 200, `${JSON.stringify(q)}: ${answer.text}`);
  }
  for (const q of ['AND', 'OR', 'NEAR', 'NOT', '"be', 'that*', 'be !!!', '(a^b)', 'be OR'])
    assert.deepEqual(await found(relay, q), ['one'], q);
  for (const q of ['', '   ', 'x'.repeat(513), Array.from({ length: 33 }, (_, n) => n).join(' '), 'a\0b']) {
    const answer = await find(relay, q);
    assert.equal(answer.status, 400, JSON.stringify(q));
    assert.match(answer.json.detail, /'q' must be/);
  }
  assert.equal((await relay.request('/v1/sessions?q=%ff')).status, 400);
});

test('pages of a search neither repeat nor skip a session while others come and go', async (t) => {
  const relay = await startRelay(t);
  const ids = Array.from({ length: 25 }, (_, n) => `s-${String(n).padStart(2, '0')}`);
  for (const id of ids) await posted(relay, id, ['the same words']);
  await found(relay, 'same');
  const seen = [];
  for (let cursor = ''; cursor !== null; ) {
    const { json } = await find(relay, 'same words', { limit: '4', total: 'true', ...(cursor && { cursor }) });
    seen.push(...json.sessions.map(({ id }) => id));
    assert.ok(json.total >= 25 && json.total_is_exact);
    cursor = json.next_cursor;
    await posted(relay, `new-${seen.length}`, ['the same words']);
  }
  assert.deepEqual(seen, [...ids].reverse());
  assert.equal((await find(relay, 'same', { sort: 'user' })).status, 400);
});

test('erased words are in no page of the index, also of a session that ended long ago [P10]', async (t) => {
  const relay = await startRelay(t);
  const planted = randomUUID().replaceAll('-', '');
  for (let n = 0; n < 8; ++n) await posted(relay, `kept-${n}`, [`text that stays ${n}`]);
  await posted(relay, 'gone', [`The code is ${planted}.`, 'Thank you.']);
  for (let n = 8; n < 16; ++n) await posted(relay, `kept-${n}`, [`text that stays ${n}`]);
  assert.deepEqual(await found(relay, planted), ['gone']);
  assert.ok(holders([indexOf(relay)].map((file) => join(file, '..')), planted).some((file) => file.includes('search.index')));
  assert.equal((await relay.request('/v1/sessions/gone', { method: 'DELETE' })).status, 204);
  const { json } = await find(relay, planted);
  assert.deepEqual(json.sessions, []);
  await eventually(() => holders([relay.dataDir], planted).length === 0, 'no trace in any file');
  assert.equal((await found(relay, 'stays')).length, 16);
});

test('when the erasure is answered, the words are in no file of the index [P10]', async (t) => {
  const relay = await startRelay(t);
  const holds = (word) => ['search.index', 'search.index-wal'].filter((file) => existsSync(join(relay.dataDir, file)) && readFileSync(join(relay.dataDir, file)).includes(word));
  for (const word of ['zanzibarquax', 'zanzibarquay', 'zanzibarquaz']) {
    await posted(relay, word, [`we spoke of ${word}`]);
    await found(relay, word);
    assert.notDeepEqual(holds(word), []);
    assert.equal((await relay.request(`/v1/sessions/${word}`, { method: 'DELETE' })).status, 204);
    assert.deepEqual(holds(word), []);
  }
});

test('the command line erases words beside a running relay, and finds them before [P10]', async (t) => {
  const relay = await startRelay(t);
  const planted = randomUUID().replaceAll('-', '');
  await posted(relay, 'gone', [`The code is ${planted}.`]);
  assert.deepEqual(await found(relay, planted), ['gone']);
  const data = ['--set', `server.data_dir=${relay.dataDir}`];
  const erased = await run(['sessions', 'delete', 'gone', ...data]);
  assert.equal(erased.code, 0, erased.stderr);
  assert.deepEqual(await found(relay, planted), []);
  await relay.program.stop();
  assert.deepEqual(holders([relay.dataDir], planted), []);
});

test('the command line pages through a search, and says whether the index has everything', async (t) => {
  const relay = await startRelay(t);
  for (const id of ['a', 'b', 'c']) await posted(relay, id, ['the same words']);
  await relay.indexed();
  const list = (...more) => run(['sessions', 'list', '--set', `server.data_dir=${relay.dataDir}`, ...more]);
  const first = JSON.parse((await list('--q', 'same', '--limit', '2', '--json')).stdout);
  assert.deepEqual([first.sessions.map(({ id }) => id), first.search_complete], [['c', 'b'], true]);
  const plain = await list('--q', 'same', '--limit', '2');
  assert.ok(plain.stderr.includes(`There are more: add --cursor ${first.next_cursor}\n`), plain.stderr);
  const rest = await list('--q', 'same', '--limit', '2', '--cursor', first.next_cursor, '--json');
  assert.deepEqual(JSON.parse(rest.stdout).sessions.map(({ id }) => id), ['a']);
  const all = JSON.parse((await list('--json')).stdout);
  assert.ok(!('search_complete' in all), 'only of a search');
});

test('an index that is missing, damaged or of another store is made again, and search.index never holds up a start', async (t) => {
  const setup = {};
  let relay = await startRelay(t);
  Object.assign(setup, { dataDir: relay.dataDir, key: relay.keyPair });
  for (let n = 0; n < 40; ++n) await posted(relay, `s-${n}`, [`sentence number ${n}`]);
  assert.equal((await found(relay, 'sentence')).length, 40);
  const { writeFileSync } = await import('node:fs');
  for (const spoil of [
    (file) => rmSync(file),
    (file) => writeFileSync(file, 'not a database at all'.repeat(1000)),
    (file) => writeFileSync(file, ''),
  ]) {
    await relay.program.stop();
    for (const end of ['-wal', '-shm']) rmSync(`${indexOf(relay)}${end}`, { force: true });
    spoil(indexOf(relay));
    relay = await startRelay(t, setup);
    assert.equal((await found(relay, 'sentence')).length, 40);
  }
  await relay.program.stop();
  const off = await startRelay(t, { ...setup, set: ['storage.search=false'] });
  assert.ok(!existsSync(indexOf(off)), 'an index that is not kept up to date holds no words');
  const { json } = await find(off, 'sentence');
  assert.deepEqual(json.sessions, []);
  assert.equal(json.search_complete, false);
  assert.equal((await find(off, 's-1')).json.sessions.length, 11);
});

test('an index that is being made survives kills, and goes on where it stopped [P7]', async (t) => {
  let relay = await startRelay(t);
  const setup = { dataDir: relay.dataDir, key: relay.keyPair };
  for (let n = 0; n < 120; ++n) await posted(relay, `s-${n}`, [`sentence number ${n}`, `answer ${n}`]);
  await relay.program.stop();
  for (const end of ['', '-wal', '-shm']) rmSync(`${indexOf(relay)}${end}`, { force: true });
  for (let kill = 0; kill < 4; ++kill) {
    relay = await startRelay(t, setup);
    await eventually(() => existsSync(indexOf(relay)) && statSync(indexOf(relay)).size > 0, 'the index');
    await relay.program.stop('SIGKILL');
  }
  relay = await startRelay(t, setup);
  assert.equal((await found(relay, 'sentence', { limit: '500' })).length, 120);
  const { json } = await find(relay, 'answer', { total: 'true', limit: '1' });
  assert.equal(json.total, 120, 'each session is found once');
});

test('an index that cannot be opened holds up no erasure: the database has the words no longer [P10]', async (t) => {
  const dataDir = temporaryDirectory(t);
  mkdirSync(join(dataDir, 'search.index'));
  const relay = await startRelay(t, { dataDir });
  await posted(relay, 'gone', ['words to erase']);
  await relay.program.logged('search.postponed');
  const { status } = await relay.request('/v1/sessions/gone', { method: 'DELETE' });
  assert.ok([204, 503].includes(status), `status ${status}`);
  assert.equal((await relay.request('/v1/sessions/gone')).status, 404);
});
