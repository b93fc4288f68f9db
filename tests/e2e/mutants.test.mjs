// scripts/mutants takes half an hour and runs before a release. This test checks at each change that its
// patches still fit the program.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

for (const patch of readdirSync(`${root}tests/mutants`).filter((name) => name.endsWith('.patch'))) {
  test(`the mutant ${patch} can be made of the program as it is`, () => {
    execFileSync('git', ['-c', 'safe.directory=*', 'apply', '--check', `tests/mutants/${patch}`], { cwd: root, stdio: 'pipe' });
  });
}
