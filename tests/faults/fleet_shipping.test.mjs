// A relay ships its conversations to PostgreSQL: the database has what the API shows. Relay and database are killed,
// a replica that lags is promoted, the database is away or refuses the relay.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Postgres } from '../e2e/support/postgres.mjs';
import { eventually } from '../e2e/support/process.mjs';
import { Client, makeKey, refusal, run, startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';

const short = ['fleet.retry_min=20ms', 'fleet.retry_max=100ms'];
const isDelta = ({ type }) => type === 'response.output_audio_transcript.delta' || type === 'response.output_text.delta';

async function start(t, url, { set = [], ...rest } = {}) {
  const simulator = rest.simulator ?? (await startSimulator(t));
  const setup = { simulator, dataDir: temporaryDirectory(t), key: makeKey(), ...rest, set: [`fleet.url=${url}`, ...short, ...set] };
  return { relay: await startRelay(t, setup), setup };
}

/** Turns of a session as the database has them, in the form of the transcript. */
function turnsThere(server, session) {
  const rows = server.sql(
    'words',
    `SELECT json_build_array(ordinal, encode(item_id, 'escape'), encode(text, 'hex')) FROM turn WHERE session = '${session}' ORDER BY ordinal`,
  );
  return rows
    .split('\n')
    .filter(Boolean)
    .map((row) => JSON.parse(row))
    .map(([ordinal, item, text]) => ({ ordinal, item_id: item, text: Buffer.from(text, 'hex').toString() }));
}

/** Waits until the database has the final attempt, and compares it with the API. */
async function assertSame(server, relay, session) {
  const transcript = await relay.transcript(session);
  assert.ok(transcript.turns.length > 0);
  await eventually(
    () => server.sql('words', `SELECT count(*) FROM attempt WHERE session = '${session}' AND ended_at IS NOT NULL`) === '1',
    'the end of the attempt in the database',
  );
  const shown = transcript.turns.map(({ item_id, text }, at) => ({ ordinal: at + 1, item_id, text }));
  assert.deepEqual(turnsThere(server, session), shown);
  assert.equal(server.sql('words', `SELECT count(*) FROM event WHERE session = '${session}'`), '0');
}

async function talk(t, relay, words = 'hello') {
  const client = await Client.connectWithId(t, relay);
  await client.ask(words);
  await client.close();
  return client;
}

async function ready(relay) {
  const { status, json } = await relay.request('/readyz');
  return { status, fleet: json.checks.fleet };
}

test('the database has every conversation as the API shows it, also after kills of relay and database [P14]', async (t) => {
  const server = await Postgres.start(t);
  server.sql('postgres', 'CREATE DATABASE words');
  const { relay, setup } = await start(t, server.url('words'));
  await relay.program.logged('fleet.connected');
  const client = await talk(t, relay);
  await assertSame(server, relay, client.id);
  assert.deepEqual(await ready(relay), { status: 200, fleet: { ok: true } });

  const live = await Client.connectWithId(t, relay);
  await live.ask('this session is cut');
  const received = live.events.filter(isDelta).map(({ delta }) => delta).join('');
  server.kill();
  await relay.program.logged('fleet.lost');
  await live.ask('this was said while the database was away');
  await relay.program.stop('SIGKILL');
  await live.closed;

  server.start();
  const next = await startRelay(t, setup);
  await next.program.logged('fleet.connected');
  await assertSame(server, next, live.id);
  assert.ok(turnsThere(server, live.id).map(({ text }) => text).join('').includes(received.slice(0, 10)));
  assert.equal(server.sql('words', 'SELECT count(*), count(*) FILTER (WHERE alive) FROM node'), '2|1');

  await next.request(`/v1/sessions/${client.id}`, { method: 'DELETE' });
  await eventually(() => server.sql('words', `SELECT count(*) FROM session WHERE id = '${client.id}'`) === '0', 'the erasure in the database');
  assert.equal(server.sql('words', `SELECT count(*) FROM turn WHERE session = '${client.id}'`), '0');
});

test('a failover to a replica that lags loses nothing: the relay sends again what the replica lacks [P14]', async (t) => {
  const primary = await Postgres.start(t);
  primary.sql('postgres', 'CREATE DATABASE words');
  const replica = await primary.standby(t, 'b');
  const { relay } = await start(t, primary.url('words', { others: [replica] }));
  await relay.program.logged('fleet.connected');
  const before = await talk(t, relay);
  await assertSame(primary, relay, before.id);
  await eventually(
    () => primary.sql('postgres', 'SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()') === '1',
    'the replica to follow',
  );
  primary.signalWalSenders('SIGSTOP');
  const late = await talk(t, relay, 'the replica does not get this');
  await assertSame(primary, relay, late.id);
  primary.kill();
  assert.equal(turnsThere(replica, late.id).length, 0, 'the replica lacks it');
  replica.promote();
  await assertSame(replica, relay, before.id);
  await assertSame(replica, relay, late.id);
});

test('with before, text waits for the replica, and the loss of the database ends conversations and refuses new ones [P14]', async (t) => {
  const primary = await Postgres.start(t);
  primary.sql('postgres', 'CREATE DATABASE words');
  const replica = await primary.standby(t, 'b');
  primary.sql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'b'");
  primary.sql('postgres', 'SELECT pg_reload_conf()');
  const { relay } = await start(t, primary.url('words'), { set: ['fleet.ship=before', 'journal.slow_commit=300ms', 'journal.full_retry=1s'] });
  await relay.program.logged('fleet.connected');
  const client = await Client.connectWithId(t, relay);
  await client.ask('the replica has this');
  const received = client.events.filter(isDelta).map(({ delta }) => delta).join('');
  assert.notEqual(received, '');
  // At once, and from the replica: its rows are those that were confirmed.
  primary.kill();
  const events = replica.sql('words', `SELECT count(*) FROM event WHERE session = '${client.id}'`);
  assert.ok(Number(events) > client.events.filter(isDelta).length / 2, `${events} events`);
  client.send({ type: 'response.create' });
  await client.closed;
  await relay.program.logged('fleet.given_up');
  assert.equal((await relay.transcript(client.id)).close_reason, 'storage_failure');
  const { status, fleet } = await ready(relay);
  assert.equal(status, 503);
  assert.match(fleet.detail, /database cannot be reached/);
  assert.equal((await refusal(relay, { token: await relay.mint() })).status, 503);
});

test('a database that is not there, or may not be used, is named in the log, and conversations go on [P14]', async (t) => {
  const server = await Postgres.start(t);
  const { relay } = await start(t, server.url('words'));
  await relay.program.logged('fleet.lost');
  assert.match(relay.program.stderr, /fleet\.lost trouble=refused .*does not exist/);
  assert.match((await ready(relay)).fleet.warning, /refuses this relay/);
  const client = await talk(t, relay);
  server.sql('postgres', 'CREATE ROLE nothing LOGIN');
  server.sql('postgres', 'CREATE DATABASE words');
  await relay.program.logged('fleet.connected');
  await assertSame(server, relay, client.id);

  for (const [url, trouble] of [
    [server.url('words', { user: 'nothing' }), /trouble=refused .*permission denied/],
    ['postgresql://relay@127.0.0.1:1/words', /trouble=unreachable/],
  ]) {
    const other = await start(t, url);
    await other.relay.program.logged('fleet.lost');
    assert.match(other.relay.program.stderr, trouble);
  }
  server.sql('words', 'UPDATE verbatim_schema SET version = 99, oldest = 99');
  const old = await start(t, server.url('words'));
  await old.relay.program.logged('fleet.lost');
  assert.match(old.relay.program.stderr, /trouble=newer_schema .*later version of Verbatim/);
});

test('a second process with a copy of the data directory fences the first [P14]', async (t) => {
  const server = await Postgres.start(t);
  server.sql('postgres', 'CREATE DATABASE words');
  const { relay, setup } = await start(t, server.url('words'));
  await relay.program.logged('fleet.connected');
  const client = await talk(t, relay);
  await assertSame(server, relay, client.id);
  const copy = temporaryDirectory(t);
  assert.equal((await run(['backup', '--data', setup.dataDir, join(copy, 'verbatim.db')])).code, 0);
  await startRelay(t, { ...setup, dataDir: copy });
  await relay.program.logged('fleet.fenced ');
  await eventually(async () => (await ready(relay)).status === 503, 'the first to be not ready');
});
