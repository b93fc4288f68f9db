// One conversation: journaled as it happens, resumed after a loss, and ended in each way that a client has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, startRelay, startSimulator } from './support/verbatim.mjs';

async function start(t, options) {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator, ...options });
  return { simulator, relay };
}

test('several turns are answered in order and kept [P1][P4]', async (t) => {
  const { relay } = await start(t);
  const client = await Client.connectWithId(t, relay);
  assert.equal((await client.event('session.created')).type, 'session.created');
  for (const question of ['First?', 'Second?', 'Third?']) await client.ask(question);
  await client.close();
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.close_reason, 'client_closed');
  assert.equal(transcript.complete, true);
  assert.deepEqual(
    transcript.turns.map((turn) => turn.role),
    ['user', 'assistant', 'user', 'assistant', 'user', 'assistant'],
  );
  assert.deepEqual(
    transcript.turns.filter((turn) => turn.role === 'user').map((turn) => turn.text),
    ['First?', 'Second?', 'Third?'],
  );
  for (const turn of transcript.turns) {
    assert.equal(turn.status, 'completed');
    assert.notEqual(turn.text, '');
  }
});

test('extension events come only to a client that asks for them [P9]', async (t) => {
  const { relay } = await start(t);
  const plain = await Client.connect(t, relay);
  await plain.ask('Hello?');
  assert.deepEqual(plain.events.filter((event) => event.type.startsWith('verbatim.')), []);
  const asking = await Client.connect(t, relay, {
    token: await relay.mint(),
    protocols: ['realtime', 'verbatim.v1'],
  });
  const announced = await asking.event('verbatim.session');
  assert.equal(announced.attempt, 1);
  assert.equal(announced.resumed, false);
});

test('every turn is announced as durable before its conversation goes on [P1]', async (t) => {
  const { relay } = await start(t);
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  const turn = await client.until(
    ({ events }) => events.find((e) => e.type === 'verbatim.turn' && e.role === 'assistant'),
    'the assistant turn',
  );
  assert.equal(turn.status, 'completed');
  const stored = await relay.request(`/v1/sessions/${client.id}/transcript`);
  assert.ok(stored.json.turns.some((kept) => kept.item_id === turn.item_id));
});

test('a client that was cut off and comes back opens the next attempt, and both are kept', async (t) => {
  const { relay } = await start(t);
  const token = await relay.mint({ user: 'back' });
  const first = await Client.connectWithId(t, relay, { token });
  await first.ask('Before the loss?');
  first.socket.terminate();
  await first.closed;
  const second = await Client.connectWithId(t, relay, { token });
  assert.equal(second.id, first.id);
  assert.equal((await second.event('verbatim.session')).attempt, 2);
  await second.ask('After the loss?');
  await second.close();
  const said = async (attempt) =>
    (await relay.transcript(first.id, `&attempt=${attempt}`)).turns
      .filter(({ role }) => role === 'user').map(({ text }) => text);
  assert.deepEqual(await said(1), ['Before the loss?']);
  assert.deepEqual(await said(2), ['After the loss?']);
});

test('a second connection replaces the first one [P8]', async (t) => {
  const { relay } = await start(t);
  const token = await relay.mint({ user: 'replace' });
  const first = await Client.connectWithId(t, relay, { token });
  await first.ask('Who is there?');
  const second = await Client.connectWithId(t, relay, { token });
  assert.equal((await first.closed).code, 4000);
  assert.equal(second.id, first.id);
});

test('a client that does not come back is final after the window [P2]', async (t) => {
  const { relay } = await start(t, { set: ['session.resume_window=200ms'] });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  client.socket.terminate();
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.status, 'final');
  assert.equal(transcript.close_reason, 'client_lost');
  assert.equal(transcript.turns.length, 2);
});

test('verbatim.end is answered when everything is durable [P2]', async (t) => {
  const { relay } = await start(t);
  const client = await Client.connectWithId(t, relay);
  await client.ask('Hello?');
  client.send({ type: 'verbatim.end' });
  assert.equal((await client.closed).code, 1000);
  const session = await relay.request(`/v1/sessions/${client.id}`);
  assert.equal(session.json.status, 'final');
  assert.equal(session.json.close_reason, 'client_ended');
});

test('silence and length have their limits [P2]', async (t) => {
  const { simulator, relay: idle } = await start(t, { set: ['session.idle_timeout=300ms'] });
  const silent = await Client.connectWithId(t, idle);
  await silent.closed;
  assert.equal((await idle.transcript(silent.id)).close_reason, 'idle_timeout');

  const short = await startRelay(t, { simulator, set: ['session.max_duration=500ms'] });
  const long = await Client.connectWithId(t, short);
  assert.equal((await long.closed).code, 4001);
  assert.equal((await short.transcript(long.id)).close_reason, 'max_duration');
});
