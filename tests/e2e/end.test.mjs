// An operator ends a session: while an answer is spoken, while the client is away, together with others who end it,
// and across a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { Provider } from './support/provider.mjs';
import { Client, startRelay, startSimulator, within } from './support/verbatim.mjs';

const quick = ['session.close_timeout=500ms', 'session.transcription_grace=0s', 'session.resume_window=30s'];

const session = {
  type: 'realtime',
  id: 'sess_provider',
  audio: { input: { transcription: { model: 'gpt-realtime-whisper' }, turn_detection: null } },
};

const piece = (type, more) => ({
  type, response_id: 'resp_1', item_id: 'item_a1', output_index: 0, content_index: 0, ...more,
});
const word = (delta) => piece('response.output_audio_transcript.delta', { delta });
const audio = piece('response.output_audio.delta', { delta: 'A'.repeat(40_000) });

const end = (relay, id, body) =>
  relay.request(`/v1/sessions/${id}/end`, { method: 'POST', ...(body && { body }) });

/** A relay, a provider that is moved by hand, and a conversation between them. */
async function scene(t, { set = [], query = { events: 'verbatim' } } = {}) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, ...quick, ...set] });
  const id = 'sess_scene';
  const token = await relay.mint({ user: 'ann' });
  const connect = () => Client.connect(t, relay, { token, query: { model: 'm', session: id, ...query } });
  const client = await connect();
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  line.say({ type: 'session.created', session });
  await client.event('session.created');
  return { relay, client, line, connect, id };
}

const ended = async (relay, reason) => {
  const { text } = await relay.request('/metrics');
  return Number(new RegExp(`^verbatim_sessions_ended_total\\{reason="${reason}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
};

test('an end while an answer is spoken keeps what was said, and the client learns why [P2]', async (t) => {
  const { relay, client, line, id } = await scene(t);
  line.say(word('Half an '));
  line.say(audio);
  await client.event('response.output_audio.delta');
  for (let i = 0; i < 20; ++i) line.say(audio);
  const answer = await end(relay, id, { reason: 'the lesson is over' });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.status, 'final');
  assert.equal(answer.json.close_reason, 'operator');
  const last = await client.event('verbatim.ended');
  assert.equal(last.close_reason, 'operator');
  assert.equal(last.detail, 'the lesson is over');
  assert.deepEqual(await within(client.closed, 'its close'), { code: 1000, reason: 'operator' });
  assert.ok(!client.events.some((event) => event.type === 'error'), 'an end by the operator is not an error');
  await eventually(() => line.gone, 'the end of the provider’s line');
  const transcript = await relay.transcript(id);
  assert.deepEqual(transcript.turns.map((turn) => [turn.text, turn.status]), [['Half an ', 'interrupted']]);
  await eventually(async () => (await ended(relay, 'operator')) === 1, 'the count');
  assert.match(relay.program.stderr, /session\.ended.*operator.*the lesson is over/);
});

test('a client without extension events gets the code and the reason of the close', async (t) => {
  const { relay, client, id } = await scene(t, { query: {} });
  assert.equal((await end(relay, id)).status, 200);
  assert.deepEqual(await within(client.closed, 'its close'), { code: 1000, reason: 'operator' });
  assert.ok(!client.events.some((event) => event.type.startsWith('verbatim.')));
});

test('a session whose client is away ends at once [P2][P8]', async (t) => {
  const { relay, client, line, id } = await scene(t);
  line.say(word('Are you '));
  await client.until(() => client.events.some((event) => event.delta), 'the word');
  client.socket.terminate();
  await eventually(async () => (await relay.request(`/v1/sessions/${id}`)).json.status === 'detached', 'detached');
  const answer = await end(relay, id);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.close_reason, 'operator');
  assert.equal(answer.json.attempts.length, 1);
  assert.equal((await relay.transcript(id)).turns[0].text, 'Are you ');
  await eventually(() => line.gone, 'the end of the provider’s line');
});

test('several who end a session at once all learn that it is over, and it ends once [P2]', async (t) => {
  const { relay, client, id } = await scene(t);
  client.send({ type: 'verbatim.end' });
  const answers = await Promise.all([1, 2, 3].map(() => end(relay, id)));
  for (const answer of answers) {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.status, 'final');
    assert.equal(answer.json.close_reason, answers[0].json.close_reason);
  }
  const reason = answers[0].json.close_reason;
  assert.ok(['client_ended', 'operator'].includes(reason), reason);
  assert.equal((await client.event('verbatim.ended')).close_reason, reason);
  assert.deepEqual(await within(client.closed, 'its close'), { code: 1000, reason });
  const later = await end(relay, id, { reason: 'again' });
  assert.equal(later.status, 200);
  assert.equal(later.json.close_reason, reason, 'a session that is final stays as it is');
  await eventually(async () => (await ended(relay, reason)) === 1, 'one end');
});

test('neither a provider nor a client that does not answer the close delays the answer [P2][P11]', async (t) => {
  const { relay, client, line, id } = await scene(t, { set: ['session.close_timeout=1m'] });
  line.socket.pause();
  client.socket.pause();
  const answer = await end(relay, id);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.close_reason, 'operator');
  assert.ok(!line.gone, 'the provider’s connection is still open');
  line.socket.resume();
  client.socket.resume();
});

test('a session that a restart has suspended ends without its client [P2][P8]', async (t) => {
  const simulator = await startSimulator(t);
  const set = [...quick, 'server.restart=handover'];
  const first = await startRelay(t, { simulator, set });
  const client = await Client.connectWithId(t, first);
  await client.ask('Will you wait?');
  assert.equal((await first.program.stop('SIGTERM')).code, 0);
  const second = await startRelay(t, { simulator, dataDir: first.dataDir, key: first.keyPair, set });
  assert.equal((await second.request(`/v1/sessions/${client.id}`)).json.status, 'detached');
  const answers = await Promise.all([end(second, client.id, { reason: 'done' }), end(second, client.id)]);
  for (const answer of answers) {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.close_reason, 'operator');
  }
  assert.equal((await second.transcript(client.id)).turns.length, 2);
});

test('an end while the relay stops loses nothing: the session is final after the restart [P2][P7]', async (t) => {
  const simulator = await startSimulator(t);
  const first = await startRelay(t, { simulator, set: quick });
  const people = await Promise.all(Array.from({ length: 6 }, () => Client.connectWithId(t, first)));
  await Promise.all(people.map((client, n) => client.ask(`I am number ${n}.`)));
  const answers = people.map((client) => end(first, client.id).catch((error) => error));
  const stopped = first.program.stop('SIGTERM');
  for (const answer of await Promise.all(answers))
    if (!(answer instanceof Error)) assert.ok([200, 503].includes(answer.status), answer.text);
  assert.equal((await stopped).code, 0);
  const second = await startRelay(t, { simulator, dataDir: first.dataDir, key: first.keyPair, set: quick });
  for (const client of people) {
    const { json } = await second.request(`/v1/sessions/${client.id}`);
    assert.equal(json.status, 'final');
    assert.ok(['operator', 'server_shutdown'].includes(json.close_reason), json.close_reason);
    assert.equal(json.turns, 2);
  }
});

test('an end of a session that has not begun or is unknown, or a wrong request, changes nothing', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  assert.equal((await end(relay, json.id)).status, 409);
  assert.equal((await end(relay, 'sess_none')).status, 404);
  const client = await Client.connectWithId(t, relay);
  for (const body of [{ reason: 7 }, { reason: 'x'.repeat(257) }, { why: 'x' }, [1]])
    assert.equal((await end(relay, client.id, body)).status, 400, JSON.stringify(body));
  assert.equal((await relay.request(`/v1/sessions/${client.id}`)).json.status, 'live');
  assert.equal((await end(relay, client.id, { reason: null })).status, 200);
});
