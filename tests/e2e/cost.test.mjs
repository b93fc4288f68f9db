// The cost of a message in counted calls, not in time: the same on every machine (P12). The client connection
// has TLS, the upstream connection has not. Bounds above the measured values leave room for occasional work:
// timers, a page of statistics, a buffer that grows.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Counts } from '../cost/counts.mjs';
import { Client, startRelay, within } from './support/verbatim.mjs';
import { Provider } from './support/provider.mjs';

const warmUp = 300;
const many = 500;
const speech = Buffer.alloc(4800, 7).toString('base64'); // 100 ms, 6.4 kB

async function scene(t) {
  const counts = new Counts(t);
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, 'server.threads=1', 'session.resume_window=30s'], env: counts.env });
  const client = await Client.connect(t, relay, { query: { model: 'm' } });
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_provider' } });
  await client.event('session.created');
  const part = { response_id: 'resp_1', item_id: 'item_1', output_index: 0, content_index: 0 };
  line.say({ type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [] } });
  line.say({
    type: 'conversation.item.added',
    previous_item_id: null,
    item: { id: 'item_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
  });
  await client.event('conversation.item.added');
  return { counts, client, line, part };
}

/** One after the other, each awaited at its other end. */
async function oneByOne(count, send, arrival) {
  for (let i = 0; i < count; ++i) {
    const arrived = arrival();
    send();
    await arrived;
  }
}

const nextAt = (socket) => once(socket, 'message');

async function costOf({ counts }, send, arrival) {
  await oneByOne(warmUp, send, arrival);
  const cost = await counts.of(many, () => oneByOne(many, send, arrival));
  return Object.fromEntries(Object.entries(cost).map(([name, value]) => [name, +value.toFixed(2)]));
}

function checkAudio(cost, allocations) {
  assert.ok(cost.receives <= 1.1, `receives: ${cost.receives}`);
  assert.ok(cost.sends <= 1.1, `sends: ${cost.sends}`);
  assert.ok(cost.epollWaits + cost.epollChanges <= 3.5, `epoll: ${cost.epollWaits} + ${cost.epollChanges}`);
  assert.ok(cost.allocations <= allocations, `allocations: ${cost.allocations}`);
  // A checkpoint may happen while calls are counted: some ten pages and one or two syncs. One written audio
  // message would be 6,400 bytes.
  assert.ok(cost.syncs <= 0.05 && cost.fileBytes <= 1_000, `syncs: ${cost.syncs}, bytes: ${cost.fileBytes}`);
}

test('an audio message of the client takes one receive, one send, and no sync [P12]', async (t) => {
  const all = await scene(t);
  const append = JSON.stringify({ type: 'input_audio_buffer.append', audio: speech });
  const cost = await costOf(all, () => all.client.send(append), () => nextAt(all.line.socket));
  t.diagnostic(JSON.stringify(cost));
  checkAudio(cost, 4);
});

test('an audio message of the provider takes one receive, one send, and no sync [P12]', async (t) => {
  const all = await scene(t);
  const say = () => all.line.say({ type: 'response.output_audio.delta', ...all.part, delta: speech });
  const cost = await costOf(all, say, () => nextAt(all.client.socket));
  t.diagnostic(JSON.stringify(cost));
  checkAudio(cost, 6);
});

test('a single delta takes one sync and a few pages; a burst of deltas shares both [P1][P12]', async (t) => {
  const all = await scene(t);
  let number = 0;
  const say = () =>
    all.line.say({ type: 'response.output_audio_transcript.delta', ...all.part, delta: ` ${++number}` });
  const alone = await costOf(all, say, () => nextAt(all.client.socket));
  t.diagnostic(`alone ${JSON.stringify(alone)}`);
  assert.ok(alone.syncs >= 0.9 && alone.syncs <= 1.3, `syncs: ${alone.syncs}`);
  assert.ok(alone.fileBytes <= 16_384, `bytes: ${alone.fileBytes}`);
  assert.ok(alone.allocations <= 18, `allocations: ${alone.allocations}`);

  const last = () => ` ${number}`;
  const burst = await all.counts.of(many, async () => {
    for (let i = 0; i < many; ++i) say();
    await all.client.until(({ frames }) => frames.at(-1).includes(`"delta":"${last()}"`), 'the last delta');
  });
  t.diagnostic(`in a burst ${JSON.stringify(burst)}`);
  assert.ok(burst.syncs <= 0.5, `syncs: ${burst.syncs}`);
  assert.ok(burst.fileBytes <= 4_000, `bytes: ${burst.fileBytes}`);
  assert.ok(burst.sends <= 0.5, `sends: ${burst.sends}`);
});
