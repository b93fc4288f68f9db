// The faults themselves: each one really happens in the shipped program.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Client,
  makeKey,
  startRelay,
  startSimulator,
  temporaryDirectory,
} from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';

async function start(t, { arm = () => {}, ...options } = {}) {
  const shim = new Shim(t);
  arm(shim);
  const simulator = await startSimulator(t);
  const setup = { simulator, dataDir: temporaryDirectory(t), key: makeKey(), env: shim.env };
  const relay = await startRelay(t, { ...setup, ...options });
  return { shim, relay, setup };
}

test('calls are counted by kind and by file', async (t) => {
  const { shim, relay } = await start(t);
  const before = shim.counters();
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  const after = shim.counters();
  assert.ok(after.fdatasync.wal > before.fdatasync.wal);
  assert.ok(after.write.wal > before.write.wal);
  assert.ok(after.send.other > before.send.other);
  assert.equal(after.send.wal, 0); // sends never go to a file
});

for (const action of ['kill_before', 'kill_after', 'tear']) {
  test(`${action} ends the program at the fifth write of the WAL, by SIGKILL`, async (t) => {
    const { shim, relay, setup } = await start(t);
    const client = await Client.connectWithId(t, relay);
    const kill = shim.arm({ calls: 'write', file: '*.db-wal', action, from: 5 });
    client.ask('Hello?').catch(() => {}); // it ends with the program
    assert.deepEqual(await relay.program.over, { code: null, signal: 'SIGKILL' });
    assert.deepEqual([kill.seen, kill.fired], [5, 1]);
    kill.disarm();

    const again = await startRelay(t, setup);
    assert.equal((await again.transcript(client.id)).close_reason, 'crash_recovered');
  });
}

test('a held sync keeps back the words that wait for it, until it is released [P1]', async (t) => {
  const { shim, relay } = await start(t);
  const client = await Client.connectWithId(t, relay);
  const from = client.events.length;
  const held = shim.arm({ calls: 'fdatasync', file: '*.db-wal', action: 'hold' });
  const answered = client.ask('Hello?');
  await held.struck();
  assert.deepEqual(client.events.slice(from), []);
  held.disarm();
  await answered;
});

test('a full disk is full while the fault is armed, and not after', async (t) => {
  const { shim, relay } = await start(t);
  const client = await Client.connectWithId(t, relay);
  const full = shim.arm({ calls: 'write', file: '*.db-wal', action: 'fail', error: 'ENOSPC' });
  const answered = client.ask('Hello?');
  await full.struck(2);
  full.disarm();
  await answered;
});

test('a short write is completed, and nothing notices', async (t) => {
  const { shim, relay, setup } = await start(t);
  const client = await Client.connectWithId(t, relay);
  const short = shim.arm({ calls: 'write', file: '*.db-wal', action: 'shorten', from: 1, to: 20 });
  await client.ask('Hello?');
  assert.ok(short.fired > 1);
  await relay.program.stop('SIGKILL');
  const again = await startRelay(t, setup);
  assert.equal((await again.transcript(client.id)).turns.length, 2);
});

test('a sync that fails, and loses its bytes, is the last call to that file [P6]', async (t) => {
  const { shim, relay, setup } = await start(t);
  const client = await Client.connectWithId(t, relay);
  const text = (await client.ask('Hello?')).findLast(({ type }) =>
    type.endsWith('transcript.done'),
  );
  const lost = shim.arm({ calls: 'fdatasync', file: '*.db-wal', action: 'lose', from: 1 });
  client.ask('And now?').catch(() => {}); // it ends with the session
  await lost.struck();
  const writes = shim.counters().write.wal;
  await relay.program.over;
  assert.equal(shim.counters().write.wal, writes);
  lost.disarm();

  const again = await startRelay(t, setup);
  const { turns } = await again.transcript(client.id);
  assert.equal(turns[1].text, text.transcript);
  assert.ok(!JSON.stringify(turns).includes('And now?'), 'the words that the sync lost are still there');
});

test('a moved clock moves the times of the transcript, not the timers', async (t) => {
  const { shim, relay } = await start(t);
  const year = 365 * 24 * 3600 * 1000;
  const client = await Client.connectWithId(t, relay);
  shim.moveClock(year);
  await client.ask('Hello?');
  assert.equal(client.ended, undefined);
  await client.close();
  const [{ started_at: said }] = (await relay.transcript(client.id)).turns;
  assert.ok(Date.parse(said) > Date.now() + year / 2, said);
});

test('an allocation that fails fails', async (t) => {
  const { shim, relay } = await start(t);
  const failing = shim.arm({ calls: 'alloc', action: 'fail', atLeast: 200_000, from: 1 });
  const client = await Client.connectWithId(t, relay);
  client.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(400_000) });
  await failing.struck();
});
