// A conversation outlives its relay: another relay of the fleet takes it over, in the same attempt (P14). Real
// relays, a real PostgreSQL that they share, and the simulated provider.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe } from 'node:test';
import { eventually, sharedSimulator } from '../e2e/support/cell.mjs';
import { Postgres } from '../e2e/support/postgres.mjs';
import { Receiver, targets } from '../e2e/support/receiver.mjs';
import { Client, refusal, within } from '../e2e/support/verbatim.mjs';
import { Fleet, fleetTest as test, sharedServer } from './fleet/nodes.mjs';
import { Shim } from './shim.mjs';

const simulator = sharedSimulator();
const instructions = 'Answer like a pirate.';

const server = sharedServer();

const fleet = (t, names, options) => Fleet.start(t, { simulator, postgres: server.postgres, names, ...options });

/** A person whose session is at `relay`, with settings that only its events have. */
async function meet(t, relay, name) {
  const token = await relay.mint({ user: name, session_id: `sess_${name}` });
  const client = await Client.connect(t, relay, { token });
  await client.event('session.created');
  client.send({ type: 'session.update', session: { type: 'realtime', instructions } });
  await client.event('session.updated');
  await client.ask(`I am ${name}.`);
  return { name, id: `sess_${name}`, token, client };
}

/** Connects again and again, as a client does whose relay is gone. */
const comeBack = (t, relay, person, query = {}) =>
  eventually(() => Client.connect(t, relay, { token: person.token, query }).catch(() => undefined), 'a relay for the client');

/** The person is at another relay, with its settings and history, and asks something new. */
async function goesOn(t, relay, person, question) {
  person.client = await comeBack(t, relay, person);
  const created = await person.client.event('session.created');
  assert.equal(created.session.instructions, instructions);
  await person.client.ask(question);
}

const spoken = (transcript, role) => transcript.turns.filter((turn) => turn.role === role).map(({ text }) => text);
const read = async (relay, id) => (await relay.request(`/v1/sessions/${id}`)).json;
const final = async (relay, person) => {
  await person.client.close();
  return relay.transcript(person.id);
};

// They mostly wait: for the end of a lease, or for the right to fence.
describe('the relays of a fleet', { concurrency: 3 }, () => {
  test('a relay is killed and its disk burns: its conversations go on at another, those of no client end once [P7][P14]', async (t) => {
    const hook = await Receiver.start(t);
    const set = ['webhook.settle=0s', targets(hook.target(t)), 'fleet.dead_after=5s'];
    const { nodes, sql, comes, mayFence } = await fleet(t, ['a', 'b'], { set });
    const { a, b } = nodes;
    const people = await Promise.all(['ann', 'bob', 'cat'].map((name) => meet(t, a, name)));
    const gone = people.pop();
    const other = await meet(t, b, 'dan'); // not affected by the death of the other relay
    await mayFence();
    await a.program.stop('SIGKILL');
    rmSync(a.dataDir, { recursive: true, force: true });
    await Promise.all(people.map((person) => goesOn(t, b, person, 'Who runs me now?')));
    await other.client.ask('Still here?');
    for (const person of people) {
      const now = await read(b, person.id);
      assert.equal(now.status, 'live');
      assert.equal(now.attempts.length, 1);
      const transcript = await final(b, person);
      assert.equal(transcript.attempt, 1);
      assert.deepEqual(spoken(transcript, 'user'), [`I am ${person.name}.`, 'Who runs me now?']);
      // Its disk may have more. The receipt says so until the relay has left its tail, or an
      // operator gives it up.
      assert.equal((await read(b, person.id)).attempts[0].receipt.tail_pending, 'node');
    }
    const ended = await eventually(async () => {
      const found = await read(b, gone.id);
      return found?.status === 'final' && found;
    }, 'the end of the session of no client');
    assert.equal(ended.attempts[0].close_reason, 'crash_recovered');
    await comes("SELECT count(*) FROM attempt WHERE ended_at IS NULL AND session <> 'sess_dan'", '0', 'the records');
    sql('DELETE FROM tail');
    await eventually(async () => !('tail_pending' in (await read(b, 'sess_ann')).attempts[0].receipt), 'the receipt without the lost disk');
    await hook.until('session.ended', 3);
    const ends = hook.of('session.ended').map(({ data }) => data.session_id);
    assert.deepEqual(ends.sort(), ['sess_ann', 'sess_bob', 'sess_cat']);
  });

  test('a relay that stood still past its lease gives up what was taken over, and leaves its tail as a copy [P3][P14]', async (t) => {
    const { nodes, sql, comes, mayFence } = await fleet(t, ['a', 'b']);
    const { a, b } = nodes;
    const taken = await meet(t, a, 'tom');
    const kept = await meet(t, a, 'kim'); // its client does not move
    await mayFence();
    // From now on nothing that A writes reaches the database.
    const before = taken.client;
    await comes("SELECT count(*) FROM turn WHERE session = 'sess_tom' AND status = 1", '2', 'the first answer');
    a.toDatabase.down = true;
    a.toDatabase.cut();
    await before.ask('Only A knows this.');
    a.program.child.kill('SIGSTOP');
    a.toDatabase.down = false;
    await goesOn(t, b, taken, 'Do you go on?');
    assert.equal(sql("SELECT count(*) FROM node WHERE NOT alive"), '1');
    a.program.child.kill('SIGCONT');
    assert.equal((await within(before.closed, 'the end of the zombie’s connection')).code, 1012);
    await kept.client.ask('And I?');
    const transcript = await eventually(async () => {
      const found = (await b.request('/v1/sessions/sess_tom/transcript')).json;
      return spoken(found, 'user').includes('Only A knows this.') && found;
    }, 'the tail of A');
    assert.deepEqual(spoken(transcript, 'user').filter((text) => text === 'Only A knows this.').length, 1);
    const end = await final(b, taken);
    assert.deepEqual(new Set(spoken(end, 'user')), new Set(['I am tom.', 'Only A knows this.', 'Do you go on?']));
    assert.ok(!('tail_pending' in (await read(b, 'sess_tom')).attempts[0].receipt));
    assert.equal((await read(a, 'sess_kim')).attempts.length, 1);
    await comes('SELECT count(*) FROM tail', '0', 'the tails');
    await comes("SELECT count(*) FROM copy WHERE session = 'sess_tom'", '1', 'the tail, once');
  });

  test('the database stops for five seconds: no relay is fenced and no conversation ends [P14]', async (t) => {
    const own = await Postgres.start(t);
    const { nodes, sql, mayFence } = await fleet(t, ['a', 'b'], { postgres: own, unreachable: ['a'], leaseSeconds: 4 });
    const { a, b } = nodes;
    const [one, two] = [await meet(t, a, 'una'), await meet(t, b, 'duo')];
    await mayFence();
    own.kill();
    const until = performance.now() + 5000;
    while (performance.now() < until) await Promise.all([one, two].map(({ client }) => client.ask('Still?')));
    // The outage is over for B first, and a client of A comes to it: A's lease is over, and A has had no time to renew it.
    a.toDatabase.down = true;
    a.toDatabase.cut();
    own.start();
    await b.program.logged('fleet.connected', 2);
    const refused = await refusal(b, { token: one.token });
    assert.deepEqual([refused.status, refused.json.error.code], [503, 'node_unreachable']);
    a.toDatabase.down = false;
    await a.program.logged('fleet.connected', 2);
    assert.equal((await read(a, one.id)).status, 'live');
    await Promise.all([one, two].map(({ client }) => client.ask('And now?')));
    assert.equal(sql('SELECT count(*) FROM node WHERE NOT alive'), '0');
    assert.equal(sql('SELECT count(*) FROM node'), '2');
  });

  test('a relay that stops hands its conversations to the fleet at once, and takes none back [P8][P14]', async (t) => {
    // This test would fail if it waited for the end of such a lease.
    const { nodes, sql, again } = await fleet(t, ['a', 'b'], { leaseSeconds: 60, set: ['fleet.dead_after=2m'] });
    const { a, b } = nodes;
    const people = await Promise.all(['eva', 'eli'].map((name) => meet(t, a, name)));
    const stopped = a.program.stop('SIGTERM');
    for (const { client } of people) assert.equal((await within(client.closed, 'a close')).code, 1012);
    const has = people[0].client.frames.length;
    const back = await comeBack(t, b, people[0], { after: String(has) });
    await back.event('session.created');
    assert.equal(back.events.find(({ type }) => type === 'error')?.error.code, 'messages_not_kept');
    await back.ask('At b?');
    await goesOn(t, b, people[1], 'Me too?');
    assert.equal((await stopped).code, 0);
    assert.equal(sql('SELECT count(*) FROM tail'), '0', 'it had shipped everything');
    const next = await again('a');
    await next.program.logged('fleet.given_up_session', 2);
    await back.ask('Still at b?');
    assert.equal((await read(next, 'sess_eva')).attempts.length, 1);
    people[0].client = back;
    const transcript = await final(next, people[0]); // b answers for it
    assert.deepEqual(spoken(transcript, 'user'), ['I am eva.', 'At b?', 'Still at b?']);
    assert.equal(sql("SELECT count(DISTINCT number) FROM attempt WHERE session = 'sess_eva'"), '1');
  });

  test('two relays at once get clients of a dead relay’s session: one of them opens the next attempt [P14]', async (t) => {
    const { nodes, sql, comes, mayFence } = await fleet(t, ['a', 'b', 'c']);
    const { a, b, c } = nodes;
    const people = await Promise.all(['nia', 'nor', 'nil'].map((name) => meet(t, a, name)));
    for (const person of people) await final(a, person);
    await comes('SELECT count(*) FROM attempt WHERE ended_at IS NOT NULL', '3', 'the first attempts');
    await mayFence();
    await a.program.stop('SIGKILL');
    await Promise.all(people.flatMap((person) => [b, c].map((relay) => comeBack(t, relay, person))));
    await comes('SELECT count(*) FROM attempt WHERE number = 2', '3', 'the second attempts');
    for (const { id } of people) {
      const [there, here] = [await b.request(`/v1/sessions/${id}`), await c.request(`/v1/sessions/${id}`)];
      assert.equal(here.text, there.text);
      assert.equal(here.json.attempts.length, 2);
    }
    await comes('SELECT count(DISTINCT (session, attempt)) FROM event', '3', 'their events');
    assert.equal(sql('SELECT count(DISTINCT (session, attempt, incarnation)) FROM event'), '3', 'two relays wrote one attempt');
  });

  test('a relay that renews its lease is not fenced, though it cannot be reached and clocks disagree [P14]', async (t) => {
    const shim = new Shim(t);
    const { nodes, sql, mayFence } = await fleet(t, ['a', 'b'], { unreachable: ['a'], env: { b: shim.env } });
    shim.moveClock(60_000);
    const { a, b } = nodes;
    const person = await meet(t, a, 'ina');
    await mayFence();
    const refused = await refusal(b, { token: person.token });
    assert.equal(refused.status, 503);
    assert.equal(refused.json.error.code, 'node_unreachable');
    assert.equal(refused.headers['retry-after'], '1');
    await b.program.logged('fleet.not_fenced');
    await person.client.ask('Do I go on?');
    assert.equal(sql('SELECT count(*) FROM node WHERE NOT alive'), '0');
  });
});
