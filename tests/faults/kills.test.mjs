// A short run of the crash harness, and a test that it finds planted errors. The full run: node
// tests/faults/kills.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Client,
  Program,
  startRelay,
  startSimulator,
  temporaryDirectory,
  within,
} from '../e2e/support/verbatim.mjs';
import { kills, report } from './kills.mjs';
import { Shim } from './shim.mjs';

const unsafe = 'testing.forward_before_commit=true';
const seed = 20;

for (const aim of [
  'random',
  'commit',
  'checkpoint',
  'stalled',
  'forward',
  'ending',
  'rotation',
  'recovery',
  'migration',
]) {
  test(`kills lose, double and invent nothing, aim: ${aim} [P1][P2][P7]`, async () => {
    const tally = await kills({ kills: 8, seed, aim, lanes: 2, sessions: 4 });
    assert.deepEqual(tally.breaches, [], report(tally, seed));
    assert.ok(tally.kills[aim] > 0, report(tally, seed));
    assert.ok(aim === 'migration' || tally.characters > 0, report(tally, seed));
  });
}

test('without write-ahead the harness finds losses', async () => {
  const tally = await kills({
    kills: 8,
    seed,
    aim: 'stalled',
    lanes: 2,
    sessions: 4,
    set: [unsafe],
  });
  assert.ok(tally.of('lost') > 0, report(tally, seed));
});

for (const [setting, shown] of [
  [[], false],
  [[unsafe], true],
]) {
  test(`a commit that is held up ${shown ? `and ${unsafe}: text goes` : 'holds up its text'} [P1]`, async (t) => {
    const shim = new Shim(t);
    const simulator = await startSimulator(t);
    const relay = await startRelay(t, { simulator, set: setting, env: shim.env });
    const client = await Client.connectWithId(t, relay);
    const held = shim.arm({ calls: 'write', file: '*.db-wal', action: 'hold' });
    const answered = client.ask('Hello?');
    if (shown) await answered;
    await held.struck();
    assert.equal(
      client.events.some(({ type }) => type.endsWith('.delta')),
      shown,
    );
    held.disarm();
    await answered;
  });
}

test('to forward before the commit is loud, and refused where others can connect', async (t) => {
  const relay = await startRelay(t, { set: [unsafe] });
  await relay.program.logged('UNSAFE');
  const args = ['serve', '--set', unsafe, '--set', 'server.listen=0.0.0.0:0'];
  const keys = [
    '--set',
    `auth.api_keys=sha256:${'0'.repeat(64)}`,
    '--set',
    `server.data_dir=${temporaryDirectory(t)}`,
  ];
  const refused = new Program([...args, ...keys]);
  t.after(() => refused.stop('SIGKILL'));
  assert.equal((await within(refused.over, 'the refusal')).code, 2);
  assert.match(refused.stderr, /testing\.forward_before_commit/);
});
