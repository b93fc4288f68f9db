// The service manager's watchdog gets no sign of life while the thread that writes the journal hangs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceManager, missing } from '../e2e/support/service-manager.mjs';
import { startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';

test('a journal that hangs stops the signs of life, and they go on when it moves [operation][watchdog]', { skip: missing }, async (t) => {
  const manager = await ServiceManager.start(t);
  const shim = new Shim(t);
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, {
    simulator,
    set: ['journal.stuck_commit=10m', 'journal.slow_commit=1m'],
    env: { ...shim.env, ...manager.env(200) },
  });
  await manager.with('WATCHDOG');
  const held = shim.arm({ calls: 'fdatasync', file: '*-wal', action: 'hold' });
  const made = relay.request('/v1/sessions', { method: 'POST', body: {} });
  await held.struck();
  await relay.program.logged('watchdog.withheld', 2);
  const before = manager.messages.length;
  await relay.program.logged('watchdog.withheld', 4);
  assert.ok(!manager.messages.slice(before).some((message) => 'WATCHDOG' in message), 'a sign of life came from a journal that hangs');
  assert.match(relay.program.stderr, /watchdog\.withheld.*journal/);
  held.disarm();
  assert.equal((await made).status, 201);
  const alive = manager.messages.filter((message) => 'WATCHDOG' in message).length;
  await manager.with('WATCHDOG', alive + 2);
});
