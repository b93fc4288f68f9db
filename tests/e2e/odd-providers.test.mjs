// Providers and gateways with their own variants of the protocol: each word has its place, or the transcript
// says that it is not complete.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Provider } from './support/provider.mjs';
import { Client, startRelay } from './support/verbatim.mjs';

/** A conversation with a provider that the test moves by hand. */
async function conversation(t, model, set = []) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, ...set] });
  const client = await Client.connectWithId(t, relay, { query: { model } });
  const line = await provider.line(model);
  line.say({ type: 'session.created', session: { id: 'sess_p', type: 'realtime' } });
  await client.event('session.created');
  return { provider, relay, client, line };
}

const received = (client, matches) => client.until(({ events }) => events.find(matches), 'the last event');
const message = (id, role, text) => ({
  id, type: 'message', role, status: 'completed',
  content: [{ type: role === 'user' ? 'input_text' : 'output_text', text }],
});
const added = (item, previous) => ({ type: 'conversation.item.added', ...(previous === undefined ? {} : { previous_item_id: previous }), item });
const words = ({ turns }) => turns.map(({ role, text }) => `${role}: ${text}`);

test('if the provider gives no order, the order of events counts [P4]', async (t) => {
  const { relay, client, line } = await conversation(t, 'nulls');
  for (const [id, role, previous] of [['u1', 'user', null], ['a1', 'assistant', null], ['u2', 'user', ''], ['a2', 'assistant'], ['u3', 'user', 'unheard of'], ['a3', 'assistant', null]])
    line.say(added(message(id, role, id), previous));
  await received(client, ({ item }) => item?.id === 'a3');
  await client.close();
  const transcript = await relay.transcript(client.id);
  assert.deepEqual(transcript.turns.map(({ text }) => text), ['u1', 'a1', 'u2', 'a2', 'u3', 'a3']);
  assert.equal(transcript.complete, true);
});

test('events in binary frames are kept, and passed on as text [P9][P13]', async (t) => {
  const { relay, client, line } = await conversation(t, 'binary');
  const event = JSON.stringify({ event_id: 'b1', ...added(message('a1', 'assistant', 'Grüße 😀.'), null) });
  line.socket.send(Buffer.from(event), { binary: true });
  await client.event('conversation.item.added');
  assert.ok(client.frames.includes(event)); // byte for byte
  await client.close();
  const transcript = await relay.transcript(client.id);
  assert.deepEqual(words(transcript), ['assistant: Grüße 😀.']);
  assert.equal(transcript.complete, true);
});

test('an unreadable message is passed on, counted, and makes the transcript incomplete [P9][P13]', async (t) => {
  const { relay, client, line } = await conversation(t, 'unreadable');
  const raw = [];
  client.socket.on('message', (data, isBinary) => isBinary && raw.push(data));
  line.say(added(message('u1', 'user', 'One'), null));
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x7b]);
  line.socket.send(bytes, { binary: true });
  line.say({ type: 'response.output_text.delta', item_id: 'a1', delta: { text: 'hidden' } });
  line.say(added(message('u2', 'user', 'Two'), 'u1'));
  await received(client, ({ item }) => item?.id === 'u2');
  assert.deepEqual(raw, [bytes]);
  await client.event('response.output_text.delta');
  await client.close();
  const { gaps, complete, receipt } = await relay.transcript(client.id);
  assert.equal(complete, false);
  assert.deepEqual(gaps, [{ item_id: '', kind: 'unplaced_text', after: 1, count: 2 }]);
  assert.deepEqual(receipt.gaps, gaps);
  const metrics = (await relay.request('/metrics')).text;
  assert.match(metrics, /^verbatim_unplaced_text_total\{why="not_json"\} 1$/m);
  assert.match(metrics, /^verbatim_unplaced_text_total\{why="not_text"\} 1$/m);
  assert.equal(relay.program.stderr.match(/transcript\.text_unplaced/g).length, 1); // logged once a session
  assert.ok(!relay.program.stderr.includes('hidden'));
});

test('typed text is kept although the provider never acknowledged it [P2][P13]', async (t) => {
  const { relay, client, line } = await conversation(t, 'silent');
  const received = new Promise((resolve) => line.socket.on('message', (data) => {
    if (JSON.parse(data).item?.content?.[0]?.text === 'Do you hear me?') resolve();
  }));
  client.send({
    type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Do you hear me?' }] },
  });
  await received;
  line.vanish();
  const transcript = await relay.transcript(client.id);
  assert.equal(transcript.close_reason, 'upstream_lost');
  assert.deepEqual(transcript.turns.map(({ role, text, status }) => [role, text, status]), [['user', 'Do you hear me?', 'interrupted']]);
  assert.deepEqual(transcript.gaps, [{ item_id: transcript.turns[0].item_id, kind: 'unacknowledged_item' }]);
  assert.equal(transcript.complete, false);
});

test('an agent that is silent because its responses fail is seen in session, metrics and log [P13]', async (t) => {
  const { relay, client, line } = await conversation(t, 'broke');
  const done = (id, status, status_details) => line.say({ type: 'response.done', response: { id, status, output: [], status_details, usage: null } });
  done('r1', 'completed', null);
  for (const id of ['r2', 'r3']) done(id, 'failed', { type: 'failed', error: { type: 'insufficient_quota', code: 'insufficient_quota', message: 'Your key sk-secret has no quota.' } });
  done('r4', 'incomplete', { type: 'incomplete', reason: 'a very strange reason' });
  await received(client, ({ response }) => response?.id === 'r4');
  const expected = { by_status: { completed: 1, failed: 2, incomplete: 1 }, last_reason: 'other', first_audio_ms: null };
  assert.deepEqual((await relay.request(`/v1/sessions/${client.id}`)).json.responses, expected); // while the session is live
  await client.close();
  await relay.transcript(client.id);
  assert.deepEqual((await relay.request(`/v1/sessions/${client.id}`)).json.responses, expected);
  const metrics = (await relay.request('/metrics')).text;
  assert.match(metrics, /^verbatim_responses_total\{status="failed",reason="insufficient_quota"\} 2$/m);
  assert.match(metrics, /^verbatim_responses_total\{status="incomplete",reason="other"\} 1$/m);
  assert.match(relay.program.stderr, /response\.failed session=\S+ reason=insufficient_quota/);
  assert.equal(relay.program.stderr.match(/response\.failed/g).length, 1);
  assert.ok(!/sk-secret|strange/.test(relay.program.stderr));
});

test('an answer that a content filter held back, and a reason in another shape, are one warning each session [P13]', async (t) => {
  const ends = {
    content_filter: { status: 'incomplete', status_details: { type: 'incomplete', reason: 'content_filter' } },
    insufficient_quota: { status: 'failed', status_details: 'insufficient_quota' },
    rate_limit_exceeded: { status: 'failed', status_details: { type: 'failed', error: 'rate_limit_exceeded' } },
    server_error: { status: 'failed', error: { code: 'server_error' } },
    other: { status: 'failed', status_details: { type: 'failed', error: 'sk-secret has no quota' } },
  };
  for (const [reason, end] of Object.entries(ends)) {
    const { relay, client, line } = await conversation(t, `ended-${reason}`);
    const done = (id, how) => line.say({ type: 'response.done', response: { id, output: [], usage: null, ...how } });
    done('r1', { status: 'incomplete', status_details: { type: 'incomplete', reason: 'max_output_tokens' } });
    done('r2', end);
    done('r3', { status: 'completed', status_details: null });
    done('r4', end);
    await received(client, ({ response }) => response?.id === 'r4');
    assert.equal((await relay.request(`/v1/sessions/${client.id}`)).json.responses.last_reason, reason);
    await client.close();
    await relay.transcript(client.id);
    assert.deepEqual(relay.program.stderr.match(/response\.failed .*/g).map((line) => line.match(/reason=.*/)[0]), [`reason=${reason} status=${end.status}`]);
    assert.ok(!relay.program.stderr.includes('sk-secret'));
    const metrics = (await relay.request('/metrics')).text;
    assert.match(metrics, new RegExp(`^verbatim_responses_total\\{status="${end.status}",reason="${reason}"\\} 2$`, 'm'));
    assert.match(metrics, /^verbatim_responses_total\{status="completed",reason=""\} 1$/m);
  }
});

test("a provider's own text about an end is in no log line [P10]", async (t) => {
  const { relay, client, line } = await conversation(t, 'talkative');
  line.say({ type: 'error', error: { type: 'server_error', code: 'Bearer sk-secret was refused', message: 'sk-secret' } });
  line.close(4003, 'user said: my number is 4711');
  assert.equal((await relay.transcript(client.id)).close_reason, 'upstream_error');
  await relay.program.logged('session.ended');
  assert.match(relay.program.stderr, /session\.ended .*close code 4003, error other/);
  assert.ok(!/sk-secret|4711/.test(relay.program.stderr));
  assert.ok(!client.frames.slice(-1)[0].includes('4711'));
});

test('a message that is too large to be read is skipped and makes the transcript incomplete [P11][P13]', async (t) => {
  const { relay, client, line } = await conversation(t, 'huge', ['upstream.message_bytes_max=64KiB']);
  line.say(added(message('u1', 'user', 'One'), null));
  line.say(added(message('a1', 'assistant', 'x'.repeat(70_000)), 'u1'));
  line.say(added(message('u2', 'user', 'Two'), 'u1'));
  await received(client, ({ item }) => item?.id === 'u2');
  await client.close();
  const { turns, gaps, complete } = await relay.transcript(client.id);
  assert.deepEqual(turns.map(({ text }) => text), ['One', 'Two']);
  assert.deepEqual(gaps, [{ item_id: '', kind: 'unplaced_text', after: 1, count: 1 }]);
  assert.equal(complete, false);
});
