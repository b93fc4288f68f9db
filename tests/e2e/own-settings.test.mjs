// Requests that the relay makes of the provider for itself are invisible to clients (P9). Real sockets and TLS.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, startRelay, within } from './support/verbatim.mjs';
import { Provider } from './support/provider.mjs';
import { eventually } from './support/cell.mjs';

const off = { type: 'realtime', id: 'sess_p', audio: { input: { transcription: null }, output: { voice: 'alloy' } } };
const on = { ...off, audio: { ...off.audio, input: { transcription: { model: 'whisper-1' } } } };

/** A client and the provider's line, and what the provider is asked on it. */
async function scene(t, { token = { type: 'realtime' }, set = [] } = {}) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, ...set] });
  const client = await Client.connectWithId(t, relay, { token: await relay.mint({}, token), query: { model: 'm' } });
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  const asked = [];
  line.socket.on('message', (data) => asked.push(JSON.parse(data)));
  const updates = (count) =>
    eventually(() => asked.filter(({ type }) => type === 'session.update').length >= count, `${count} updates`);
  return { relay, client, line, asked, updates };
}

/** The events that the client has got besides the extension events, once a later one has come. */
async function got({ client, line }, mark) {
  line.say({ type: mark });
  await client.event(mark);
  return client.events.map(({ type }) => type).filter((type) => type !== mark && !type.startsWith('verbatim.'));
}

const refused = async (relay) =>
  Number(/verbatim_own_requests_refused_total (\d+)/.exec((await relay.request('/metrics')).text)[1]);

test('the relay switches transcription on, and its client hears nothing of it [P9]', async (t) => {
  const cell = await scene(t);
  cell.line.say({ type: 'session.created', session: off });
  await cell.updates(1);
  cell.line.say({ type: 'session.updated', session: on });
  assert.deepEqual(await got(cell, 'vendor.one'), ['session.created']);
  cell.client.send({ type: 'session.update', session: { type: 'realtime', audio: { output: { voice: 'cedar' } } } });
  await cell.updates(2);
  cell.line.say({ type: 'session.updated', session: { ...on, mine: true } });
  assert.deepEqual(await got(cell, 'vendor.two'), ['session.created', 'vendor.one', 'session.updated']);
  assert.equal((await cell.client.event('session.updated')).session.mine, true);
});

for (const named of [true, false]) {
  test(`a provider that refuses to transcribe ends no client${named ? '' : ', nor does one that names no event'} [P9]`, async (t) => {
    const cell = await scene(t);
    cell.line.say({ type: 'session.created', session: off });
    await cell.updates(1);
    const error = { type: 'invalid_request_error', code: 'model_not_found', message: 'There is no such transcription model.', param: null, event_id: named ? cell.asked[0].event_id : null };
    cell.line.say({ type: 'error', error });
    assert.deepEqual(await got(cell, 'vendor.one'), ['session.created']);
    await cell.relay.program.logged('upstream.request_refused');
    assert.match(cell.relay.program.stderr, /upstream\.request_refused.*model_not_found/);
    assert.ok(!cell.relay.program.stderr.includes('There is no such'));
    assert.equal(await refused(cell.relay), 1);
    assert.equal(cell.asked.length, 1); // asked once, not repeatedly
  });
}

test("session.created shows the token's settings [P9]", async (t) => {
  const cell = await scene(t, { token: { type: 'realtime', instructions: 'Be kind.' } });
  cell.line.say({ type: 'session.created', session: off });
  await cell.updates(1);
  cell.line.say({ type: 'session.updated', session: { ...on, instructions: 'Be kind.' } });
  assert.deepEqual(await got(cell, 'vendor.one'), ['session.created']);
  const { session } = await cell.client.event('session.created');
  assert.equal(session.instructions, 'Be kind.');
});

for (const by of ['its token', 'its own update']) {
  test(`a client that wants no transcription by ${by} gets none, and the transcript has the words [P9][P13]`, async (t) => {
    const wanted = { type: 'realtime', audio: { input: { transcription: null } } };
    const cell = await scene(t, { token: by === 'its token' ? wanted : { type: 'realtime' } });
    const { client, line, updates, relay } = cell;
    line.say({ type: 'session.created', session: off });
    await updates(1);
    line.say({ type: 'session.updated', session: on });
    if (by !== 'its token') {
      client.send({ type: 'session.update', session: wanted });
      await updates(2);
      line.say({ type: 'session.updated', session: off });
      await updates(3);
      line.say({ type: 'session.updated', session: on });
    }
    line.say({ type: 'input_audio_buffer.committed', item_id: 'item_u1', previous_item_id: null });
    const item = { id: 'item_u1', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_audio', transcript: null }] };
    line.say({ type: 'conversation.item.added', previous_item_id: null, item });
    const words = { item_id: 'item_u1', content_index: 0 };
    line.say({ type: 'conversation.item.input_audio_transcription.delta', ...words, delta: 'Good' });
    line.say({ type: 'conversation.item.input_audio_transcription.completed', ...words, transcript: 'Good morning.' });
    const heard = await got(cell, 'vendor.one');
    assert.ok(!heard.some((type) => type.includes('input_audio_transcription')), heard);
    for (const { session } of client.events.filter(({ session: shown }) => shown))
      assert.equal(session.audio.input.transcription, null);
    client.send({ type: 'verbatim.end' });
    await client.closed;
    const { turns, complete } = await relay.transcript(client.id);
    assert.deepEqual(turns.map(({ text, status }) => [text, status]), [['Good morning.', 'completed']]);
    assert.ok(complete);
  });
}
