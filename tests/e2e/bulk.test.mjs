// Many sessions at once: erased, exported, and followed as a list. And capture on request.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { Watcher } from './support/events.mjs';
import { Client, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const made = (relay, session_id, user = 'ada') =>
  relay.request('/v1/sessions', { method: 'POST', body: { session_id, user } });
const posted = (relay, id, text) =>
  relay.request(`/v1/sessions/${id}/transcript`, { method: 'POST', body: { turns: [{ role: 'user', text }] } });

test('several sessions are erased in one call; those that cannot be are named with the reason', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  for (const id of ['one', 'two']) await made(relay, id);
  const live = await Client.connectWithId(t, relay);
  const answer = await relay.request('/v1/erasures', { method: 'POST', body: { ids: ['one', 'none', live.id, 'two', 'one'] } });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.erased, ['one', 'two']);
  assert.deepEqual(answer.json.left, [
    { id: 'none', why: 'there is no such session' },
    { id: live.id, why: 'it is live: end it first' },
  ]);
  assert.equal((await relay.request('/v1/sessions/one')).status, 404);
  const wrong = [{}, { ids: [] }, { ids: ['a b'] }, { ids: Array.from({ length: 101 }, (_, at) => `s${at}`) }, { id: ['one'] }];
  for (const body of wrong) assert.equal((await relay.request('/v1/erasures', { method: 'POST', body })).status, 400, JSON.stringify(body));
});

test('an export has every session that meets the filters, with all its attempts, also beyond one page', async (t) => {
  const relay = await startRelay(t);
  for (let number = 1; number <= 60; ++number) await made(relay, `s-${number}`, number % 2 ? 'ada' : 'ben');
  await posted(relay, 's-1', 'Good morning.');
  const answer = await relay.request('/v1/exports?user=ada');
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.type, /^application\/x-ndjson/);
  const lines = answer.text.trimEnd().split('\n').map(JSON.parse);
  assert.deepEqual(lines.map(({ id }) => id), Array.from({ length: 30 }, (_, at) => `s-${59 - 2 * at}`));
  assert.equal(lines.at(-1).transcripts.attempts[0].turns[0].text, 'Good morning.');
  assert.deepEqual(lines[0].transcripts.attempts, []);
  assert.equal((await relay.request('/v1/exports?users=ada')).status, 400);
});

test('a list is followed: sessions that are there, that begin, change, end, and are erased', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: ['events.list_interval=100ms'] });
  await made(relay, 'before');
  const { events: seen } = await Watcher.at(t, relay, '/v1/live?user=ada');
  const of = (name) => seen.filter(({ event }) => event === name).map(({ data }) => data);
  await eventually(() => of('ready').length === 1, 'the first look');
  assert.deepEqual(of('session').map(({ id }) => id), ['before']);
  const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ada' }) });
  const states = () => of('session').filter(({ id }) => id === client.id);
  await eventually(() => states().some(({ status }) => status === 'live'), 'the new session');
  await client.ask('Does the list show this?');
  await eventually(() => states().some(({ first_words: words }) => words === 'Does the list show this?'), 'its first words');
  await client.close();
  await eventually(() => states().at(-1).status === 'final', 'its end');
  const other = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ben' }) });
  await relay.request(`/v1/sessions/${client.id}`, { method: 'DELETE' });
  await eventually(() => of('gone').some(({ id }) => id === client.id), 'the erasure');
  assert.equal(of('session').some(({ id }) => id === other.id), false);
});

test('with capture.start = on_request a live session is captured from the request on [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: [`capture.dir=${temporaryDirectory(t)}`, 'capture.start=on_request'] });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Unheard of.');
  const captured = `/v1/sessions/${client.id}/captured`;
  assert.equal((await relay.request(captured)).status, 404);
  assert.equal((await relay.request(captured, { method: 'POST' })).status, 204);
  await client.ask('Heard of.');
  const { text } = await relay.request(captured);
  assert.ok(text.includes('Heard of.') && !text.includes('Unheard of.'));
  await client.close();
  await relay.transcript(client.id);
  const late = await relay.request(captured, { method: 'POST' });
  assert.deepEqual([late.status, late.json.title], [409, 'capture not possible']);
});

test('without capture.dir a capture is refused', async (t) => {
  const relay = await startRelay(t);
  await made(relay, 'one');
  const answer = await relay.request('/v1/sessions/one/captured', { method: 'POST' });
  assert.deepEqual([answer.status, answer.json.title], [409, 'capture not possible']);
});

test('a session shows what each answer used, and the incidents of its attempt [P8]', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: ['upstream.reconnect_attempts_max=3', 'upstream.reconnect_pause_min=10ms'],
  });
  const client = await Client.connectWithId(t, relay, { query: { model: 'gpt-realtime+drop_after=40' } });
  await client.ask('One.');
  client.send({ type: 'conversation.item.create', item: { type: 'nonsense' } });
  client.send({ type: 'response.create' });
  await client.until(({ events }) => events.some(({ type, state }) => type === 'verbatim.upstream' && state === 'restored'), 'the provider');
  await client.close();
  const { turns } = await relay.transcript(client.id);
  const { attempts } = (await relay.request(`/v1/sessions/${client.id}`)).json;
  const [first] = attempts[0].answers;
  assert.equal(first.response_id, turns.find(({ role }) => role === 'assistant').response_id);
  assert.ok(first.usage.total_tokens > 0);
  assert.equal(attempts[0].usage.total_tokens, attempts[0].answers.reduce((sum, { usage }) => sum + usage.total_tokens, 0));
  const kinds = attempts[0].incidents.map(({ kind }) => kind);
  assert.ok(kinds.indexOf('upstream_lost') >= 0 && kinds.indexOf('upstream_opened') > kinds.indexOf('upstream_lost'), kinds.join());
  const [listed] = (await relay.request('/v1/sessions')).json.sessions;
  assert.equal('answers' in listed.attempts[0] || 'incidents' in listed.attempts[0], false);
  assert.equal(listed.first_words, 'One.');
});
