// Backup, restore and check, as an operator does them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  Client,
  makeKey,
  run,
  startRelay,
  startSimulator,
  temporaryDirectory,
} from './support/verbatim.mjs';

const at = (dataDir) => ['--set', `server.data_dir=${dataDir}`];
const database = (dataDir) => join(dataDir, 'verbatim.db');

function sqlite(file, statement) {
  const { status, stdout, stderr } = spawnSync('sqlite3', [file, statement], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

async function json(...args) {
  const { code, stdout, stderr } = await run([...args, '--json']);
  assert.equal(stdout[0], '{', stderr);
  return { code, ...JSON.parse(stdout) };
}

async function start(t, options = {}) {
  const simulator = await startSimulator(t);
  const setup = { simulator, dataDir: temporaryDirectory(t), key: makeKey(), ...options };
  return { setup, relay: await startRelay(t, setup) };
}

/** Talks until stopped. */
async function talk(t, relay) {
  const client = await Client.connectWithId(t, relay);
  let over = false;
  const talking = (async () => {
    for (let i = 1; !over; ++i) await client.ask(`Question ${i} of ${client.id}?`);
  })();
  return {
    client,
    async stop() {
      over = true;
      await talking;
    },
  };
}

test('a backup of a server under load, restored elsewhere, has the same content', async (t) => {
  const { setup, relay } = await start(t);
  const ended = await Promise.all([1, 2, 3].map(() => Client.connectWithId(t, relay)));
  for (const client of ended) {
    await client.ask('Hello?');
    await client.close();
  }
  const kept = new Map();
  for (const { id } of ended) kept.set(id, await relay.transcript(id));

  const people = await Promise.all([1, 2, 3, 4].map(() => talk(t, relay)));
  await Promise.all(people.map(({ client }) => client.event('response.done')));
  const seen = people.map(({ client }) =>
    client.events.filter(({ type }) => type === 'response.output_audio_transcript.done'),
  );
  const file = join(temporaryDirectory(t), 'backup.db');
  const made = await json('backup', file, '--data', setup.dataDir);
  await Promise.all(people.map((one) => one.stop()));
  assert.equal(made.code, 0);
  assert.equal(made.bytes, statSync(file).size);
  assert.equal(made.counts.sessions, 7);
  assert.equal(made.counts.open_attempts, 4);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  for (const { client } of people) {
    await client.close();
    kept.set(client.id, await relay.transcript(client.id));
  }

  // As docs/durability.md says: an empty data directory, the backup put there, recover, start.
  const dataDir = temporaryDirectory(t);
  copyFileSync(file, database(dataDir));
  const recovered = await json('recover', ...at(dataDir));
  assert.equal(recovered.attempts.length, 4);
  const restored = await startRelay(t, { ...setup, dataDir });
  for (const { id } of ended) assert.deepEqual(await restored.transcript(id), kept.get(id));
  for (const [i, { client }] of people.entries()) {
    const transcript = await restored.transcript(client.id);
    assert.equal(transcript.close_reason, 'crash_recovered');
    const whole = kept.get(client.id).turns;
    for (const [place, turn] of transcript.turns.entries()) {
      // A turn that the provider had not acknowledged at that moment has no provider id yet.
      const unacknowledged = transcript.gaps.some(({ item_id, kind }) => kind === 'unacknowledged_item' && item_id === turn.item_id);
      assert.ok(unacknowledged || turn.item_id === whole[place].item_id);
      assert.ok(whole[place].text.startsWith(turn.text), turn.text);
    }
    assert.ok(seen[i].length > 0);
    for (const { item_id, transcript: text } of seen[i])
      assert.equal(transcript.turns.find((turn) => turn.item_id === item_id)?.text, text);
  }
});

test('a backup overwrites nothing and says so', async (t) => {
  const { setup } = await start(t);
  const directory = temporaryDirectory(t);
  const file = join(directory, 'there');
  writeFileSync(file, 'mine');
  const { code, stderr } = await run(['backup', file, ...at(setup.dataDir)]);
  assert.equal(code, 1);
  assert.match(stderr, /is there already/);
  assert.equal(statSync(file).size, 4);
  assert.deepEqual(readdirSync(directory), ['there']);
});

test('a backup onto a full disk is an error and leaves nothing', async (t) => {
  let small; // unmounted before its folder is removed: hooks run in this order
  t.after(() => spawnSync('umount', ['--lazy', small]));
  small = join(temporaryDirectory(t), 'small');
  mkdirSync(small);
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'tmpfs', small]);
  if (mount.status !== 0) return t.skip('this user may not mount a file system');
  const { setup, relay } = await start(t);
  const { code, stderr } = await run(['backup', join(small, 'b.db'), ...at(setup.dataDir)]);
  assert.equal(code, 1);
  assert.match(stderr, /b\.db.*free some space/);
  assert.deepEqual(readdirSync(small), []);
  await (await Client.connectWithId(t, relay)).ask('Still there?');
});

test('a damaged page is found by check --data, and is not backed up', async (t) => {
  const { setup, relay } = await start(t);
  await (await Client.connectWithId(t, relay)).ask('Hello?');
  assert.equal((await json('check', '--data', ...at(setup.dataDir))).served, true);
  await relay.program.stop('SIGTERM');
  const sound = await json('check', '--data', setup.dataDir);
  assert.deepEqual([sound.code, sound.sound, sound.integrity], [0, true, 'ok']);
  assert.deepEqual([sound.served, sound.clean, sound.recovery_needed], [false, true, false]);
  assert.equal(sound.counts.turns, 2);

  const file = database(setup.dataDir);
  const page = Number(sqlite(file, "SELECT rootpage FROM sqlite_master WHERE name = 'turn'"));
  const damaged = openSync(file, 'r+');
  writeSync(damaged, Buffer.alloc(100, 'Z'), 0, 100, (page - 1) * 4096);
  closeSync(damaged);

  const { code, stdout } = await run(['check', '--data', setup.dataDir]);
  assert.equal(code, 1);
  assert.match(stdout, /integrity: (?!ok)/);
  assert.match(stdout, /NOT sound/);
  const directory = temporaryDirectory(t);
  const backup = await run(['backup', join(directory, 'b.db'), ...at(setup.dataDir)]);
  assert.equal(backup.code, 1);
  assert.match(backup.stderr, /damaged/);
  assert.deepEqual(readdirSync(directory), []);

  // A crashed file is not changed either, and the inspection says why.
  sqlite(file, 'UPDATE meta SET clean = 0');
  const look = await json('recover', '--dry-run', ...at(setup.dataDir));
  assert.equal(look.code, 1);
  assert.notEqual(look.integrity, 'ok');
  const recovery = await run(['recover', '--dry-run', ...at(setup.dataDir)]);
  assert.equal(recovery.code, 1);
  assert.match(recovery.stderr, /damaged/);
  assert.equal((await run(['recover', ...at(setup.dataDir)])).code, 1);
});

test('nothing to check is exit 3, a bad setting exit 2', async (t) => {
  assert.equal((await run(['check', '--data', join(temporaryDirectory(t), 'none')])).code, 3);
  assert.equal((await run(['check', '--data', '--set', 'server.nonsense=1'])).code, 2);
});

test('recover --dry-run reports what recover then does [P7]', async (t) => {
  const { setup, relay } = await start(t);
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  const beside = await run(['recover', '--dry-run', ...at(setup.dataDir)]);
  assert.equal(beside.code, 1);
  assert.match(beside.stderr, /a relay uses/);
  await relay.program.stop('SIGKILL');

  const file = database(setup.dataDir);
  const row = sqlite(file, 'SELECT max(seq) FROM journal');
  sqlite(file, `UPDATE journal SET body = x'01' WHERE seq = ${row}`);
  const { findings, recovery_needed: needed, code } = await json('check', '--data', setup.dataDir);
  assert.deepEqual(findings, [
    { what: 'journal rows that cannot be decoded', count: 1, first: `row ${row}` },
  ]);
  assert.deepEqual([code, needed], [1, true]);

  const text = (await run(['recover', '--dry-run', ...at(setup.dataDir)])).stdout;
  assert.match(text, /1 attempt would be recovered/);
  assert.match(text, new RegExp(`${client.id}  attempt 1  events=\\d+  turns=2  interrupted=0`));
  assert.match(text, /1 journal row cannot be read/);
  const { dry_run: before, ...would } = await json('recover', '--dry-run', ...at(setup.dataDir));
  const { dry_run: after, ...did } = await json('recover', ...at(setup.dataDir));
  assert.deepEqual([before, after], [true, false]);
  assert.deepEqual(would, did);
  assert.equal(did.integrity, 'ok');
  assert.equal(did.unreadable_rows, 1);

  assert.match((await run(['recover', ...at(setup.dataDir)])).stdout, /nothing to recover/);
  const last = await json('check', '--data', setup.dataDir);
  assert.deepEqual([last.sound, last.counts.unreadable], [true, 1]);
});

test('a stopped relay whose session has only posted copies is sound', async (t) => {
  const relay = await startRelay(t);
  const made = await relay.request('/v1/sessions', { method: 'POST', body: { id: 'posted-only', user: 'ada' } });
  assert.equal(made.status, 201, made.text);
  const turns = [{ role: 'user', text: 'hi' }];
  assert.equal((await relay.request('/v1/sessions/posted-only/transcript', { method: 'POST', body: { writer: 'agent', turns } })).status, 200);
  assert.equal((await relay.program.stop()).code, 0);
  const { code, stdout } = await run(['check', '--data', relay.dataDir]);
  assert.equal(code, 0, stdout);
  assert.doesNotMatch(stdout, /wrong|NOT sound/);
});
