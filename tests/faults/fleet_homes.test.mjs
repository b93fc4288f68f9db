// Two relays and their database: a client or a request may come to either, and each session lives on one (P14).
import assert from 'node:assert/strict';
import { eventually, sharedSimulator } from '../e2e/support/cell.mjs';
import { Postgres } from '../e2e/support/postgres.mjs';
import { Client, refusal, within } from '../e2e/support/verbatim.mjs';
import { Fleet, fleetTest as test, sharedServer } from './fleet/nodes.mjs';

const simulator = sharedSimulator();

const server = sharedServer();

/** Relays `a` and `b` with one database; `again(name)` starts the next process on a relay's data. */
async function fleet(t, postgres = server.postgres) {
  const { nodes, sql, again } = await Fleet.start(t, { simulator, postgres, names: ['a', 'b'], set: ['fleet.peer_timeout=10s'] });
  return { ...nodes, sql, again };
}

const statusOf = async (relay, id) => (await relay.request(`/v1/sessions/${id}`)).status;

test('a token that one relay minted begins its conversation there, also if its client comes to another [P9][P14]', async (t) => {
  const { a, b, sql } = await fleet(t);
  const token = await a.mint({ user: 'ann', session_id: 'sess_minted' });
  const client = await Client.connect(t, b, { token }); // at once: nothing of it may be in the database yet
  await client.ask('Who runs me?');
  assert.equal((await a.request('/v1/sessions?user=ann')).json.sessions.length, 1);
  assert.equal((await b.request('/v1/sessions/sess_minted')).json.status, 'live');
  const again = await b.mint({ user: 'ann', session_id: 'sess_minted' });
  const second = await Client.connect(t, b, { token: again });
  assert.equal((await within(client.closed, 'the older connection')).code, 4000);
  await second.ask('And now?');
  second.send({ type: 'verbatim.end' });
  await within(second.closed, 'the end');
  assert.deepEqual(await b.transcript('sess_minted'), await a.transcript('sess_minted'));
  await eventually(() => sql("SELECT count(*) FROM attempt WHERE session = 'sess_minted' AND ended_at IS NOT NULL") === '1', 'its record');
});

test('a session that clients begin at both relays at once is one attempt of one relay [P14]', async (t) => {
  const { a, b, sql } = await fleet(t);
  const ids = Array.from({ length: 8 }, (_, at) => `sess_race_${at}`);
  const opened = await Promise.all(
    ids.flatMap((session) => [a, b].map((relay) => Client.connect(t, relay, { token: relay.key, query: { session } }))),
  );
  assert.equal(opened.length, 16);
  await eventually(() => sql('SELECT count(*) FROM attempt') === '8', 'the attempts');
  for (const id of ids) {
    const [there, here] = [await a.request(`/v1/sessions/${id}`), await b.request(`/v1/sessions/${id}`)];
    assert.equal(there.status, 200);
    assert.equal(here.text, there.text);
    assert.equal(here.json.attempts.length, 1);
  }
  assert.equal(sql('SELECT count(DISTINCT (session, incarnation)) FROM event'), '8', 'two relays wrote one attempt');
});

test('a relay that starts again is found under its new number [P14]', async (t) => {
  const { a, b, again } = await fleet(t);
  const made = await a.request('/v1/sessions', { method: 'POST', body: { session_id: 'sess_kept', user: 'ann' } });
  assert.equal(made.status, 201);
  assert.equal(await statusOf(b, 'sess_kept'), 200);
  const same = await b.request('/v1/sessions', { method: 'POST', body: { session_id: 'sess_kept', user: 'ann' } });
  assert.equal(same.status, 200, 'b has made it a second time');
  // A change is for its node alone.
  const changed = async () => (await b.request('/v1/sessions/sess_kept', { method: 'PATCH', body: { metadata: {} } })).status;
  assert.equal(await changed(), 200);
  await a.program.stop('SIGKILL');
  assert.equal(await changed(), 503);
  await again('a');
  await eventually(async () => (await changed()) === 200, 'its session');
});

test('while the database is down each relay serves its own sessions, and says that it cannot know others [P14]', async (t) => {
  const postgres = await Postgres.start(t);
  const { a, b } = await fleet(t, postgres);
  const token = await a.mint({ user: 'ann', session_id: 'sess_a' });
  const client = await Client.connect(t, a, { token });
  await client.ask('Do you hear me?');
  await eventually(async () => (await statusOf(b, 'sess_a')) === 200, 'the session at b');
  postgres.kill();
  await eventually(async () => (await statusOf(b, 'sess_a')) === 503, 'the cache has run out');
  const refused = await refusal(b, { token });
  assert.equal(refused.json.error.code, 'session_node_unknown');
  await client.ask('Still?');
  assert.equal(await statusOf(a, 'sess_a'), 200);
  const fresh = await a.mint({ user: 'ann' }); // made here: it can be nowhere else
  const other = await Client.connect(t, a, { token: fresh });
  await other.ask('And me?');
  const named = await b.request('/v1/sessions', { method: 'POST', body: { session_id: 'sess_a', user: 'ann' } });
  assert.equal(named.status, 503, 'b has made a session that a has');
  assert.ok(named.headers['retry-after']);
  const bound = await b.request('/v1/realtime/client_secrets', {
    method: 'POST',
    body: { session: { type: 'realtime' }, verbatim: { user: 'ann', session_id: 'sess_a' } },
  });
  assert.equal(bound.json.error.code, 'session_node_unknown');
  assert.equal((await a.request('/v1/sessions', { method: 'POST', body: { session_id: 'sess_a', user: 'ann' } })).status, 200);
  postgres.start();
  await eventually(async () => (await statusOf(b, 'sess_a')) === 200, 'the session at b');
  const back = await Client.connect(t, b, { token });
  await back.ask('Here again?');
});
