// Every error that a person can meet stands in docs/troubleshooting.md, and every entry there is an error that
// the sources have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sources from './support/errors.mjs';
import { report, textOf } from './support/sources.mjs';

const page = 'docs/troubleshooting.md';

/** The rows below a heading, or below a line of text: [{cells, line}], without the head of the table. */
function rowsBelow(title) {
  const lines = textOf(page).split('\n');
  const begin = lines.findIndex((line) => line === title);
  assert.notEqual(begin, -1, `${page} has no line "${title}"`);
  const first = lines.findIndex((line, at) => at > begin && line.startsWith('|'));
  const end = lines.findIndex((line, at) => at > first && !line.startsWith('|'));
  return lines.slice(first + 2, end === -1 ? undefined : end).map((line, at) => ({ cells: line.split('|').slice(1, -1).map((cell) => cell.trim()), line: first + 3 + at }));
}

const names = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
const entriesBelow = (title) => rowsBelow(title).flatMap(({ cells, line }) => names(cells[0]).map((name) => ({ name, line })));

const tables = [
  ['### Refused connections and tokens', sources.answerCodes, 30],
  ['### Error events', sources.eventCodes, 15],
  ['### The client library', sources.clientCodes, 10],
  ['### The HTTP API', sources.problemTitles, 25],
  ['Lines at level `error`:', sources.errorLines, 15],
  ['Lines at level `warn`:', sources.warningLines, 25],
  ['Lines at level `info`:', sources.infoLines, 20],
  ['### Storage failures', sources.storageKinds, 10],
];

for (const [title, known, atLeast] of tables) {
  const what = title.replace(/^#+ |:$/g, '');

  test(`${what}: the page has every code of the sources, and no other`, () => {
    assert.ok(known.size >= atLeast, `found ${known.size} codes in the sources: support/errors.mjs does not understand them any more`);
    const entries = entriesBelow(title);
    const listed = new Set(entries.map(({ name }) => name));
    const missing = [...known].filter(([name]) => !listed.has(name)).map(([name, where]) => `${name} (${where})`);
    assert.deepEqual(missing, [], report(`Errors that "${what}" in ${page} does not have`, missing, 'Add each: what it means, its usual cause, what to do.'));
    const gone = entries.filter(({ name }) => !known.has(name)).map(({ name, line }) => `${page}:${line}: ${name}`);
    assert.deepEqual(gone, [], report('Entries that no source has', gone, 'Correct the name, or take the row out.'));
    assert.equal(listed.size, entries.length, `"${what}" has an entry twice`);
  });
}

test('Closed connections: the page has every close code and every close reason, each beside its own', () => {
  assert.ok(sources.closeCodes.size >= 12 && sources.closeReasons.size >= 15);
  const rows = rowsBelow('### Closed connections').map(({ cells: [code, reason], line }) => ({ code, reason: names(reason)[0], line }));
  const missing = [
    ...[...sources.closeCodes.keys()].filter((code) => !rows.some((row) => row.code === code)),
    ...[...sources.closeReasons].filter(([reason, code]) => !rows.some((row) => row.reason === reason && row.code === code)).map(([reason, code]) => `${reason} with ${code}`),
  ];
  assert.deepEqual(missing, [], report(`Closes that ${page} does not have`, missing, 'Add a row for each.'));
  const gone = rows
    .filter(({ code, reason }) => !sources.closeCodes.has(code) || (reason && !sources.closeReasons.has(reason)) || (reason && sources.closeReasons.get(reason) !== code && !sources.frameCodes.has(code)))
    .map(({ code, reason, line }) => `${page}:${line}: ${code} ${reason}`);
  assert.deepEqual(gone, [], report('Rows that no source has', gone, 'Correct the code or the reason, or take the row out.'));
});

test('A start that fails: each message of the sources has an entry, and each entry a message', () => {
  assert.ok(sources.startMessages.length >= 25, `found ${sources.startMessages.length} messages`);
  const entries = rowsBelow('### A start that fails').flatMap(({ cells, line }) => names(cells[0]).map((name) => ({ name, line })));
  const missing = sources.startMessages.filter(({ text }) => !entries.some(({ name }) => text.includes(name))).map(({ text, where }) => `${where}: ${text.trim()}`);
  assert.deepEqual(missing, [], report(`Messages that "A start that fails" in ${page} does not have`, missing, 'Add a row with a part of the message.'));
  const gone = entries.filter(({ name }) => !sources.startMessages.some(({ text }) => text.includes(name))).map(({ name, line }) => `${page}:${line}: ${name}`);
  assert.deepEqual(gone, [], report('Messages that no source has', gone, 'Correct the words, or take the row out.'));
});

test('The HTTP API: openapi.json has the type of every title, with what the page says about it', () => {
  const { properties, 'x-problems': problems } = JSON.parse(textOf('server/api/openapi.json')).components.schemas.Problem;
  const typeOf = (title) => `urn:verbatim:problem:${title.toLowerCase().replace(/[ _]/g, '-')}`;
  assert.deepEqual(properties.type.enum, properties.title.enum.map(typeOf));
  assert.equal(new Set(properties.type.enum).size, properties.type.enum.length, 'two titles have one type');
  assert.deepEqual(problems.map(({ type, title }) => [type, title]), properties.title.enum.map((title) => [typeOf(title), title]));
  const plain = (text) => text.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1').replaceAll('`', '');
  const rows = ['### Refused connections and tokens', '### The HTTP API'].flatMap((title) => rowsBelow(title));
  for (const { title, status, meaning, advice } of problems) {
    const row = rows.findLast(({ cells }) => names(cells[0]).includes(title));
    assert.ok(row, `${page} has no row for ${title}`);
    assert.deepEqual([status, meaning, advice], row.cells.slice(1).map(plain), `x-problems in openapi.json differs from ${page}:${row.line}`);
  }
});

test('each entry says what it means and what to do', () => {
  const titles = [...tables.map(([title]) => title), '### Closed connections', '### A start that fails'];
  const short = titles.flatMap((title) => rowsBelow(title)).filter(({ cells }) => cells.at(-2).split(' ').length < 2 || !/\.$/.test(cells.at(-1)));
  assert.deepEqual(short.map(({ line }) => `${page}:${line}`), [], 'Write the meaning, and an advice that is a sentence.');
});
