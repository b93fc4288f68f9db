// Edge cases of the store with live conversations: its files are taken away, a reader holds the WAL open, the
// disk is full at start, file descriptors run out.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../e2e/support/cell.mjs';
import {
  Client,
  makeKey,
  refusal,
  startRelay,
  startSimulator,
  temporaryDirectory,
  within,
} from '../e2e/support/verbatim.mjs';

const patient = { concurrency: 2 };

async function start(t, options = {}) {
  const simulator = await startSimulator(t);
  const setup = { simulator, dataDir: temporaryDirectory(t), key: makeKey(), ...options };
  return { setup, relay: await startRelay(t, setup) };
}

async function connect(t, relay) {
  const token = await relay.mint({ user: 'ann' });
  const client = await Client.connectWithId(t, relay, { token });
  client.token = token;
  return client;
}

const readiness = async (relay) => {
  const { status, json } = await relay.request('/readyz');
  return { status, ...json.checks.journal };
};

async function metric(relay, name) {
  const { text } = await relay.request('/metrics');
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  assert.ok(line, `no metric ${name}`);
  return Number(line.split(' ').at(-1));
}

const lines = (relay, event) =>
  relay.program.stderr.split('\n').filter((line) => line.includes(event));

const replace = (file) => {
  copyFileSync(file, `${file}.copy`);
  renameSync(`${file}.copy`, file);
};

const takings = {
  'the database is removed': (dir) => rmSync(join(dir, 'verbatim.db')),
  'its log is removed': (dir) => rmSync(join(dir, 'verbatim.db-wal')),
  'the database is replaced by its copy': (dir) => replace(join(dir, 'verbatim.db')),
  'the log is renamed': (dir) =>
    renameSync(join(dir, 'verbatim.db-wal'), join(dir, 'verbatim.db-wal.old')),
  'the directory is renamed': (dir) => renameSync(dir, `${dir}.away`),
  'the directory is removed': (dir) => rmSync(dir, { recursive: true }),
};

for (const [name, take] of Object.entries(takings)) {
  test(`${name} under a conversation that talks: nothing more is called durable [P1][P6]`, patient, async (t) => {
    const { relay } = await start(t);
    t.after(() => rmSync(`${relay.dataDir}.away`, { recursive: true, force: true }));
    const client = await connect(t, relay);
    await client.ask('Before?');
    take(relay.dataDir);
    const from = client.events.length;
    client.ask('And now?').catch(() => {}); // it ends with the conversation
    assert.deepEqual(await client.closed, { code: 1011, reason: 'storage_failure' });
    const text = client.events.slice(from).filter(({ type }) => /delta|\.done$/.test(type));
    assert.deepEqual(text.filter(({ type }) => type.includes('transcript')), []);
    assert.deepEqual(await relay.program.over, { code: 1, signal: null });
    assert.match(lines(relay, 'journal.failed')[0], /taken_away.*while in use.*put it back/);
  });

  test(`${name} under a silent conversation: it is noticed as well [P6]`, patient, async (t) => {
    const fallback = temporaryDirectory(t);
    const { relay } = await start(t, { set: [`storage.fallback_dir=${fallback}`] });
    t.after(() => rmSync(`${relay.dataDir}.away`, { recursive: true, force: true }));
    const client = await connect(t, relay);
    await client.ask('Before?');
    assert.equal((await readiness(relay)).status, 200);
    take(relay.dataDir);
    await relay.program.logged('storage.trouble');
    const { status, detail } = await readiness(relay);
    assert.equal(status, 503);
    assert.match(detail, /fallback_dir/);
    assert.equal(await metric(relay, 'verbatim_journal_failures_total{kind="taken_away"}'), 1);
    assert.equal(await metric(relay, 'verbatim_journal_state{state="fallback"}'), 1);
    const refused = await refusal(relay, { token: client.token });
    assert.equal(refused.status, 503);
    await client.ask('It goes on?');
  });
}

test('a reader that holds the WAL is named, first as a warning; then no new session is admitted [P11]', patient, async (t) => {
  const { relay } = await start(t, {
    set: ['journal.log_bytes_max=2MiB', 'journal.wal_checkpoint_bytes=64KiB'],
  });
  const client = await connect(t, relay);
  await client.ask('Before?');
  // Command line arguments must not be shown: a password may be among them.
  const reader = spawn('sqlite3', ['-separator', 'hunter2', join(relay.dataDir, 'verbatim.db')]);
  t.after(() => reader.kill());
  const begun = new Promise((resolve) => reader.stdout.once('data', resolve));
  reader.stdin.write('BEGIN; SELECT count(*) FROM session;\n');
  await within(begun, 'a read transaction');

  const grow = async (until) => {
    for (let i = 0; !until(await readiness(relay)); ++i) {
      assert.ok(i < 400, 'the log does not grow');
      await client.ask('x'.repeat(40_000));
    }
  };
  await grow(({ warning }) => warning);
  const warned = await readiness(relay);
  assert.equal(warned.status, 200);
  assert.match(warned.warning, new RegExp(`process ${reader.pid} \\(sqlite3\\)`));
  assert.match(warned.warning, /journal\.log_bytes_max/);
  assert.equal(await metric(relay, 'verbatim_journal_log_large'), 1);
  assert.match(lines(relay, 'journal.log')[0], new RegExp(`process ${reader.pid}`));
  const admitted = await connect(t, relay);
  await admitted.close();

  await grow(({ status }) => status === 503);
  assert.match((await readiness(relay)).detail, new RegExp(`process ${reader.pid}`));
  assert.equal((await refusal(relay, { token: client.token })).status, 503);

  const answers = JSON.stringify([warned, await readiness(relay), (await relay.request('/metrics')).text]);
  assert.ok(!(answers + relay.program.stderr).includes('hunter2'));
  reader.stdin.end();
  await within(new Promise((resolve) => reader.once('exit', resolve)), 'the reader to end');
  await eventually(async () => {
    await client.ask('And now?');
    const { status, warning } = await readiness(relay);
    return status === 200 && !warning;
  }, 'the log to be reset');
});

/** A file system of its own; undefined where this user may not mount one. */
function mountDisk(t, size) {
  const place = mkdtempSync(join(tmpdir(), 'verbatim-disk-'));
  t.after(() => {
    spawnSync('umount', ['--lazy', place]);
    rmdirSync(place);
  });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place]);
  return mounted.status === 0 ? place : undefined;
}

function fillDisk(place) {
  const filler = openSync(join(place, 'filler'), 'a');
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096));
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  } finally {
    closeSync(filler);
  }
}

for (const [how, signal] of Object.entries({ 'an orderly end': 'SIGTERM', 'a kill': 'SIGKILL' })) {
  test(`a start on a full disk after ${how} serves stored sessions and recovers [P6][P7]`, patient, async (t) => {
    const mounted = mountDisk(t, '8m');
    if (!mounted) return t.skip('this user may not mount a file system');
    const { setup, relay: before } = await start(t, { dataDir: mounted, set: ['storage.ballast=0'] });
    const client = await connect(t, before);
    await client.ask('What is kept?');
    await before.program.stop(signal);
    // The next start could use the space of the WAL that a kill leaves: move it into the database and remove
    // it.
    if (signal === 'SIGKILL')
      execFileSync('sqlite3', [join(mounted, 'verbatim.db'), 'PRAGMA wal_checkpoint(TRUNCATE)']);
    fillDisk(mounted);

    const relay = await startRelay(t, setup);
    assert.equal((await relay.request('/healthz')).status, 200);
    const { status, detail } = await readiness(relay);
    assert.equal(status, 503);
    assert.match(detail, /full|too little space/);
    const kept = await relay.request(`/v1/sessions/${client.id}/transcript`);
    assert.equal(kept.status, 200, kept.text);
    assert.match(JSON.stringify(kept.json.turns), /What is kept/);
    assert.equal((await relay.request('/v1/sessions')).json.sessions.length, 1);
    assert.equal((await relay.request('/v1/sessions', { method: 'POST', body: {} })).status, 503);
    assert.equal((await refusal(relay, { token: client.token })).status, 503);
    assert.equal(await metric(relay, 'verbatim_journal_state{state="unavailable"}'), 1);

    rmSync(join(mounted, 'filler'));
    await relay.program.logged('storage.healed');
    await eventually(async () => (await readiness(relay)).status === 200, 'readiness');
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.status, 'final');
    assert.match(JSON.stringify(transcript.turns), /What is kept/);
    const next = await connect(t, relay);
    await next.ask('Room again?');
    await next.close();
    assert.equal((await relay.transcript(next.id)).turns.length, 2);
    assert.equal((await relay.program.stop('SIGTERM')).code, 0);
  });
}

/** The program under a limit of open files. */
async function startWithDescriptors(t, limit, options = {}) {
  const simulator = await startSimulator(t);
  const setup = { simulator, dataDir: temporaryDirectory(t), key: makeKey(), ...options };
  const set = ['tls.enabled=false', 'storage.ballast=0', ...(options.set ?? [])];
  return startRelay(t, { ...setup, set, openFiles: limit });
}

const ticks = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1).trim().split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

/** A connection that has sent this much and stays; what it is answered. */
function hold(url, sent) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port) });
  const held = { socket, text: '' };
  held.over = new Promise((resolve) => socket.on('close', resolve));
  socket.setEncoding('utf8').on('data', (piece) => (held.text += piece));
  socket.on('error', () => {});
  socket.on('connect', () => socket.write(sent));
  return held;
}

test('out of file descriptors: refused and counted, no busy loop, live conversations go on, and it recovers [P11]', patient, async (t) => {
  const relay = await startWithDescriptors(t, 90, { set: ['server.handshake_timeout=5m'] });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Before?');
  const held = [];
  for (let i = 0; i < 150; ++i) held.push(hold(relay.url, 'GET /v1/sessions HTTP/1.1\r\nHost: x\r\n'));
  await relay.program.logged('connections.refused');
  const line = lines(relay, 'connections.refused');
  assert.equal(line.length, 1);
  assert.match(line[0], /file descriptors/);
  await client.ask('Still there?');
  const open = spawnSync('ls', [`/proc/${relay.program.pid}/fd`], { encoding: 'utf8' }).stdout;
  assert.ok(open.trim().split('\n').length < 90, 'none is left for the journal');
  // Nothing happens now: any work of the program is a busy loop.
  const before = ticks(relay.program.pid);
  await client.ask('And still?');
  assert.ok(ticks(relay.program.pid) - before < 60);
  for (const one of held) one.socket.destroy();
  await eventually(async () => (await relay.request('/healthz').catch(() => ({}))).status === 200, 'health');
  assert.ok((await metric(relay, 'verbatim_connections_refused_total{why="descriptors"}')) > 20);
  const next = await Client.connectWithId(t, relay);
  await next.ask('Room again?');
});

test('out of file descriptors: an upgrade gets 503 while probes are answered [P11]', patient, async (t) => {
  const relay = await startWithDescriptors(t, 100, { set: ['server.keep_alive_timeout=5m'] });
  const token = await relay.mint();
  const clients = [];
  let refused;
  for (let i = 0; i < 60 && !refused; ++i) {
    try {
      const client = await Client.connect(t, relay, { token: await relay.mint() });
      clients.push(client);
    } catch {
      refused = await refusal(relay, { token }).catch(() => undefined);
    }
  }
  assert.ok(refused, 'never refused');
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.equal((await relay.request('/healthz')).status, 200);
  for (const client of clients) await client.ask('Who has come in is served?');
});
