// Reports of the program to its service manager (systemd: Type=notify, WatchdogSec=), and its sockets.
import assert from 'node:assert/strict';
import { unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { whenReady } from './support/process.mjs';
import { ServiceManager, missing, passer } from './support/service-manager.mjs';
import { Program, request, startRelay, startSimulator, temporaryDirectory, within } from './support/verbatim.mjs';

test('it reports that it is ready, reloads, is ready again, and stops, in this order [operation]', { skip: missing }, async (t) => {
  const manager = await ServiceManager.start(t);
  const relay = await startRelay(t, { env: manager.env() });
  const ready = await manager.with('READY');
  assert.ok(ready.STATUS.includes(`Serving ${relay.url}`), ready.STATUS);
  relay.program.child.kill('SIGHUP');
  const reloading = await manager.with('RELOADING');
  assert.match(reloading.MONOTONIC_USEC, /^\d+$/);
  await manager.with('READY', 2);
  const { code } = await relay.program.stop();
  assert.equal(code, 0);
  const stopping = await manager.with('STOPPING');
  assert.match(stopping.STATUS, /^Stopping: 0 conversations end\.$/);
  assert.deepEqual(manager.states, ['READY', 'RELOADING', 'READY', 'STOPPING']);
});

test('the first report of readiness comes when connections are accepted, and names the recovery before [operation]', { skip: missing }, async (t) => {
  const manager = await ServiceManager.start(t);
  const program = new Program(
    ['serve', ...['server.listen=127.0.0.1:0', `server.data_dir=${temporaryDirectory(t)}`].flatMap((one) => ['--set', one])],
    { env: manager.env() },
  );
  t.after(() => program.stop('SIGKILL'));
  const { STATUS } = await manager.with('READY');
  const [, url] = STATUS.match(/(https:\S+):/);
  assert.equal((await request(`${url}/healthz`)).status, 200);
  assert.match(manager.messages[0].STATUS, /recovering the journal/);
});

test('a reload that fails is reported as over, and the relay goes on [operation]', { skip: missing }, async (t) => {
  const manager = await ServiceManager.start(t);
  const directory = temporaryDirectory(t);
  const config = `${directory}/verbatim.toml`;
  writeFileSync(config, '[log]\nlevel = "info"\n');
  const relay = await startRelay(t, { config, key: null, env: manager.env() });
  await manager.with('READY');
  writeFileSync(config, '[log]\nlevel = "loud"\n');
  relay.program.child.kill('SIGHUP');
  await manager.with('READY', 2);
  await relay.program.logged('server.not_reloaded');
  assert.equal((await relay.request('/healthz')).status, 200);
});

test('it gives signs of life as long as it serves [operation][watchdog]', { skip: missing }, async (t) => {
  const manager = await ServiceManager.start(t);
  const simulator = await startSimulator(t);
  await startRelay(t, { simulator, env: manager.env(200) });
  await manager.with('WATCHDOG', 5);
});

test('it serves on a socket that the service manager passes, whose queue keeps clients while it restarts [operation][socket]', { skip: missing }, async (t) => {
  const directory = temporaryDirectory(t);
  const program = new Program(
    ['serve', '--ready-file', join(directory, 'ready.json'), ...['server.listen=127.0.0.1:1', `server.data_dir=${temporaryDirectory(t)}`].flatMap((one) => ['--set', one])],
    { through: passer },
  );
  let last;
  t.after(() => {
    program.child.kill('SIGKILL');
    try {
      process.kill(last, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  const first = await whenReady(program, directory, 'ready.json');
  last = first.pid;
  assert.equal((await request(`${first.url}/healthz`)).status, 200);
  unlinkSync(join(directory, 'ready.json'));
  process.kill(first.pid, 'SIGTERM');
  await program.logged('server.stopped');
  // No process accepts now, and the next one may not have begun.
  const meanwhile = request(`${first.url}/v1/config`);
  const second = await whenReady(program, directory, 'ready.json');
  last = second.pid;
  assert.notEqual(second.pid, first.pid);
  assert.equal(second.url, first.url);
  const { status, json } = await meanwhile;
  assert.equal(status, 200);
  assert.equal(json.server.listen, new URL(first.url).host);
});

test('without a watchdog it gives no signs of life [operation][watchdog]', { skip: missing }, async (t) => {
  const manager = await ServiceManager.start(t);
  const relay = await startRelay(t, { env: manager.env() });
  await manager.with('READY');
  await within(relay.program.stop(), 'the end');
  assert.ok(!manager.messages.some((message) => 'WATCHDOG' in message));
});
