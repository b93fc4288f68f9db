// The boundary between the server and its store: the server uses storage/store and nothing behind
// it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { includesOf } from './support/includes.mjs';
import { codeOf, isCpp, lineAt, productCpp, report, textOf } from './support/sources.mjs';

// Chooses and opens the store: the only files of the server that may name the class behind it.
const wiring = ['server/app/store_start.cpp', 'server/app/store_start.hpp'];
// The command line works on stored data without a server.
const offline = ['data.cpp', 'data_check.cpp', 'offline.cpp', 'offline.hpp'].map((name) => `server/app/commands/${name}`);

const behind = /\b(Sqlite\w*|SQLite|sqlite3?|Database|TranscriptStore|LiveTail|ReaderThread)\b/g;

const server = productCpp.filter((file) => file.startsWith('server/') && !wiring.includes(file));
const contract = productCpp.filter((file) => file.startsWith('storage/store/'));

/** "file:line: word" of each match in the code, or in the whole text, of these files. */
function found(sources, pattern, read) {
  return sources.flatMap((file) => {
    const text = read(file);
    return [...text.matchAll(pattern)].map(({ 0: word, index }) => `${file}:${lineAt(text, index)}: ${word}`);
  });
}

test('there is a server, a contract and a wiring to look at', () => {
  assert.ok(server.length > 150 && contract.length > 10, `found ${server.length} and ${contract.length} files`);
  assert.deepEqual([...wiring, ...offline].filter((file) => !productCpp.includes(file) || !isCpp(file)), []);
  assert.notDeepEqual(found(wiring, behind, codeOf), []);
});

test('no file of the server names what is behind the store, except the file that chooses it', () => {
  const places = [...found(server, behind, codeOf), ...found(server, /sqlite/gi, textOf)];
  assert.deepEqual(places, [], report('Names of a store behind the interface', places, 'Ask for what is needed in storage/store/, and implement it in storage/sqlite_store/.'));
});

test('the server includes of the storage only its interface', () => {
  const allowed = (file, path) =>
    path.startsWith('storage/store/') || (offline.includes(file) && path.startsWith('storage/maintenance/'));
  const places = server.flatMap((file) =>
    includesOf(file)
      .filter(({ ours, path }) => ours && path.startsWith('storage/') && !allowed(file, path))
      .map(({ path, line }) => `${file}:${line}: "${path}"`),
  );
  assert.deepEqual(places, [], report('Includes from behind the interface', places, 'Only server/app/store_start may, and the command line for maintenance.'));
});

test('the interface of a store names no kind of store', () => {
  const places = found(contract, /sqlite|postgres|\bSELECT\b/gi, textOf);
  assert.deepEqual(places, [], report('Names of one kind of store', places, 'Say what every store promises.'));
});
