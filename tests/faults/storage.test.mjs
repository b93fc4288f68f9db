// Disk trouble seen from outside: never a silent gap. No new session is admitted. /readyz, the metrics and the
// log say why. Conversations wait or end with storage_failure. Text that a client received is there afterwards.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  Client,
  makeKey,
  refusal,
  startRelay,
  startSimulator,
  temporaryDirectory,
  within,
} from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';

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

/** Takes all free space except `spare` bytes. */
function fillDisk(place, spare = 0) {
  const { bavail, bsize } = statfsSync(place);
  const filler = openSync(join(place, 'filler'), 'a');
  try {
    for (let left = bavail * bsize - spare; left > 0; left -= 65536) {
      writeSync(filler, Buffer.alloc(Math.min(left, 65536)));
    }
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  } finally {
    closeSync(filler);
  }
}

const patient = { concurrency: 4 };
const disk = ['*.db-wal', '*.db', '*.db-shm'];

async function start(
  t,
  { set = [], shim = new Shim(t), dataDir = temporaryDirectory(t), env } = {},
) {
  const simulator = await startSimulator(t);
  const setup = { simulator, dataDir, key: makeKey(), set, env: env ?? shim.env };
  const relay = await startRelay(t, setup);
  return { shim, relay, setup };
}

const isDelta = ({ type }) => type === 'response.output_audio_transcript.delta';

/** All text of answers that the client was sent is in the transcript. */
function assertKept(transcript, client) {
  const texts = new Map();
  for (const { item_id, delta } of client.events.filter(isDelta)) {
    texts.set(item_id, (texts.get(item_id) ?? '') + delta);
  }
  for (const [item, text] of texts) {
    const turn = transcript.turns.find((kept) => kept.item_id === item);
    assert.ok(turn?.text.startsWith(text), `kept "${turn?.text}", received "${text}"`);
  }
}

async function metric(relay, name) {
  const { text } = await relay.request('/metrics');
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  assert.ok(line, `no metric ${name}`);
  return Number(line.split(' ').at(-1));
}

const readiness = async (relay) => {
  const { status, json } = await relay.request('/readyz');
  return { status, detail: json.checks.journal.detail };
};

/** Asks again until it is so; the program has no event for it that goes outside. */
async function becomes(look, what) {
  let asking = true;
  const so = (async () => {
    while (asking && !(await look())) await new Promise((resolve) => setTimeout(resolve, 20));
  })();
  return within(so, what).finally(() => (asking = false));
}

const lines = (relay, event) =>
  relay.program.stderr.split('\n').filter((line) => line.includes(event));

async function assertRefused(relay, client) {
  const token = client.token;
  const refused = await refusal(relay, { token });
  assert.equal(refused.status, 503);
  assert.equal(refused.json.error.code, 'storage_failure');
  assert.ok(Number(refused.headers['retry-after']) > 0);
}

/** Connected, with the token still at hand: none is minted while the disk is in trouble. */
async function connect(t, relay) {
  const token = await relay.mint({ user: 'ann' });
  const client = await Client.connectWithId(t, relay, { token });
  client.token = token;
  return client;
}

function fillUp(shim) {
  return disk.map((file) =>
    shim.arm({ calls: ['write', 'truncate'], file, action: 'fail', error: 'ENOSPC' }),
  );
}

describe('a disk that does not do its part', patient, () => {
  test('the relay waits for a disk that is full for a moment, and people do not notice [P6]', async (t) => {
    const { shim, relay } = await start(t, { set: ['journal.full_retry=10m'] });
    const client = await connect(t, relay);
    await client.ask('Before?');
    const from = client.events.length;
    const full = fillUp(shim);
    const answered = client.ask('Hello?');
    await full[0].struck(2);
    assert.deepEqual(client.events.slice(from), [], 'something unsaved was sent on');
    assert.match((await readiness(relay)).detail, /full/);
    await assertRefused(relay, client);
    full.forEach((one) => one.disarm());
    await answered;
    await client.close();
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.close_reason, 'client_closed');
    assertKept(transcript, client);
    await becomes(async () => (await readiness(relay)).status === 200, 'readiness');
  });

  test('a disk that stays full ends conversations, is reported, and recovers by itself [P2][P6]', async (t) => {
    const { shim, relay } = await start(t, { set: ['journal.full_retry=50ms'] });
    const talker = await connect(t, relay);
    const idler = await connect(t, relay);
    await talker.ask('Hello?');
    const full = fillUp(shim);
    talker.ask('Is there room?').catch(() => {}); // it ends with the conversation
    for (const client of [talker, idler]) {
      const { code, reason } = await client.closed;
      assert.deepEqual([code, reason], [1011, 'storage_failure']);
      assert.ok(
        client.events.some(
          ({ type, error }) => type === 'error' && error.code === 'storage_failure',
        ),
      );
    }
    assert.match((await readiness(relay)).detail, /full or locked/);
    assert.equal((await relay.request('/healthz')).status, 200);
    assert.equal(await metric(relay, 'verbatim_journal_state{state="unavailable"}'), 1);
    assert.equal(await metric(relay, 'verbatim_journal_failures_total{kind="disk_full"}'), 1);
    assert.equal(lines(relay, 'unavailable').length, 1);
    assert.match(lines(relay, 'unavailable')[0], /free some space/);
    await assertRefused(relay, talker);

    full.forEach((one) => one.disarm());
    await relay.program.logged('storage.healed');
    for (const client of [talker, idler]) {
      const transcript = await relay.transcript(client.id);
      assert.equal(transcript.status, 'final');
      assert.equal(transcript.close_reason, 'storage_failure');
      assertKept(transcript, client);
    }
    assert.equal(await metric(relay, 'verbatim_sessions{state="live"}'), 0);
    await becomes(async () => (await readiness(relay)).status === 200, 'readiness');
    const next = await connect(t, relay);
    await next.ask('Room again?');
  });

  test('a hurried end while the disk is full reports that not all was written [P2][P6]', async (t) => {
    const { shim, relay, setup } = await start(t, { set: ['journal.full_retry=10m'] });
    const client = await connect(t, relay);
    await client.ask('Hello?');
    const full = fillUp(shim);
    client.ask('Is there room?').catch(() => {}); // it ends with the conversation
    await full[0].struck(2);
    relay.program.child.kill('SIGTERM');
    await relay.program.logged('server.draining');
    assert.deepEqual(await relay.program.stop('SIGTERM'), { code: 1, signal: null });
    full.forEach((one) => one.disarm());
    const again = await startRelay(t, setup);
    const transcript = await again.transcript(client.id);
    assert.equal(transcript.close_reason, 'crash_recovered');
    assertKept(transcript, client);
  });

  test('a really full file system ends conversations and recovers by itself [P2][P6]', async (t) => {
    const mounted = mountDisk(t, '4m');
    if (!mounted) return t.skip('this user may not mount a file system');
    const { relay } = await start(t, {
      dataDir: mounted,
      set: ['journal.full_retry=50ms'],
      env: {},
    });
    const client = await connect(t, relay);
    await client.ask('Hello?');
    while (!client.ended) {
      fillDisk(mounted); // again: the ballast is removed
      await Promise.race([client.ask('x'.repeat(4000)), client.closed]).catch(() => {});
    }
    assert.equal((await client.closed).code, 1011);
    await assertRefused(relay, client);
    rmSync(join(mounted, 'filler'));
    await relay.program.logged('storage.healed');
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.close_reason, 'storage_failure');
    assertKept(transcript, client);
    await becomes(async () => (await readiness(relay)).status === 200, 'readiness');
    assert.equal((await relay.program.stop('SIGTERM')).code, 0);
  });

  test('too little space left: no new session is admitted, live ones continue [P6]', async (t) => {
    const mounted = mountDisk(t, '16m');
    if (!mounted) return t.skip('this user may not mount a file system');
    const { relay } = await start(t, { dataDir: mounted, env: {} });
    const client = await connect(t, relay);
    fillDisk(mounted, 600_000);
    await becomes(async () => (await readiness(relay)).status === 503, 'not ready');
    assert.match((await readiness(relay)).detail, /too little space/);
    await assertRefused(relay, client);
    await client.ask('Still there?');
    rmSync(join(mounted, 'filler'));
    await becomes(async () => (await readiness(relay)).status === 200, 'readiness');
  });

  for (const [what, fault] of Object.entries({
    'a write fails': { calls: 'write', action: 'fail', error: 'EIO', from: 1 },
    'a sync fails, once': { calls: 'fdatasync', action: 'lose', from: 1 },
    'a sync fails, for good': { calls: 'fdatasync', action: 'fail' },
  })) {
    test(`${what}: conversations end, the program too, and a restart recovers [P1][P2][P6]`, async (t) => {
      const { shim, relay, setup } = await start(t);
      const client = await connect(t, relay);
      await client.ask('Hello?');
      const armed = shim.arm({ file: '*.db-wal', ...fault });
      client.ask('And now?').catch(() => {}); // it ends with the conversation
      assert.deepEqual(await client.closed, { code: 1011, reason: 'storage_failure' });
      assert.deepEqual(await relay.program.over, { code: 1, signal: null });
      assert.equal(lines(relay, 'journal.failed').length, 1);
      armed.disarm();
      const again = await startRelay(t, setup);
      const transcript = await again.transcript(client.id);
      assert.equal(transcript.status, 'final');
      assert.equal(transcript.close_reason, 'crash_recovered');
      assertKept(transcript, client);
    });
  }

  test('a checkpoint that fails ends the program before it can spread [P6]', async (t) => {
    const { shim, relay, setup } = await start(t);
    const client = await connect(t, relay);
    const armed = shim.arm({ calls: ['write', 'fdatasync'], file: '*verbatim.db', action: 'fail' });
    await client.ask('Hello?');
    assert.deepEqual(await relay.program.over, { code: 1, signal: null });
    armed.disarm();
    const again = await startRelay(t, setup);
    assertKept(await again.transcript(client.id), client);
  });

  test('with a fallback directory a failed sync causes one pause and loses no word [P1][P6][P7]', async (t) => {
    const fallback = temporaryDirectory(t);
    const { shim, relay, setup } = await start(t, { set: [`storage.fallback_dir=${fallback}`] });
    const client = await connect(t, relay);
    const other = await connect(t, relay);
    await client.ask('Hello?');
    const file = `${setup.dataDir}/verbatim.db-wal`;
    const armed = shim.arm({ calls: 'fdatasync', file, action: 'lose', from: 1 });
    await client.ask('And now?');
    const written = shim.counters().write;
    await client.ask('And then?');
    await other.ask('Hello from here?');
    assert.equal(armed.fired, 1);
    assert.equal(shim.counters().write.db, written.db, 'the poisoned file was written');
    assert.match((await readiness(relay)).detail, /fallback_dir/);
    assert.equal(await metric(relay, 'verbatim_journal_state{state="fallback"}'), 1);
    await assertRefused(relay, client);
    await client.close();

    await relay.program.stop('SIGKILL');
    armed.disarm();
    const again = await startRelay(t, setup);
    const transcript = await again.transcript(client.id);
    assert.equal(transcript.turns.length, 6);
    assertKept(transcript, client);
    const crashed = await again.transcript(other.id);
    assert.equal(crashed.close_reason, 'crash_recovered');
    assertKept(crashed, other);
    assert.equal((await readiness(again)).status, 200);
  });

  test('with a fallback directory a full disk is left and returned to [P6]', async (t) => {
    const fallback = temporaryDirectory(t);
    const set = [`storage.fallback_dir=${fallback}`, 'journal.full_retry=50ms'];
    const { shim, relay, setup } = await start(t, { set });
    const client = await connect(t, relay);
    const file = `${setup.dataDir}/verbatim.db`;
    const full = shim.arm({ calls: 'write', file, action: 'fail', error: 'ENOSPC' });
    await client.ask('Hello?');
    await assertRefused(relay, client);
    full.disarm();
    await relay.program.logged('storage.healed');
    await client.ask('Home again?');
    await client.close();
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.turns.length, 4);
    assertKept(transcript, client);
  });

  test('a slow disk slows words down and loses none [P1][P6]', async (t) => {
    const { shim, relay } = await start(t, { set: ['journal.slow_commit=200ms'] });
    const client = await connect(t, relay);
    const slow = shim.arm({ calls: 'fdatasync', file: '*.db-wal', action: 'delay', ms: 20 });
    await client.ask('Hello?');
    slow.disarm();
    // A commit is running: no new session is admitted until it ends.
    const held = shim.arm({ calls: 'fdatasync', file: '*.db-wal', action: 'hold' });
    const answered = client.ask('And now?');
    await becomes(async () => (await readiness(relay)).status === 503, 'not ready');
    await becomes(
      async () => (await metric(relay, 'verbatim_journal_state{state="stalled"}')) === 1,
      'stalled',
    );
    await assertRefused(relay, client);
    held.disarm();
    await answered;
    await client.close();
    assertKept(await relay.transcript(client.id), client);
  });

  test('a disk that does not come back counts as failed, and the program ends [P2][P6]', async (t) => {
    const set = [
      'journal.stuck_commit=300ms',
      'journal.busy_timeout=0s',
      'session.close_timeout=200ms',
    ];
    const { shim, relay, setup } = await start(t, { set });
    const client = await connect(t, relay);
    await client.ask('Hello?');
    const held = shim.arm({ calls: 'fdatasync', file: '*.db-wal', action: 'hold' });
    client.ask('And now?').catch(() => {}); // it ends with the conversation
    assert.deepEqual(await client.closed, { code: 1011, reason: 'storage_failure' });
    assert.deepEqual(await relay.program.over, { code: 1, signal: null });
    held.disarm();
    const again = await startRelay(t, setup);
    assertKept(await again.transcript(client.id), client);
  });

  test('the memory that waits for the disk is bounded, and reading stops before that [P6][P11]', async (t) => {
    const { shim, relay } = await start(t, {
      set: ['journal.queue_bytes_max=64KiB', 'journal.slow_commit=1m'],
    });
    const client = await connect(t, relay);
    const held = shim.arm({ calls: 'fdatasync', file: '*.db-wal', action: 'hold' });
    const questions = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(1000)}`);
    for (const text of questions) {
      client.send({
        type: 'conversation.item.create',
        item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
      });
    }
    await becomes(
      async () => (await metric(relay, 'verbatim_journal_queue_bytes')) > 32 * 1024,
      'a crowd',
    );
    assert.ok((await metric(relay, 'verbatim_journal_queue_bytes')) <= 64 * 1024);
    held.disarm();
    const created = ({ type }) => type === 'conversation.item.added';
    await client.until(({ events }) => events.filter(created).length === 60, 'all items');
    await client.close();
    const { turns } = await relay.transcript(client.id);
    assert.deepEqual(
      turns.map(({ text }) => text),
      questions,
    );
  });

  test('the relay waits for a database that another process locks, and recovers [P6]', async (t) => {
    if (spawnSync('sqlite3', ['--version']).status !== 0) return t.skip('sqlite3 is not installed');
    const set = ['journal.busy_timeout=20ms', 'journal.full_retry=50ms'];
    const { relay, setup } = await start(t, { set });
    const client = await connect(t, relay);
    await client.ask('Hello?');
    const other = spawn('sqlite3', [join(setup.dataDir, 'verbatim.db')]);
    t.after(() => other.kill('SIGKILL'));
    const locked = new Promise((resolve) => other.stdout.once('data', resolve));
    other.stdin.write('.timeout 5000\nBEGIN IMMEDIATE;\nSELECT 1;\n'); // its first output is the 1
    await within(locked, 'the lock');
    client.ask('And now?').catch(() => {}); // it ends with the conversation
    assert.equal((await client.closed).code, 1011);
    assert.match((await readiness(relay)).detail, /locked/);
    assert.match(lines(relay, 'unavailable')[0], /other process/);
    other.kill('SIGKILL');
    await relay.program.logged('storage.healed');
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.close_reason, 'storage_failure');
    assertKept(transcript, client);
  });

  test('a reader that holds the WAL open disturbs no conversation [P6]', async (t) => {
    if (spawnSync('sqlite3', ['--version']).status !== 0) return t.skip('sqlite3 is not installed');
    const { relay, setup } = await start(t, { set: ['journal.wal_checkpoint_bytes=64KiB'] });
    const client = await connect(t, relay);
    await client.ask('Hello?');
    const reader = spawn('sqlite3', [join(setup.dataDir, 'verbatim.db')]);
    t.after(() => reader.kill('SIGKILL'));
    const reading = new Promise((resolve) => reader.stdout.once('data', resolve));
    reader.stdin.write('BEGIN;\nSELECT count(*) FROM journal;\n');
    await within(reading, 'the reader');
    while ((await metric(relay, 'verbatim_journal_log_bytes')) < 1024 * 1024) {
      await client.ask('x'.repeat(20_000));
    }
    assert.equal((await readiness(relay)).status, 200);
    reader.kill('SIGKILL');
    await becomes(async () => {
      await client.ask('Smaller now?');
      return (await metric(relay, 'verbatim_journal_log_bytes')) < 256 * 1024;
    }, 'the log to be emptied');
    await client.close();
    assertKept(await relay.transcript(client.id), client);
  });

  test('a file system that turns read-only ends the program, and says so at the next start [P6]', async (t) => {
    const mounted = mountDisk(t, '64m');
    if (!mounted) return t.skip('this user may not mount a file system');
    const { shim, relay, setup } = await start(t, { dataDir: mounted });
    const client = await connect(t, relay);
    await client.ask('Hello?');
    // A kernel that gives up a disk makes it read-only under its writers; a plain remount would be refused
    // while they write.
    const armed = shim.arm({
      calls: ['write', 'truncate'],
      file: '*.db-wal',
      action: 'fail',
      error: 'EROFS',
    });
    client.ask('And now?').catch(() => {}); // it ends with the conversation
    assert.equal((await client.closed).code, 1011);
    assert.equal((await relay.program.over).code, 1);
    armed.disarm();
    spawnSync('mount', ['-o', 'remount,ro', mounted]);
    await assert.rejects(startRelay(t, setup), /ended with 1[^]*(read-only|Read-only)/i);
    spawnSync('mount', ['-o', 'remount,rw', mounted]);
    const again = await startRelay(t, setup);
    assertKept(await again.transcript(client.id), client);
  });

  test('a damaged page is noticed, never skipped, and sound data is kept [P6][P7]', async (t) => {
    const { relay, setup } = await start(t);
    const client = await connect(t, relay);
    await client.ask('Marked for damage');
    await client.close();
    await relay.transcript(client.id);
    await relay.program.stop('SIGTERM');
    const file = join(setup.dataDir, 'verbatim.db');
    const at = readFileSync(file).indexOf('Marked for damage');
    assert.ok(at > 0);
    const page = Math.floor(at / 4096) * 4096;
    const damaged = openSync(file, 'r+');
    writeSync(damaged, Buffer.alloc(200, 0xff), 0, 200, page);
    closeSync(damaged);

    const again = await startRelay(t, setup); // it was closed in order, so nothing is checked
    const answer = await again.request(`/v1/sessions/${client.id}/transcript`);
    assert.equal(answer.status, 503);
    assert.match(answer.json.detail, /restore it from a backup/);
    const next = await connect(t, again);
    next.ask('Does it write there?').catch(() => {});
    assert.deepEqual(await next.closed, { code: 1011, reason: 'storage_failure' });
    assert.equal((await again.program.over).code, 1);
    await assert.rejects(startRelay(t, setup), /ended with 1[^]*damaged[^]*nothing was changed/);
  });
});
