// Instructions for a message, counted by callgrind in the project's own code: the same on a busy and an idle
// machine (P12). A change that makes it a tenth more expensive must change tests/cost/instructions.json.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { binary } from './support/process.mjs';

const known = JSON.parse(readFileSync(new URL('../cost/instructions.json', import.meta.url), 'utf8'));
// The figures need the loops with wide registers (base/simd.hpp) and those of libc.
const skip = /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? false : 'the processor has no AVX2';
const program = join(dirname(binary), 'tests', 'verbatim_message_cost');

async function instructions(kind, count) {
  const { stderr } = await promisify(execFile)('valgrind', [
    '--tool=callgrind', '--callgrind-out-file=/dev/null', program, kind, String(count),
  ]);
  return Number(/Collected : (\d+)/.exec(stderr)[1]);
}

async function each(kind, from, to) {
  const [few, many] = await Promise.all([instructions(kind, from), instructions(kind, to)]);
  return Math.round((many - few) / (to - from));
}

for (const [kind, most] of Object.entries(known)) {
  test(`a message of the kind "${kind}" costs no more instructions than it did [P12]`, { skip }, async (t) => {
    const cost = await each(kind, 100, 600);
    t.diagnostic(`${cost} instructions; known: ${most}`);
    assert.ok(cost > 1000, 'it was measured');
    assert.ok(cost <= 1.1 * most, `${cost} instructions, ${most} were known`);
  });

  test(`the next "${kind}" of an answer of any length costs the same [P12]`, { skip }, async (t) => {
    const late = await each(kind, 3000, 3500);
    t.diagnostic(`${late} instructions after 3,000; known: ${most}`);
    assert.ok(late <= 1.1 * most, `${late} instructions after 3,000, ${most} were known`);
  });
}
