// A sample of the fault matrix, and a test that it finds planted errors. The full run: node
// tests/faults/matrix.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { within } from '../e2e/support/verbatim.mjs';

const script = fileURLToPath(new URL('matrix.mjs', import.meta.url));
const seed = process.env.VERBATIM_MATRIX_SEED ?? '20';

/** In a process of its own, since its mounts are. */
async function matrix(t, ...args) {
  const child = spawn(process.execPath, [script, '--seed', seed, ...args]);
  t.after(() => child.kill());
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (said += text));
  const code = await within(new Promise((done) => child.on('close', done)), 'the cells', 120_000);
  const figure = (name) => Number(new RegExp(`^${name} +(\\d+)`, 'm').exec(said)?.[1]);
  return { code, said, figure };
}

test(`every end and every fault: nothing that was seen is lost, seed ${seed} [P1][P2][P6][P7]`, async (t) => {
  const { code, said, figure } = await matrix(t, '--sample');
  assert.equal(code, 0, said);
  assert.ok(figure('characters') > 0 && figure('\\+') >= 15, said);
});

for (const once of ['11', '13']) {
  test(`a read that finds no memory does not keep its connection from being closed, seed ${once} [P2][P11]`, async (t) => {
    const cell = ['--path', 'browser too slow', '--fault', 'allocation fails'];
    const { code, said } = await matrix(t, ...cell, '--seed', once);
    assert.equal(code, 0, said);
  });
}

test('without write-ahead a kill while the disk is slow is seen to lose text', async (t) => {
  const cell = ['--path', 'SIGKILL', '--fault', 'fsync 1 s'];
  const { code, said, figure } = await matrix(
    ...[t, ...cell, '--set', 'testing.forward_before_commit=true'],
  );
  assert.equal(code, 1, said);
  assert.ok(figure('lost') > 0, said);
});
