// A short run of the power cuts, and a test that they find planted errors. The full run: node
// tests/faults/powercuts.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { within } from '../e2e/support/verbatim.mjs';
import { whyNot } from './disk.mjs';

const skip = whyNot() ?? false;
const script = fileURLToPath(new URL('powercuts.mjs', import.meta.url));

/** In a process of its own, since its mounts are. */
async function powercuts(t, ...args) {
  const child = spawn(process.execPath, [script, '--seed', '20', ...args]);
  t.after(() => child.kill());
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (said += text));
  const code = await within(new Promise((done) => child.on('close', done)), 'the cuts', 120_000);
  const figure = (name) => Number(new RegExp(`^${name} +(\\d+)`, 'm').exec(said)?.[1]);
  return { code, said, figure };
}

test('power cuts lose, double and invent nothing [P1][P2][P7]', { skip }, async (t) => {
  const { code, said, figure } = await powercuts(t, '--cuts', '12');
  assert.equal(code, 0, said);
  assert.ok(figure('cuts') >= 12 && figure('characters') > 0, said);
});

test('without a sync for each commit the power cuts find losses', { skip }, async (t) => {
  const { code, said, figure } = await powercuts(t, '--cuts', '30', '--durability', 'process');
  assert.equal(code, 1, said);
  assert.ok(figure('lost') > 0, said);
});
