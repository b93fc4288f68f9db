// scripts/mutants takes half an hour and runs before a release. These tests check at each change that its
// patches still fit the program, and that the checks which they name exist.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { files, isCpp, lineAt, report, root, textOf } from './support/sources.mjs';

const patches = files.filter((file) => /^tests\/mutants\/.*\.patch$/.test(file));

test('every mutant can be made of the program as it is', () => {
  assert.ok(patches.length > 5, `found ${patches.length} patches`);
  const places = [];
  for (const patch of patches) {
    const { status, stderr } = spawnSync('git', ['-c', 'safe.directory=*', 'apply', '--check', patch], { cwd: root, encoding: 'utf8' });
    if (status !== 0) places.push(`${patch}: ${stderr.trim()}`);
  }
  assert.deepEqual(places, [], report('Mutants that do not fit', places, 'Make the patch again: break the same behaviour in the code as it is now, and write `git diff` into the file.'));
});

/** A check that scripts/mutants can run, or why it cannot. */
function missing(check) {
  const [what, name, ...rest] = check.split(' ');
  if (/_tests$/.test(what)) {
    const room = `tests/${what.replace(/_tests$/, '')}/`;
    const tests = files.filter((file) => file.startsWith(room) && isCpp(file));
    if (tests.length === 0) return `there is no ${room}`;
    return tests.some((file) => textOf(file).includes(name)) ? undefined : `no test has the tag ${name}`;
  }
  if (/^(e2e|faults)$/.test(what)) return files.includes(`tests/${what}/${name}`) ? undefined : `there is no tests/${what}/${name}`;
  if (!files.includes(`tests/faults/${what}.mjs`)) return `there is no tests/faults/${what}.mjs`;
  const unknown = [name, ...rest].filter((one) => one?.startsWith('--') && !textOf(`tests/faults/${what}.mjs`).includes(one.slice(2)));
  return unknown.length > 0 ? `tests/faults/${what}.mjs has no option ${unknown}` : undefined;
}

test('the checks that a mutant names exist, and each mutant names one', () => {
  const places = [];
  for (const patch of patches) {
    const checks = [...textOf(patch).matchAll(/^Caught-by: (.+)$/gm)];
    if (checks.length === 0) places.push(`${patch}: names no check`);
    for (const { 1: check, index } of checks) {
      const why = missing(check);
      if (why) places.push(`${patch}:${lineAt(textOf(patch), index)}: ${check}: ${why}`);
    }
  }
  assert.deepEqual(places, [], report('Checks of mutants', places, 'Correct the line "Caught-by:" of each.'));
});
