// A lost client resumes its session, and the upstream connection may be replaced in between (P8). Real sockets,
// real TLS, several threads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, startRelay, startSimulator, within } from './support/verbatim.mjs';
import { Provider } from './support/provider.mjs';
import { eventually } from './support/cell.mjs';

const goesOn = [
  'session.resume_window=30s',
  'upstream.reconnect_attempts_max=5',
  'upstream.reconnect_pause_min=10ms',
  'upstream.reconnect_pause_max=50ms',
  'session.transcription_grace=0s',
  'session.close_timeout=500ms',
];

const session = {
  type: 'realtime',
  id: 'sess_provider',
  audio: { input: { transcription: { model: 'gpt-realtime-whisper' }, turn_detection: null } },
};

/** The session that a new connection shows before it has been given the conversation. */
const prepared = { ...session, audio: { input: { transcription: null } } };

function typed(id, text, previous) {
  const item = { id, type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_text', text }] };
  return { type: 'conversation.item.added', previous_item_id: previous, item };
}

function delta(item, text) {
  return {
    type: 'response.output_audio_transcript.delta',
    response_id: 'resp_1',
    item_id: item,
    output_index: 0,
    content_index: 0,
    delta: text,
  };
}

/** A relay and a provider that is moved by hand, and one conversation between them. */
async function scene(t, { set = [], query = {} } = {}) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, ...goesOn, ...set] });
  const token = await relay.mint({ user: 'ann' });
  const connect = (more = {}) =>
    Client.connect(t, relay, { token, query: { model: 'm', session: 'sess_scene', ...query, ...more } });
  const client = await connect();
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  line.say({ type: 'session.created', session });
  await client.event('session.created');
  return { provider, relay, client, line, connect, id: 'sess_scene', token };
}

const stateOf = async ({ relay, id }) => (await relay.request(`/v1/sessions/${id}`)).json.status;

test('a client that resumes by number gets every message once, wherever the connection was cut [P8]', async (t) => {
  const cell = await scene(t, { set: ['server.threads=2'] });
  const { line, connect } = cell;
  let { client } = cell;
  const said = 120;
  const heard = [...client.frames];
  const heardFrom = client.frames.length;
  assert.equal(heardFrom, 1);
  for (let n = 0, drops = 0; n < said; ++n) {
    line.say(delta('item_a1', `word${n} `));
    if (n % 10 !== 9) continue;
    // Cut at once: bytes on their way are lost for this connection.
    if (drops++ % 2) await client.until(() => client.frames.length > 1, 'something');
    client.socket.terminate();
    await client.closed;
    const before = heard.length;
    if (drops === 1) assert.equal(before, 1);
    else heard.push(...client.frames);
    if (drops === 1) heard.push(...client.frames.slice(1));
    client = await connect({ after: String(heard.length) });
  }
  line.say({ type: 'vendor.last' });
  await client.event('vendor.last');
  heard.push(...client.frames);
  const words = heard.map((frame) => JSON.parse(frame)).filter((event) => event.delta);
  assert.deepEqual(words.map((event) => event.delta), Array.from({ length: said }, (_, n) => `word${n} `));
  client.send({ type: 'verbatim.end' });
  await client.closed;
  const transcript = await cell.relay.transcript(cell.id);
  assert.equal(transcript.attempt, 1);
  assert.equal(transcript.turns[0].text, words.map((event) => event.delta).join(''));
});

test('a client that is away is detached, and final when its time is over [P2][P8]', async (t) => {
  const cell = await scene(t, { set: ['session.resume_window=300ms'] });
  cell.client.socket.terminate();
  await eventually(async () => (await stateOf(cell)) === 'detached', 'detached');
  const transcript = await cell.relay.transcript(cell.id);
  assert.equal(transcript.status, 'final');
  assert.equal(transcript.close_reason, 'client_lost');
  await eventually(() => cell.line.gone, 'the end of the provider’s line');
});

test('a client that does not use resuming gets the session and its items with the same token [P8][P9]', async (t) => {
  const cell = await scene(t);
  cell.line.say(typed('item_u1', 'Good morning.', null));
  cell.line.say(typed('item_u2', 'Are you there?', 'item_u1'));
  await cell.client.until(() => cell.client.events.some((event) => event.item?.id === 'item_u2'), 'the items');
  cell.client.socket.terminate();
  await eventually(async () => (await stateOf(cell)) === 'detached', 'detached');
  const again = await cell.connect();
  assert.equal((await again.event('session.created')).session.id, 'sess_provider');
  again.send({ type: 'session.update', session: { type: 'realtime' } });
  await again.until(() => again.events.filter((event) => event.type === 'conversation.item.done').length === 2, 'the items');
  assert.deepEqual(
    again.events.filter((event) => event.type === 'conversation.item.added').map((event) => [event.previous_item_id, event.item.content[0].text]),
    [[null, 'Good morning.'], ['item_u1', 'Are you there?']],
  );
  assert.equal(await stateOf(cell), 'live');
  cell.line.say(typed('item_u3', 'Yes.', 'item_u2'));
  await again.until(() => again.events.some((event) => event.item?.id === 'item_u3'), 'the new item');
  await again.close();
  const transcript = await cell.relay.transcript(cell.id);
  assert.deepEqual(transcript.turns.map((turn) => turn.text), ['Good morning.', 'Are you there?', 'Yes.']);
});

test('of two connections the newer wins; the older gets 4000, and nothing is lost or doubled [P8]', async (t) => {
  const cell = await scene(t, { set: ['server.threads=4'] });
  cell.line.say(delta('item_a1', 'one '));
  await cell.client.until(() => cell.client.frames.length === 2, 'the first word');
  const newer = await cell.connect({ after: '2' });
  assert.equal((await within(cell.client.closed, 'the older’s close')).code, 4000);
  cell.line.say(delta('item_a1', 'two'));
  await newer.until(() => newer.frames.length === 1, 'the second word');
  assert.equal(newer.events[0].delta, 'two');
  assert.equal(await stateOf(cell), 'live');
});

test('ten connections of one client at once are one conversation [P8]', async (t) => {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator, set: [...goesOn, 'server.threads=4'] });
  const token = await relay.mint({ user: 'ann' });
  const all = await Promise.all(
    Array.from({ length: 10 }, () => Client.connect(t, relay, { token, query: { session: 'sess_one' } })),
  );
  await eventually(() => all.filter((client) => !client.ended).length === 1, 'one to be left');
  const [left] = all.filter((client) => !client.ended);
  await left.ask('Who is left?');
  await left.close();
  const { json } = await relay.request('/v1/sessions/sess_one');
  assert.equal(json.attempts.length, 1);
  const transcript = await relay.transcript('sess_one');
  assert.equal(transcript.turns.length, 2);
});

test('another user cannot resume it [P8][P10]', async (t) => {
  const cell = await scene(t);
  const stranger = await cell.relay.mint({ user: 'bob' });
  await assert.rejects(Client.connect(t, cell.relay, { token: stranger, query: { session: cell.id } }), /404/);
  assert.equal(cell.client.ended, undefined);
});

test('the provider’s connection is cut in mid-answer: the conversation goes on with its history [P8]', async (t) => {
  const cell = await scene(t, { query: { events: 'verbatim' } });
  const { client, line, provider } = cell;
  line.say(typed('item_u1', 'Tell me more.', null));
  line.say({ type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [] } });
  line.say({
    type: 'response.output_item.added', response_id: 'resp_1', output_index: 0,
    item: { id: 'item_a1', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
  });
  line.say({
    type: 'conversation.item.added', previous_item_id: 'item_u1',
    item: { id: 'item_a1', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
  });
  line.say(delta('item_a1', 'Once upon a'));
  await client.event('response.output_audio_transcript.delta');
  line.vanish();
  const next = await within(Promise.resolve(provider.line('m')), 'the next line');
  client.send({ type: 'conversation.item.create', item: { id: 'item_u2', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Go on.' }] } });
  const given = next.takeRebuild(prepared);
  const done = await client.event('response.done');
  assert.equal(done.response.status, 'incomplete');
  await client.until(() => client.events.some((event) => event.type === 'verbatim.upstream' && event.state === 'restored'), 'restored');
  await eventually(() => given.some((event) => event.item?.id === 'item_u2'), 'the words that the client said meanwhile');
  assert.deepEqual(
    given.filter((event) => event.type === 'conversation.item.create').map((event) => [event.item.role, event.item.content[0].text]),
    [['user', 'Tell me more.'], ['assistant', 'Once upon a'], ['user', 'Go on.']],
  );
  assert.equal(given[0].type, 'session.update');
  await client.until(() => client.events.some((event) => event.item?.id === 'item_u2'), 'its item');
  assert.equal(client.events.filter((event) => event.type === 'session.created').length, 1);
  assert.equal(client.events.filter((event) => event.item?.id === 'item_u1').length, 1);
  client.send({ type: 'verbatim.end' });
  await client.closed;
  const { turns, attempt } = await cell.relay.transcript(cell.id);
  assert.equal(attempt, 1);
  assert.deepEqual(turns.map((turn) => [turn.text, turn.status]), [
    ['Tell me more.', 'completed'],
    ['Once upon a', 'interrupted'],
    ['Go on.', 'completed'],
  ]);
});

test('a provider that is gone for good ends the conversation with the first cause [P2][P8]', async (t) => {
  const cell = await scene(t, { set: ['upstream.connect_timeout=500ms'] });
  cell.provider.stop();
  const transcript = await cell.relay.transcript(cell.id);
  assert.equal(transcript.close_reason, 'upstream_lost');
  assert.equal((await within(cell.client.closed, 'its close')).code, 1011);
});

test("the relay reconnects before a provider's session limit, and the client does not notice [P8]", async (t) => {
  const simulator = await startSimulator(t, ['--faults', 'expire_after=3000']);
  const relay = await startRelay(t, {
    simulator,
    set: [...goesOn, 'upstream.rotate_after=1s', 'session.max_duration=1h'],
  });
  const client = await Client.connectWithId(t, relay);
  const rotations = async () =>
    Number(/verbatim_upstream_changes_total\{before="rotated"\} (\d+)/.exec((await relay.request('/metrics')).text)?.[1] ?? 0);
  let asked = 0;
  for (let rotated = 0; rotated < 3; ++rotated) {
    await client.ask(`Question ${++asked}?`);
    await client.ask(`Question ${++asked}?`);
    await eventually(async () => (await rotations()) > rotated, 'a rotation'); // while both sides are silent
  }
  assert.equal(client.events.filter((event) => event.type === 'session.created').length, 1);
  assert.equal(client.events.filter((event) => event.type === 'error').length, 0);
  await client.close();
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.attempt, 1);
  assert.equal(transcript.turns.filter((turn) => turn.role === 'user').length, asked);
  assert.ok(transcript.turns.every((turn) => turn.status === 'completed'));
  assert.ok(transcript.complete);
});

test('after a restart with handover a client keeps its conversation and loses only its connection [P1][P8]', async (t) => {
  const simulator = await startSimulator(t);
  const set = [...goesOn, 'server.restart=handover'];
  const first = await startRelay(t, { simulator, set });
  const people = await Promise.all(
    Array.from({ length: Number(process.env.VERBATIM_PEOPLE ?? 20) }, async (_, n) => {
      const token = await first.mint({ user: `user${n}` });
      const client = await Client.connect(t, first, { token, query: { session: `sess_h${n}` } });
      await client.event('session.created');
      await client.ask(`I am number ${n}.`);
      return { token, client, n };
    }),
  );
  const stopped = first.program.stop('SIGTERM');
  for (const { client } of people) assert.equal((await within(client.closed, 'its close')).code, 1012);
  assert.equal((await stopped).code, 0);
  const second = await startRelay(t, { simulator, dataDir: first.dataDir, key: first.keyPair, set });
  await Promise.all(
    people.map(async ({ token, n }) => {
      const client = await Client.connect(t, second, { token, query: { session: `sess_h${n}` } });
      await client.event('session.created');
      client.send({ type: 'session.update', session: { type: 'realtime' } });
      await client.event('conversation.item.done');
      await client.ask(`I am still number ${n}.`);
      await client.close();
      const transcript = await second.transcript(`sess_h${n}`);
      assert.equal(transcript.attempt, 1);
      assert.equal(transcript.close_reason, 'client_closed');
      assert.deepEqual(
        transcript.turns.filter((turn) => turn.role === 'user').map((turn) => turn.text),
        [`I am number ${n}.`, `I am still number ${n}.`],
      );
      assert.ok(transcript.turns.every((turn) => turn.status === 'completed'));
    }),
  );
});

test('the next process ends the session of a client that does not return after a restart [P2][P8]', async (t) => {
  const simulator = await startSimulator(t);
  const set = [...goesOn, 'session.resume_window=1s', 'server.restart=handover'];
  const first = await startRelay(t, { simulator, set });
  const client = await Client.connectWithId(t, first);
  await client.ask('Will you wait?');
  assert.equal((await first.program.stop('SIGTERM')).code, 0);
  const second = await startRelay(t, { simulator, dataDir: first.dataDir, key: first.keyPair, set });
  const transcript = await second.transcript(client.id);
  assert.equal(transcript.status, 'final');
  assert.equal(transcript.close_reason, 'server_shutdown');
  assert.equal(transcript.turns.length, 2);
});
