// A conversation of many turns: most of it is not in memory, which changes nothing visible (P11, P12).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Client, startRelay, within } from './support/verbatim.mjs';
import { Provider } from './support/provider.mjs';
import { eventually } from './support/cell.mjs';

const words = (n) => `Answer ${n}, with as many words as somebody says in a breath or two.`;

async function scene(t, set = []) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, {
    set: [`upstream.url=${provider.url}`, 'server.threads=1', 'session.resume_window=30s', ...set],
  });
  const token = await relay.mint({ user: 'ann' });
  const connect = () => Client.connect(t, relay, { token, query: { model: 'm', session: 'sess_long' } });
  const client = await connect();
  const line = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_provider' } });
  await client.event('session.created');
  return { provider, relay, connect, client, line };
}

/** A question and its answer, in the provider's words. */
function sayExchange(line, n) {
  const [asked, answered, response] = [`item_u${n}`, `item_a${n}`, `resp_${n}`];
  const part = { response_id: response, item_id: answered, output_index: 0, content_index: 0 };
  const item = { id: answered, type: 'message', role: 'assistant' };
  line.say({ type: 'input_audio_buffer.committed', item_id: asked, previous_item_id: n ? `item_a${n - 1}` : null });
  line.say({
    type: 'conversation.item.input_audio_transcription.completed',
    item_id: asked,
    content_index: 0,
    transcript: `Question ${n}?`,
    usage: { type: 'tokens', total_tokens: 20, input_tokens: 15, output_tokens: 5 },
  });
  line.say({ type: 'response.created', response: { id: response, status: 'in_progress', output: [] } });
  line.say({
    type: 'conversation.item.added',
    previous_item_id: asked,
    item: { ...item, status: 'in_progress', content: [] },
  });
  line.say({ type: 'response.output_audio_transcript.delta', ...part, delta: words(n) });
  line.say({ type: 'response.output_audio_transcript.done', ...part, transcript: words(n) });
  const content = [{ type: 'output_audio', transcript: words(n) }];
  line.say({
    type: 'response.done',
    response: {
      id: response,
      status: 'completed',
      output: [{ ...item, status: 'completed', content }],
      usage: { total_tokens: 253, input_tokens: 132, output_tokens: 121 },
    },
  });
}

/** Not too much at a time, so that what is measured is the conversation and no queue. */
async function converse({ client, line }, from, to) {
  for (let n = from; n < to; n += 20) {
    for (let i = n; i < Math.min(to, n + 20); ++i) sayExchange(line, i);
    const last = `"id":"resp_${Math.min(to, n + 20) - 1}"`;
    while (!client.frames.at(-1)?.includes(last) || !client.frames.at(-1).includes('response.done'))
      await once(client.socket, 'message');
    client.frames.length = 0;
  }
}

const ownKiB = (pid) =>
  Number(/^Private_Dirty: +(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);

test('memory does not grow with a conversation, and all of it is in the transcript [P12][P11]', async (t) => {
  const all = await scene(t);
  const { relay, client } = all;
  await converse(all, 0, 1500); // fills queues and the database's page cache once
  const before = ownKiB(relay.program.pid);
  await converse(all, 1500, 3500);
  const grown = ownKiB(relay.program.pid) - before;
  t.diagnostic(`${grown} KiB for 2,000 exchanges`);
  assert.ok(grown < 800, `${grown} KiB`); // 84 bytes an exchange; all of the text would be 2,000
  client.send({ type: 'verbatim.end' });
  await client.closed;
  const { turns, status } = await relay.transcript('sess_long');
  assert.equal(status, 'final');
  assert.equal(turns.length, 7000);
  for (let n = 0; n < 3500; ++n) {
    assert.equal(turns[2 * n].text, `Question ${n}?`);
    assert.equal(turns[2 * n + 1].text, words(n));
    assert.equal(turns[2 * n + 1].status, 'completed');
  }
});

test('a client that resumes a long conversation gets all of it, and so does the next upstream connection [P8]', async (t) => {
  const all = await scene(t, ['upstream.reconnect_attempts_max=5', 'upstream.reconnect_pause_min=10ms']);
  const { relay, client, connect, line, provider } = all;
  await converse(all, 0, 60);
  client.socket.terminate();
  const back = await connect();
  await back.until(
    ({ frames }) => frames.some((frame) => frame.includes('conversation.item.done') && frame.includes('item_a59')),
    'the last item',
  );
  const repeated = back.frames.map((frame) => JSON.parse(frame)).filter((event) => event.type === 'conversation.item.done');
  assert.deepEqual(
    repeated.map((event) => event.item.id),
    Array.from({ length: 120 }, (_, i) => `item_${i % 2 ? 'a' : 'u'}${i >> 1}`),
  );
  assert.equal(repeated[1].item.content[0].transcript, words(0));

  line.vanish();
  const next = await within(Promise.resolve(provider.line('m')), 'the next line');
  const got = next.takeRebuild({ type: 'realtime', id: 'sess_other' });
  const given = () => got.filter(({ type }) => type === 'conversation.item.create').map(({ item }) => item.id);
  await eventually(() => given().length === 120, 'the whole conversation');
  assert.deepEqual(given(), repeated.map((event) => event.item.id));

  // Very old turns are still part of the conversation.
  next.say({ type: 'conversation.item.deleted', item_id: 'item_u3' });
  next.say({ type: 'conversation.item.truncated', item_id: 'item_a4', content_index: 0, audio_end_ms: 1 });
  await back.event('conversation.item.truncated');
  const { json } = await relay.request('/v1/sessions/sess_long/transcript');
  assert.equal(json.turns.length, 120);
  assert.equal(json.turns[6].deleted, true);
  assert.equal(json.turns[9].status, 'truncated');
});
