// The items that a new upstream connection gets: as they came, after a loss and after a restart, over real
// sockets (P8).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, startRelay, within } from './support/verbatim.mjs';
import { Provider } from './support/provider.mjs';
import { eventually } from './support/cell.mjs';

const goesOn = [
  'session.resume_window=30s',
  'upstream.reconnect_attempts_max=3',
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
const prepared = { ...session, audio: { input: { transcription: null } } };

const photo = (id, kib) => ({
  id,
  type: 'message',
  role: 'user',
  name: 'Ann',
  content: [
    { type: 'input_text', text: 'What is this?' },
    { type: 'input_image', image_url: `data:image/jpeg;base64,${'A'.repeat(kib * 1024)}`, detail: 'high' },
  ],
});
const found = {
  id: 'item_mcp',
  type: 'mcp_call',
  name: 'find',
  server_label: 'handbook',
  arguments: '{"q":"leave"}',
  output: 'Thirty days.',
};
const answer = {
  id: 'item_a1',
  type: 'message',
  role: 'assistant',
  phase: 'final_answer',
  content: [{ type: 'output_text', text: 'A door.' }],
};

/** A relay, a provider moved by hand, and a conversation with an image, an MCP call and an answer. */
async function scene(t, { set = [], items = [photo('item_photo', 700)] } = {}) {
  const provider = await Provider.start(t);
  const options = [`upstream.url=${provider.url}`, ...goesOn, ...set];
  const relay = await startRelay(t, { set: options });
  const token = await relay.mint({ user: 'ann' });
  const query = { model: 'm', session: 'sess_rebuild', events: 'verbatim' };
  const client = await Client.connect(t, relay, { token, query });
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  line.takeRebuild(session);
  await client.event('session.created');
  for (const item of items) {
    client.send({ type: 'conversation.item.create', item });
    await client.until(() => client.events.some((e) => e.type.endsWith('item.done') && e.item.id === item.id), item.id);
  }
  let previous = items.at(-1).id;
  for (const item of [found, answer]) {
    for (const type of ['conversation.item.added', 'conversation.item.done'])
      line.say({ type, previous_item_id: previous, item: { ...item, status: 'completed' } });
    previous = item.id;
  }
  await client.until(() => client.events.some((e) => e.item?.id === answer.id), 'the answer');
  return { provider, relay, client, line, token, query, options };
}

const itemsOf = (given) => given.filter((e) => e.type === 'conversation.item.create').map((e) => e.item);

const outcome = async (relay, which) =>
  Number(new RegExp(`verbatim_rebuild_items_total\\{outcome="${which}"\\} (\\d+)`).exec((await relay.request('/metrics')).text)?.[1]);

test('a lost provider is given the items as they came, with images and results [P8]', async (t) => {
  const { provider, relay, client, line } = await scene(t);
  line.vanish();
  const next = await within(Promise.resolve(provider.line('m')), 'the next line');
  const given = next.takeRebuild(prepared);
  const restored = () => client.events.find((e) => e.type === 'verbatim.upstream' && e.state === 'restored');
  await client.until(restored, 'restored');
  assert.deepEqual(itemsOf(given), [photo('item_photo', 700), found, answer]);
  assert.deepEqual([restored().left_out, restored().refused], [[], []]);
  await eventually(async () => (await outcome(relay, 'given')) === 3, 'three are given');
  assert.equal(await outcome(relay, 'left_out'), 0);
});

test('a restart that hands over gives them as well, from the journal [P8]', async (t) => {
  const { provider, relay, client, token, query, options } = await scene(t, { set: ['server.restart=handover'] });
  assert.equal((await relay.program.stop('SIGTERM')).code, 0);
  await within(client.closed, 'its close');
  const second = await startRelay(t, { dataDir: relay.dataDir, key: relay.keyPair, set: [...options] });
  const again = await Client.connect(t, second, { token, query });
  const next = await within(Promise.resolve(provider.line('m')), 'the next line');
  const given = next.takeRebuild(prepared);
  await again.until(() => again.events.some((e) => e.state === 'restored'), 'restored');
  assert.deepEqual(itemsOf(given), [photo('item_photo', 700), found, answer]);
  assert.ok(again.events.some((e) => e.item?.content?.[1]?.image_url?.length > 700 * 1024), 'the image is shown');
});

test('items left out or refused are reported, counted and logged without their text [P8][P10]', async (t) => {
  const { provider, relay, client, line } = await scene(t, {
    set: ['session.item_bytes_max=100KiB'],
    items: [photo('item_photo', 200), photo('item_small', 50)],
  });
  line.vanish();
  const next = await within(Promise.resolve(provider.line('m')), 'the next line');
  next.socket.on('message', (data) => {
    const event = JSON.parse(data);
    if (event.type === 'session.update') next.say({ type: 'session.updated', session: event.session });
    if (event.type !== 'conversation.item.create') return;
    if (event.item.id !== 'item_mcp') return next.say({ type: 'conversation.item.added', previous_item_id: null, item: event.item });
    next.say({ type: 'error', error: { type: 'invalid_request_error', code: 'invalid_value', message: 'Thirty days.', event_id: event.event_id } });
  });
  next.say({ type: 'session.created', session: prepared });
  const restored = () => client.events.find((e) => e.state === 'restored');
  await client.until(restored, 'restored');
  assert.deepEqual(restored().left_out, [{ item_id: 'item_photo', why: 'too_large' }]);
  assert.deepEqual(restored().refused, [{ item_id: 'item_mcp', why: 'invalid_value' }]);
  for (const [which, count] of [['given', 2], ['left_out', 1], ['refused', 1]])
    await eventually(async () => (await outcome(relay, which)) === count, `${count} ${which}`);
  await eventually(() => relay.program.stderr.includes('upstream.not_whole'), 'the log line');
  assert.match(relay.program.stderr, /item_photo: too_large, item_mcp: invalid_value/);
  assert.doesNotMatch(relay.program.stderr, /Thirty|What is this/);
});

test('a provider that refuses the whole history ends the conversation, and its transcript is kept [P2][P8]', async (t) => {
  const { provider, relay, client, line } = await scene(t);
  line.vanish();
  for (let tries = 0; tries < 3; ++tries) {
    const next = await within(Promise.resolve(provider.line('m')), `try ${tries}`);
    next.socket.on('message', (data) => {
      const event = JSON.parse(data);
      if (event.type === 'session.update') next.say({ type: 'session.updated', session: event.session });
      if (event.type === 'conversation.item.create')
        next.say({ type: 'error', error: { type: 'invalid_request_error', code: 'invalid_value', event_id: event.event_id } });
    });
    next.say({ type: 'session.created', session: prepared });
  }
  assert.equal((await within(client.closed, 'its close')).code, 1011);
  assert.equal(client.events.filter((e) => e.state === 'restored').length, 0);
  const transcript = await relay.transcript('sess_rebuild');
  assert.equal(transcript.close_reason, 'upstream_error');
  assert.deepEqual(transcript.turns.map((turn) => turn.text), ['What is this?', 'A door.']);
});
