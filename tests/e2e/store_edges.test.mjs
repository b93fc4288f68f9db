// Commands and starts on a store whose files are missing, damaged or foreign: they name the files, say what to
// do, and change nothing.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  cpSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
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

/** A data directory as a kill leaves it: an earlier conversation, and one whose words are in the log. */
async function killedStore(t) {
  const simulator = await startSimulator(t);
  const setup = { simulator, dataDir: temporaryDirectory(t), key: makeKey() };
  const earlier = await startRelay(t, setup);
  await (await Client.connectWithId(t, earlier)).ask('What came before?');
  await earlier.program.stop('SIGTERM');
  const relay = await startRelay(t, setup);
  const client = await Client.connectWithId(t, relay);
  await client.ask('What is kept?');
  await client.ask('And what else?');
  await relay.program.stop('SIGKILL');
  return { setup, id: client.id };
}

const content = (dataDir) =>
  Object.fromEntries(
    readdirSync(dataDir, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, createHash('sha256').update(readFileSync(join(dataDir, name))).digest('hex')]),
  );

const flip = (file, offset) => {
  const bytes = readFileSync(file);
  bytes[offset] ^= 0x10;
  writeFileSync(file, bytes);
};

const commands = (id, dataDir) => [
  ['serve', '--set', 'server.listen=127.0.0.1:0'],
  ['check', '--data', dataDir],
  ['check', '--data', dataDir, '--json'],
  ['backup', join(dataDir, '..', `backup-${process.pid}.db`)],
  ['recover'],
  ['recover', '--json'],
  ['recover', '--dry-run'],
  ['sessions', 'list'],
  ['sessions', 'show', id],
  ['sessions', 'export', id],
  ['sessions', 'delete', id],
];

test('every command refuses a WAL whose database is missing or empty, and changes nothing [P7]', async (t) => {
  const { setup, id } = await killedStore(t);
  const { dataDir } = setup;
  const database = join(dataDir, 'verbatim.db');
  const kept = readFileSync(database);
  const harms = {
    missing: () => rmSync(database),
    empty: () => truncateSync(database, 0),
    'cut off in its header': () => truncateSync(database, 50),
    'without a header': () => writeFileSync(database, Buffer.concat([Buffer.alloc(100), kept.subarray(100)])),
    'a link to nowhere': () => symlinkSync('elsewhere.db', database),
  };
  for (const [name, harm] of Object.entries(harms)) {
    rmSync(database, { force: true });
    if (!name.startsWith('a link')) writeFileSync(database, kept);
    harm();
    const before = content(dataDir);
    const all = commands(id, dataDir);
    for (const command of name === 'missing' ? all : all.slice(0, 2)) {
      const { code, stderr } = await run([...command, ...at(dataDir)]);
      assert.equal(code, 1, `${name}: ${command.join(' ')}: ${stderr}`);
      assert.match(stderr, /verbatim\.db/);
      assert.match(stderr, /verbatim\.db-wal/);
      assert.match(stderr, /Nothing was changed/);
      assert.match(stderr, /move/);
      assert.deepEqual(content(dataDir), before, `${name}: ${command.join(' ')}`);
    }
  }
  rmSync(database);
  writeFileSync(database, kept);
  const { code, stdout } = await run(['recover', ...at(dataDir)]);
  assert.equal(code, 0);
  assert.match(stdout, /1 attempt was recovered/);
});

test('a start and a recovery that refuse a damaged file leave it, its WAL and its index as they were [P6][P7]', async (t) => {
  const { setup } = await killedStore(t);
  const { dataDir } = setup;
  const database = join(dataDir, 'verbatim.db');
  for (let page = 1; page * 4096 < statSync(database).size; ++page) flip(database, page * 4096);
  const before = content(dataDir);
  for (const command of [
    ['recover'],
    ['recover', '--dry-run'],
    ['check', '--data', dataDir],
    ['serve', '--set', 'server.listen=127.0.0.1:0'],
  ]) {
    const { code, stdout, stderr } = await run([...command, ...at(dataDir)]);
    assert.equal(code, 1, command.join(' '));
    assert.match(stdout + stderr, /damaged|malformed|integrity: (?!ok)/);
    assert.deepEqual(content(dataDir), before, command.join(' '));
  }
});

test('a WAL that was cut short is reported by the check, the recovery, the log and a metric [P7]', async (t) => {
  const { setup, id } = await killedStore(t);
  const damaged = temporaryDirectory(t);
  for (const [name, harm, state] of [
    ['a flipped bit in the first frame', (log) => flip(log, 32 + 24 + 1000), 'damaged'],
    ['a flipped bit in its header', (log) => flip(log, 17), 'unreadable'],
    ['the log is gone', (log) => rmSync(log), 'missing'],
    ['the log has no bytes', (log) => truncateSync(log, 0), 'empty'],
  ]) {
    rmSync(damaged, { recursive: true });
    cpSync(setup.dataDir, damaged, { recursive: true });
    harm(join(damaged, 'verbatim.db-wal'));
    const check = await run(['check', '--data', damaged, '--json']);
    assert.equal(check.code, 1, `${name}: ${check.stdout}${check.stderr}`);
    const [found] = JSON.parse(check.stdout).logs;
    assert.deepEqual([found.state, found.lost], [state, true], name);
    assert.match(found.file, /verbatim\.db-wal$/);
    const text = await run(['check', '--data', damaged]);
    assert.match(text.stdout, /wrong: the write-ahead log .*verbatim\.db-wal/);
    const recovery = await run(['recover', '--dry-run', '--json', ...at(damaged)]);
    if (recovery.code === 0) assert.equal(JSON.parse(recovery.stdout).logs[0].state, state);
    else assert.match(recovery.stdout + recovery.stderr, /damaged/);

    if (recovery.code !== 0) continue;
    const relay = await startRelay(t, { ...setup, dataDir: damaged });
    await relay.program.logged(new RegExp(`recovery\\.log.*${state}`));
    const metrics = (await relay.request('/metrics')).text;
    assert.match(
      metrics,
      new RegExp(`verbatim_recovery_logs{[^}]*state="${state}"[^}]*lost="true"[^}]*} 1|verbatim_recovery_logs{[^}]*lost="true"[^}]*state="${state}"[^}]*} 1`),
    );
    await relay.program.stop();
  }
  assert.ok(id);
});
