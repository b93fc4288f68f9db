// Large messages, and messages that are too large: which ones a session accepts, and that a refusal concerns
// only the message or its connection.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Client, startRelay, within } from './support/verbatim.mjs';
import { eventually } from './support/cell.mjs';
import { Provider } from './support/provider.mjs';
import { frame, text } from './support/wire.mjs';

const MiB = 1 << 20;
const settings = { id: 'sess_p', type: 'realtime', audio: { input: { transcription: { model: 'm' } } } };

/** An event of exactly `bytes` bytes. */
function eventOf(bytes, type = 'input_audio_buffer.append') {
  const head = `{"type":"${type}","audio":"`;
  return `${head}${'A'.repeat(bytes - head.length - 2)}"}`;
}

/** The event as fragments of these sizes, the last of what is left. */
function sendInFragments(client, event, size) {
  for (let at = 0; at < event.length; at += size)
    client.socket.send(event.slice(at, at + size), { fin: at + size >= event.length, binary: false });
}

async function start(t, set = []) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, 'session.transcription_grace=0ms', ...set] });
  return { provider, relay };
}

let models = 0;
/** A client in a conversation of which the test has the provider's side. */
async function converse(t, { provider, relay }, options = {}) {
  const model = `m${++models}`;
  const token = options.token ?? (await relay.mint());
  const client = await Client.connectWithId(t, relay, { ...options, token, query: { model, ...options.query } });
  const line = await within(provider.line(model), 'the provider\'s connection');
  const got = line.takeRebuild(settings);
  await client.event('session.created');
  const sizes = [];
  line.socket.on('message', (data) => sizes.push(data.length));
  line.got = (find, what) => within((async () => {
    while (!got.some(find)) await new Promise((resolve) => line.socket.once('message', () => setImmediate(resolve)));
    return got.find(find);
  })(), what);
  return { client, line, got, sizes, token, model };
}

const state = async (relay, id) => (await relay.request(`/v1/sessions/${id}`)).json.status;

describe("the limit of a client's message", { concurrency: 2 }, () => {
  test('a message of exactly the limit is relayed, whole and in fragments of any size [P9][P11]', async (t) => {
    const limit = 1 * MiB;
    const world = await start(t, ['session.client_message_bytes_max=1MiB']);
    const { client, line, sizes } = await converse(t, world);
    client.send(eventOf(limit));
    for (const size of [limit - 1, 400_000, 65_537, 1000]) sendInFragments(client, eventOf(limit), size);
    client.send({ type: 'input_audio_buffer.commit' });
    await line.got(({ type }) => type === 'input_audio_buffer.commit', 'the message behind them');
    assert.deepEqual(sizes.slice(0, 5), Array(5).fill(limit));
    await client.close();
  });

  for (const [how, send] of [
    ['in one frame', (client) => client.send(eventOf(1 * MiB + 1))],
    ['in fragments', (client) => sendInFragments(client, eventOf(1 * MiB + 1), 100_000)],
    ['in fragments of which the last has one byte', (client) => sendInFragments(client, eventOf(1 * MiB + 1), 1 * MiB)],
  ]) {
    test(`a message of one byte more, ${how}, closes the connection and keeps the conversation [P8][P11]`, async (t) => {
      const world = await start(t, ['session.client_message_bytes_max=1MiB', 'session.resume_window=60s']);
      const { relay } = world;
      const { client, line, token, model } = await converse(t, world);
      client.send({ type: 'conversation.item.create', item: { id: 'item_1', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Before.' }] } });
      await client.event('conversation.item.done');
      send(client);
      const { code, reason } = await client.closed;
      assert.equal(code, 1009);
      assert.match(reason, /1048576 bytes.*session\.client_message_bytes_max/);
      assert.equal(client.events.at(-1).type, 'error');
      assert.equal(client.events.at(-1).error.code, 'message_too_large');
      await eventually(async () => (await state(relay, client.id)) === 'detached', 'it is detached');
      assert.ok(!line.gone);

      // Everything that was received counts, the error event included.
      const after = client.events.filter(({ type }) => type !== 'verbatim.session').length + 1;
      const again = await Client.connectWithId(t, relay, { token, query: { model, after } });
      const resumed = again.events.find(({ type }) => type === 'verbatim.session');
      assert.deepEqual([resumed.resumed, resumed.replayed, resumed.after], [true, true, after]);
      again.send({ type: 'conversation.item.create', item: { id: 'item_2', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'After.' }] } });
      await again.event('conversation.item.done');
      again.send({ type: 'verbatim.end' });
      const transcript = await relay.transcript(client.id);
      assert.deepEqual(transcript.turns.map(({ text }) => text), ['Before.', 'After.']);
      assert.deepEqual([transcript.attempt, transcript.complete], [1, true]);
    });
  }

  test('a client that never returns after it ends its session by policy, with all its text [P2]', async (t) => {
    const world = await start(t, ['session.client_message_bytes_max=64KiB', 'session.resume_window=200ms']);
    const { client } = await converse(t, world);
    client.send({ type: 'conversation.item.create', item: { id: 'item_1', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Before.' }] } });
    await client.event('conversation.item.done');
    client.send(eventOf(64 * 1024 + 1));
    assert.equal((await client.closed).code, 1009);
    const { close_reason, turns } = await world.relay.transcript(client.id);
    assert.equal(close_reason, 'policy');
    assert.deepEqual(turns.map(({ text }) => text), ['Before.']);
    const { text } = await world.relay.request('/metrics');
    assert.match(text, /^verbatim_messages_too_large_total\{direction="to_upstream"\} 1$/m);
  });
});

describe('a binary frame of a client that speaks JSON', () => {
  for (const [what, bytes] of [
    ['bytes', Buffer.from([1, 2, 3])],
    ['an event', Buffer.from('{"type":"response.create"}')],
    ['nothing at all', Buffer.alloc(0)],
    ['a megabyte', Buffer.alloc(MiB)],
  ]) {
    test(`${what}: answered with an error, and the conversation goes on [P9][P11]`, async (t) => {
      const world = await start(t);
      const { client, line, got } = await converse(t, world);
      const before = got.length;
      client.socket.send(bytes, { binary: true });
      assert.equal((await client.event('error')).error.code, 'invalid_frame');
      client.send({ type: 'input_audio_buffer.commit' });
      await line.got(({ type }) => type === 'input_audio_buffer.commit', 'the message behind it');
      assert.equal(got.length, before + 1);
      await client.close();
      const { close_reason } = await world.relay.transcript(client.id);
      assert.equal(close_reason, 'client_closed');
    });
  }
});

describe("the relay accepts messages up to the provider's size", () => {
  test('15 MiB of audio in one append, and an event of 24 MiB [P9]', async (t) => {
    const world = await start(t);
    const { client, line, sizes } = await converse(t, world);
    client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(15 * MiB, 7).toString('base64') });
    client.send(eventOf(24 * MiB));
    client.send({ type: 'input_audio_buffer.commit' });
    await line.got(({ type }) => type === 'input_audio_buffer.commit', 'the message behind them');
    assert.ok(sizes[0] > 20 * MiB);
    assert.equal(sizes[1], 24 * MiB);
    await client.close();
  });

  test('a text of 16 MiB is kept, survives a kill, and is given to another connection [P1][P8]', async (t) => {
    const world = await start(t, ['upstream.reconnect_attempts_max=3', 'upstream.reconnect_pause_min=10ms', 'session.resume_window=60s']);
    const { relay, provider } = world;
    const { client, line, model } = await converse(t, world);
    const words = `Grüße 😀. ${'Words that a person has typed, and pasted, and typed. '.repeat(16 * MiB / 54)}The end.`;
    assert.ok(Math.abs(Buffer.byteLength(words) - 16 * MiB) < 1000);
    const item = { id: 'item_long', type: 'message', role: 'user', content: [{ type: 'input_text', text: words }] };
    client.send({ type: 'conversation.item.create', item });
    const done = await client.event('conversation.item.done');
    assert.equal(done.item.content[0].text, words);
    assert.equal((await relay.request(`/v1/sessions/${client.id}/transcript`)).json.turns[0].text, words);

    const next = provider.line(model);
    line.vanish();
    const second = await within(next, 'another connection');
    const given = second.takeRebuild(settings);
    await client.until(({ events }) => events.find((event) => event.type === 'verbatim.upstream' && event.state === 'restored'), 'restored');
    const again = given.find(({ type, item: one }) => type === 'conversation.item.create' && one.id === 'item_long');
    assert.equal(again.item.content[0].text, words);

    await relay.program.stop('SIGKILL');
    const restarted = await startRelay(t, { dataDir: relay.dataDir, set: [`upstream.url=${provider.url}`, 'session.resume_window=0s'] });
    const kept = await restarted.transcript(client.id);
    assert.equal(kept.turns[0].text, words);
  });
});

/** `verbatim_large_...` of a relay. */
async function memory(relay) {
  const { text } = await relay.request('/metrics');
  const value = (name) => Number(text.split('\n').find((line) => line.startsWith(`${name} `)).split(' ')[1]);
  return {
    moving: value('verbatim_large_message_bytes{part="moving"}'),
    kept: value('verbatim_large_message_bytes{part="kept"}'),
    waiting: value('verbatim_large_messages_waiting'),
  };
}

describe('the memory of large messages', () => {
  const bounded = ['session.client_message_bytes_max=8MiB', 'upstream.message_bytes_max=8MiB', 'server.large_message_bytes=32MiB', 'session.resume_window=60s'];

  test('is bounded over all sessions: reading waits for its share, small messages do not, all arrive [P11]', async (t) => {
    const world = await start(t, bounded);
    const { relay } = world;
    const bystander = await converse(t, world);
    const all = [];
    for (let i = 0; i < 16; ++i) all.push(await converse(t, world));
    const resident = () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${relay.program.pid}/status`, 'utf8'))[1]) * 1024;
    const before = resident();
    for (const { line } of all) line.socket.pause(); // a provider that reads nothing
    for (const { client, line } of all) {
      client.send(eventOf(8 * MiB));
      client.send({ type: 'input_audio_buffer.commit' });
      line.done = line.got(({ type }) => type === 'input_audio_buffer.commit', 'the message behind the large one');
    }
    let most = 0;
    await eventually(async () => {
      const now = await memory(relay);
      most = Math.max(most, now.moving);
      return now.waiting >= 10;
    }, 'messages that wait');
    for (let i = 0; i < 20; ++i) {
      const size = bystander.sizes.length;
      bystander.client.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(6400) });
      await eventually(() => bystander.sizes.length > size, 'a small message');
      most = Math.max(most, (await memory(relay)).moving);
    }
    assert.ok(most > 8 * MiB && most <= 32 * MiB, `${most} bytes were given out`);
    assert.ok(resident() - before < 2 * 32 * MiB, `${resident() - before} bytes more than before`);
    for (const { line } of all) line.socket.resume();
    await Promise.all(all.map(({ line }) => line.done));
    for (const { sizes } of all) assert.equal(sizes[0], 8 * MiB);
    await eventually(async () => (await memory(relay)).moving === 0, 'all of it is given back');
  });

  test('is not held by a peer that announces a message and sends no more of it [P11]', async (t) => {
    // Long enough for the test to see messages that wait, on a slow machine too.
    const world = await start(t, [...bounded, 'server.large_message_timeout=5s']);
    const { relay } = world;
    const stalled = [];
    for (let i = 0; i < 8; ++i) stalled.push(await converse(t, world));
    for (const { client } of stalled) {
      // A frame of 8 MiB, of which 5 MiB arrive.
      const bytes = frame(text, eventOf(8 * MiB), { mask: true });
      client.socket._socket.write(bytes.subarray(0, 5 * MiB));
    }
    await eventually(async () => (await memory(relay)).waiting > 0, 'some wait');
    const other = await converse(t, world);
    other.client.send(eventOf(8 * MiB));
    other.client.send({ type: 'input_audio_buffer.commit' });
    await other.line.got(({ type }) => type === 'input_audio_buffer.commit', 'a message of another client');
    for (const { client } of stalled) {
      const { code, reason } = await within(client.closed, 'the end of a connection that stands still');
      assert.deepEqual([code, client.events.at(-1).error?.code], [1008, 'message_too_slow']);
      assert.match(reason, /server\.large_message_timeout/);
      await eventually(async () => (await state(relay, client.id)) === 'detached', 'its conversation waits');
    }
    await eventually(async () => (await memory(relay)).moving === 0, 'all of it is given back');
  });

  test("has shares of users: the unfinished messages of one do not delay those of others [P11]", async (t) => {
    // The waiting messages stay until the test ends.
    const world = await start(t, [...bounded, 'server.large_message_timeout=10m']);
    const { relay } = world;
    const stalled = [];
    for (let i = 0; i < 8; ++i) stalled.push(await converse(t, world, { token: await relay.mint({ user: 'mallory' }) }));
    for (const { client } of stalled)
      client.socket._socket.write(frame(text, eventOf(8 * MiB), { mask: true }).subarray(0, 7 * MiB));
    await eventually(async () => (await memory(relay)).waiting >= 4, 'most of them wait');
    const others = [
      ['a user', await converse(t, world, { token: await relay.mint({ user: 'ann' }) })],
      ['a session without a user', await converse(t, world)],
      ['a back end', await converse(t, world, { token: relay.key })],
    ];
    for (const [who, { client, line, sizes }] of others) {
      const events = [70_000, 1 * MiB, 8 * MiB].map((size) => eventOf(size));
      for (const event of events) client.send(event);
      client.send({ type: 'input_audio_buffer.commit' });
      await line.got(({ type }) => type === 'input_audio_buffer.commit', `the messages of ${who}`);
      assert.deepEqual(sizes.slice(0, 3), events.map(({ length }) => length));
      line.say({ type: 'vendor.large', data: 'x'.repeat(2 * MiB) });
      await client.event('vendor.large');
    }
    const { moving, waiting } = await memory(relay);
    assert.equal(waiting, 7); // they still wait
    assert.ok(moving <= 11 * MiB, `${moving} bytes`); // a quarter of the memory for moving messages, and one message
    // A provider's message does not wait for those of its own client.
    stalled[3].line.say({ type: 'vendor.large', data: 'x'.repeat(2 * MiB) });
    await stalled[3].client.event('vendor.large');
    for (const { client } of stalled) client.socket.terminate();
    await eventually(async () => (await memory(relay)).moving === 0, 'all of it is given back');
  });

  test('is released by a peer that leaves in the middle of a message, or while it waits [P11]', async (t) => {
    const world = await start(t, bounded);
    const { relay } = world;
    const all = [];
    for (let i = 0; i < 12; ++i) all.push(await converse(t, world));
    const bytes = frame(text, eventOf(8 * MiB), { mask: true });
    for (const { client } of all) client.socket._socket.write(bytes.subarray(0, 7 * MiB));
    await eventually(async () => (await memory(relay)).waiting > 0, 'some wait');
    for (const { client } of all) client.socket.terminate();
    await eventually(async () => {
      const { moving, waiting } = await memory(relay);
      return moving === 0 && waiting === 0;
    }, 'all of it is given back');
  });
});

test("a provider's message over its limit is left out and known to be missing, and the conversation goes on [P11][P13]", async (t) => {
  const world = await start(t, ['upstream.message_bytes_max=1MiB']);
  const { client, line } = await converse(t, world);
  line.say({ type: 'vendor.large', data: 'x'.repeat(2 * MiB) });
  line.say({ type: 'conversation.item.added', item: { id: 'item_1', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_text', text: 'Behind it.' }] } });
  await client.event('conversation.item.added');
  assert.ok(!client.events.some(({ type }) => type === 'vendor.large'));
  assert.ok(!line.gone);
  await client.close();
  const { turns, complete, gaps } = await world.relay.transcript(client.id);
  assert.deepEqual([turns.map((turn) => turn.text), complete, gaps.map(({ kind }) => kind)], [['Behind it.'], false, ['unplaced_text']]);
  const metrics = (await world.relay.request('/metrics')).text;
  assert.match(metrics, /^verbatim_messages_too_large_total\{direction="to_client"\} 1$/m);
  assert.match(metrics, /^verbatim_unplaced_text_total\{why="too_large"\} 1$/m);
});
