// How long files, rooms and functions are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rooms, roomOf } from './support/build.mjs';
import { functionsOf } from './support/functions.mjs';
import { files, isCpp, isScript, isTest, lineCount, productCpp, report } from './support/sources.mjs';

const linesMax = 500;
const shareMax = 0.2;

const written = files.filter((file) => isCpp(file) || isScript(file));

test(`no source that is written by hand has more than ${linesMax} lines`, () => {
  const places = written
    .filter((file) => lineCount(file) > linesMax)
    .map((file) => `${file}: ${lineCount(file)} lines`);
  assert.deepEqual(places, [], report('Files that are too long', places, 'Divide each by purpose into files of its own.'));
});

/** Room -> lines. The browser's folders have no room(...) call. */
function linesOfRooms() {
  const lines = new Map([...rooms.keys()].map((name) => [name, 0]));
  const add = (name, file) => lines.set(name, (lines.get(name) ?? 0) + lineCount(file));
  for (const file of productCpp) if (roomOf(file)) add(roomOf(file).name, file);
  for (const file of files) if (isScript(file) && file.startsWith('web/')) add(file.split('/').slice(0, 2).join('/'), file);
  return lines;
}

test(`no room has more than ${shareMax * 100} % of the product's code`, (t) => {
  const lines = linesOfRooms();
  const all = [...lines.values()].reduce((sum, one) => sum + one, 0);
  const share = (one) => `${((100 * one) / all).toFixed(1)} %`;
  const sorted = [...lines].sort(([, a], [, b]) => b - a);
  t.diagnostic(`${all} lines: ${sorted.map(([name, one]) => `${name} ${share(one)}`).join(', ')}`);
  const places = sorted.filter(([, one]) => one > shareMax * all).map(([name, one]) => `${name}: ${one} of ${all} lines, ${share(one)}`);
  assert.deepEqual(places, [], report('Rooms that are too large', places, 'Divide each: a part that others can do without becomes a room.'));
});

test('functions are reported by their length', (t) => {
  const found = productCpp.flatMap((file) => functionsOf(file).map((one) => ({ file, ...one })));
  assert.ok(found.length > 1000, `found ${found.length} functions`);
  const mean = found.reduce((sum, { lines }) => sum + lines, 0) / found.length;
  const short = found.filter(({ lines }) => lines <= 20).length / found.length;
  t.diagnostic(`${found.length} functions, ${mean.toFixed(1)} lines on average, ${(100 * short).toFixed(0)} % of at most 20; the longest:`);
  for (const { file, name, line, lines } of found.sort((a, b) => b.lines - a.lines).slice(0, 12)) {
    t.diagnostic(`${String(lines).padStart(4)} lines  ${name}  ${file}:${line}`);
  }
});
