// Instructions a message, counted by callgrind in our own code: the same on a loaded machine and on
// an idle one (P12). Who makes it dearer by a tenth says so in tests/cost/instructions.json.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { binary } from './support/process.mjs';

const known = JSON.parse(readFileSync(new URL('../cost/instructions.json', import.meta.url), 'utf8'));
const program = join(dirname(binary), 'tests', 'verbatim_message_cost');

async function instructions(kind, count) {
  const { stderr } = await promisify(execFile)('valgrind', [
    '--tool=callgrind', '--callgrind-out-file=/dev/null', program, kind, String(count),
  ]);
  return Number(/Collected : (\d+)/.exec(stderr)[1]);
}

for (const [kind, most] of Object.entries(known)) {
  test(`a message of the kind "${kind}" costs no more instructions than it did [P12]`, async (t) => {
    const [few, many] = await Promise.all([instructions(kind, 100), instructions(kind, 600)]);
    const each = Math.round((many - few) / 500);
    t.diagnostic(`${each} instructions; known: ${most}`);
    assert.ok(each > 1000, 'it was measured');
    assert.ok(each <= 1.1 * most, `${each} instructions, ${most} were known`);
  });
}
