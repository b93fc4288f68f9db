// Sessions followed live by Server-Sent Events: they show durable text, continue after a break, and do not slow
// down anything else.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import tls from 'node:tls';
import { test } from 'node:test';
import { Cell, eventually, sharedSimulator } from './support/cell.mjs';
import { Watcher } from './support/events.mjs';
import { Client, makeKey, startRelay, within } from './support/verbatim.mjs';

const simulator = sharedSimulator();

const metric = async (relay, name) => {
  const { text } = await relay.request('/metrics');
  return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\d+)`, 'm').exec(text)?.[1]);
};

const transcript = async (relay, id) => (await relay.request(`/v1/sessions/${id}/transcript`)).json;

const post = (relay, id, turns, writer = 'agent') =>
  relay.request(`/v1/sessions/${id}/transcript`, { method: 'POST', body: { writer, turns } });

test('turns are seen as they are spoken, then the end with its receipt, and the stream ends', async (t) => {
  const relay = await startRelay(t, { simulator });
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  const token = await relay.mint({ user: 'ada', session_id: json.id });
  const early = await Watcher.open(t, relay, json.id, { key: token }); // no attempt has begun
  assert.match(early.answer.headers['content-type'], /^text\/event-stream/);
  assert.equal((await early.session('created')).data.turns, 0);
  const client = await Client.connectWithId(t, relay, { token });
  await early.session('live');
  await client.ask('Who is watching?');
  await early.text('Who is watching?');
  const late = await Watcher.open(t, relay, json.id);
  await late.until(({ turns }) => turns[1]?.status === 'completed', 'the answer');
  assert.equal(late.events[0].event, 'session');
  await client.close();
  const final = await relay.transcript(json.id);
  for (const watcher of [early, late]) {
    const { data, id } = await watcher.session('final');
    assert.equal(id, '1.final.0');
    assert.equal(data.close_reason, final.close_reason);
    assert.deepEqual(data.receipt, final.receipt);
    await within(watcher.over, 'the end of the stream');
    assert.ok(watcher.answer.complete, 'it was cut');
    assert.deepEqual(watcher.turns, final.turns);
    assert.equal(watcher.events.at(-1).data.status, 'final');
  }
});

test('only durable text is shown, and a broken connection continues where it was [P1]', async (t) => {
  const cell = await Cell.start(t, simulator);
  const { client, provider } = await cell.wired();
  provider.says('item_1', 'It was ');
  provider.says('item_2', 'And ');
  const first = await Watcher.open(t, cell.relay, client.id);
  await first.text('It was ');
  await first.text('And ');
  const { lastEventId } = first;
  first.close();
  provider.says('item_2', 'then', 1);
  await client.until(() => client.messages.some((m) => m.includes('"then"')), 'the words at the client');
  const second = await Watcher.open(t, cell.relay, client.id, { lastEventId });
  await second.text('And then');
  assert.deepEqual(second.turns.filter(Boolean).map(({ text }) => text), ['And then']);
  client.reset();
  await second.session('final');
  // A subscriber that missed the end gets all of it; one that has seen it gets 204, so that it does not return.
  const third = await Watcher.open(t, cell.relay, client.id, { lastEventId });
  await third.session('final');
  assert.deepEqual(third.turns, (await transcript(cell.relay, client.id)).turns);
  const fourth = await Watcher.open(t, cell.relay, client.id, { lastEventId: third.lastEventId });
  assert.deepEqual([fourth.status, fourth.text], [204, '']);
  await cell.end();
});

test('copies posted after the end reach later subscribers, as the changes that they made [P3]', async (t) => {
  const relay = await startRelay(t, { simulator });
  const client = await Client.connectWithId(t, relay);
  await client.ask('One?');
  const live = await Watcher.open(t, relay, client.id);
  await live.text('One?');
  await post(relay, client.id, [{ role: 'assistant', text: 'Posted while it runs.', ordinal: 9 }]);
  await live.text('Posted while it runs.');
  await client.close();
  await live.session('final');
  await within(live.over, 'the end of the stream');
  await post(relay, client.id, [{ role: 'user', text: 'Posted after the end.', ordinal: 10 }], 'client');
  const later = await Watcher.open(t, relay, client.id, { lastEventId: live.lastEventId });
  await later.session('final');
  assert.deepEqual(later.events.map(({ data }) => data.text ?? data.status), ['Posted after the end.', 'final']);
  const anew = await Watcher.open(t, relay, client.id);
  const { data } = await anew.session('final');
  const { turns, receipt } = await transcript(relay, client.id);
  assert.deepEqual(anew.turns, turns);
  assert.deepEqual(data.receipt, receipt);
});

test('a session that only writers fill is watched, and so is the attempt that follows', async (t) => {
  const relay = await startRelay(t, { simulator });
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  const watcher = await Watcher.open(t, relay, json.id);
  await watcher.session('created');
  await post(relay, json.id, [{ role: 'user', text: 'By hand.', ordinal: 1 }]);
  await watcher.text('By hand.');
  let lastEventId;
  for (const attempt of [1, 2]) {
    const token = await relay.mint({ user: 'ada', session_id: json.id });
    const client = await Client.connectWithId(t, relay, { token });
    if (attempt === 1) {
      await watcher.session('live');
      ({ lastEventId } = watcher);
    } else {
      const next = await Watcher.open(t, relay, json.id, { lastEventId });
      await next.until(({ events }) => events.some(({ data }) => data.status === 'live'), 'the second');
      const states = next.events.filter(({ event }) => event === 'session').map(({ data }) => [data.attempt, data.status]);
      assert.deepEqual(states, [[1, 'final'], [2, 'live']]);
      const pinned = await Watcher.open(t, relay, json.id, { query: '?attempt=1' });
      assert.equal((await pinned.session('final')).data.attempt, 1);
      assert.equal((await Watcher.open(t, relay, json.id, { query: '?attempt=3' })).status, 404);
    }
    await client.close();
    await relay.transcript(json.id);
  }
});

/** A turn behind another. */
function adds(provider, item, previous, words) {
  provider.send({
    type: 'conversation.item.added', event_id: `event_${item}`, previous_item_id: previous,
    item: { id: item, type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: words }] },
  });
}

test('many follow one session; one that reads nothing is disconnected and harms no other [P11]', async (t) => {
  const cell = await Cell.start(t, simulator, {
    set: ['events.write_timeout=500ms', 'events.interval=5ms'],
  });
  const { client, provider } = await cell.wired();
  provider.says('item_0', 'Begin.');
  const watchers = await Promise.all(
    Array.from({ length: 8 }, () => Watcher.open(t, cell.relay, client.id)));
  // A subscriber that never reads: its socket fills up.
  const { hostname, port } = new URL(cell.relay.url);
  const stuck = tls.connect({ host: hostname, port, rejectUnauthorized: false, highWaterMark: 1024 });
  t.after(() => stuck.destroy());
  await once(stuck, 'secureConnect');
  stuck.on('error', () => {});
  stuck.pause();
  stuck.write(`GET /v1/sessions/${client.id}/events HTTP/1.1\r\nHost: localhost\r\n` +
    `Authorization: Bearer ${cell.relay.key}\r\n\r\n`);
  await eventually(async () => (await metric(cell.relay, 'verbatim_watchers')) === 9, 'all of them');
  const name = 'verbatim_watchers_shut_out_total{why="slow"}';
  for (const watcher of watchers) await watcher.text('Begin.');
  for (const watcher of watchers.splice(2)) watcher.close();
  const words = 'x'.repeat(500_000);
  let n = 0;
  await cell.meanwhile((async () => {
    while ((await metric(cell.relay, name)) === 0) {
      adds(provider, `item_${++n}`, `item_${n - 1}`, words);
      await watchers[0].until(({ turns }) => turns[n]?.text === words, `turn ${n}`);
    }
  })(), 'the slow watcher to be cut off');
  adds(provider, 'item_last', `item_${n}`, 'Done.');
  for (const watcher of watchers) await watcher.text('Done.');
  assert.equal(await metric(cell.relay, 'verbatim_watchers'), 2);
  client.reset();
  for (const watcher of watchers) await watcher.session('final');
  await cell.end();
  assert.equal(await metric(cell.relay, 'verbatim_watchers'), 0);
});

test('subscribers beyond the limits are asked to come later; one that leaves makes room [P11]', async (t) => {
  const relay = await startRelay(t, {
    simulator, set: ['events.watchers_max=3', 'events.watchers_per_session_max=2'],
  });
  const ids = [];
  for (let i = 0; i < 3; ++i)
    ids.push((await relay.request('/v1/sessions', { method: 'POST', body: {} })).json.id);
  const first = await Watcher.open(t, relay, ids[0]);
  await Watcher.open(t, relay, ids[0]);
  const refused = async (id, status) => {
    const answer = await Watcher.open(t, relay, id);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.answer.headers['content-type'], /problem\+json/);
    assert.ok(Number(answer.answer.headers['retry-after']) > 0);
  };
  await refused(ids[0], 429);
  await Watcher.open(t, relay, ids[1]);
  await refused(ids[2], 503);
  first.close();
  await eventually(async () => (await metric(relay, 'verbatim_watchers')) === 2, 'its place');
  assert.equal((await Watcher.open(t, relay, ids[2])).status, 200);
  assert.equal(await metric(relay, 'verbatim_watchers_shut_out_total{why="limit"}'), 2);
});

test('a silent stream beats, and ends after its longest time so that it is requested again', async (t) => {
  const relay = await startRelay(t, {
    simulator, set: ['events.heartbeat=100ms', 'events.connection_max=1s'],
  });
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: {} });
  const watcher = await Watcher.open(t, relay, json.id);
  await watcher.until(({ comments }) => comments > 2, 'heartbeats');
  await within(watcher.over, 'the end of the connection');
  assert.ok(watcher.answer.complete);
  const again = await Watcher.open(t, relay, json.id, { lastEventId: watcher.lastEventId });
  await again.session('created');
});

test('a stop shows the watchers how it ended, lets them go, and does not wait for them [P2]', async (t) => {
  const relay = await startRelay(t, { simulator, set: ['server.shutdown_grace=10s'] });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Is it over?');
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: {} });
  const watcher = await Watcher.open(t, relay, client.id);
  await watcher.text('Is it over?');
  const idle = await Watcher.open(t, relay, json.id);
  await idle.session('created');
  const stopped = relay.program.stop('SIGTERM');
  const { data } = await watcher.session('final');
  assert.equal(data.close_reason, 'server_shutdown');
  for (const one of [watcher, idle]) {
    await within(one.over, 'the end of the stream');
    assert.ok(one.answer.complete, 'it was cut');
  }
  assert.equal((await stopped).code, 0);
  // The next process continues at the mark of this one.
  const next = await startRelay(t, { simulator, dataDir: relay.dataDir, key: makeKey() });
  const resumed = await Watcher.open(t, next, client.id, { lastEventId: watcher.lastEventId });
  assert.equal(resumed.status, 204);
});

test('a kill in mid-sentence: the watcher of the next process sees the recovered end [P7]', async (t) => {
  const relay = await startRelay(t, { simulator });
  const client = await Client.connectWithId(t, relay);
  await client.ask('What was that?');
  const watcher = await Watcher.open(t, relay, client.id);
  await watcher.text('What was that?');
  const seen = watcher.turns.filter(Boolean);
  await relay.program.stop('SIGKILL');
  const next = await startRelay(t, { simulator, dataDir: relay.dataDir, key: makeKey() });
  const after = await Watcher.open(t, next, client.id, { lastEventId: watcher.lastEventId });
  assert.equal((await after.session('final')).data.close_reason, 'crash_recovered');
  for (const turn of seen) assert.ok(after.turns[turn.ordinal - 1].text.startsWith(turn.text));
});

test('a watched session that is erased ends the stream, and is not there afterwards [P10]', async (t) => {
  const relay = await startRelay(t, { simulator });
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: {} });
  const watcher = await Watcher.open(t, relay, json.id);
  await watcher.session('created');
  assert.equal((await relay.request(`/v1/sessions/${json.id}`, { method: 'DELETE' })).status, 204);
  await within(watcher.over, 'the end of the stream');
  assert.equal((await Watcher.open(t, relay, json.id)).status, 404);
});

test("a token can follow only its own session, and no session can be followed without one [P10]", async (t) => {
  const relay = await startRelay(t, { simulator });
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  const foreign = await relay.mint({ user: 'eve' });
  for (const [key, id, status] of [
    [foreign, json.id, 404], [relay.key, 'none', 404], [null, json.id, 401],
    [await relay.mint({ user: 'ada', session_id: json.id }), json.id, 200],
  ]) assert.equal((await Watcher.open(t, relay, id, { key })).status, status);
  assert.equal((await relay.request(`/v1/sessions/${json.id}/events?attempt=x`)).status, 400);
});

test('fetch reads it, and so does curl, over HTTP/1.1 and 1.0', async (t) => {
  const relay = await startRelay(t, { simulator, set: ['tls.enabled=false'] });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Can everybody read this?');
  const url = `${relay.url}/v1/sessions/${client.id}/events`;
  const headers = { authorization: `Bearer ${relay.key}` };
  const answer = await within(fetch(url, { headers }), 'fetch');
  await client.close();
  let text = '';
  const read = (async () => {
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) text += piece;
  })();
  await within(read, 'the end of the stream');
  assert.match(text, /event: session\nid: 1\.final\.0\ndata: .*"status":"final"/);
  for (const version of ['--http1.1', '--http1.0']) {
    const curl = promisify(execFile)('curl', ['-sS', '-N', version, '-H', `Authorization: Bearer ${relay.key}`, url]);
    const { stdout } = await within(curl, 'curl');
    assert.match(stdout, /^retry: 1000\n\nevent: turn\n/);
    assert.match(stdout, /"status":"final","tool_calls":0,"turns":2}\n\n$/);
  }
  const head = await relay.request(`/v1/sessions/${client.id}/events`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.text], [200, '']);
});
