// Shares of common resources: no address, user or session can take what all need.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { announcedFrom, announcement, portOf } from './support/announced.mjs';
import { within } from './support/process.mjs';
import { eventually } from './support/cell.mjs';
import { Client, refusal, startRelay, startSimulator } from './support/verbatim.mjs';

const start = async (t, set = []) =>
  startRelay(t, { simulator: await startSimulator(t), set: ['tls.enabled=false', ...set] });

async function metric(relay, line) {
  const { text } = await relay.request('/metrics');
  return Number(text.split('\n').find((one) => one.startsWith(`${line} `))?.slice(line.length + 1));
}

/** A connection that says this much and no more; `ended` as soon as the relay closes it. */
async function connection(t, relay, words = '') {
  const socket = net.connect(portOf(relay), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  const held = { socket, text: '', closed: false };
  socket.on('data', (data) => (held.text += data));
  held.ended = new Promise((resolve) => socket.on('close', resolve)).then(() => (held.closed = true));
  await new Promise((resolve) => socket.once('connect', resolve));
  if (words) socket.write(words);
  return held;
}

test('silent connections make room for those that speak [P11]', async (t) => {
  const relay = await start(t, ['server.connections_max=6', 'server.handshake_timeout=1m']);
  const silent = [];
  for (let n = 0; n < 6; ++n) silent.push(await connection(t, relay));
  const client = await Client.connectWithId(t, relay, { token: relay.key });
  await client.ask('Is there room?');
  // Which of them began to wait first depends on their threads.
  await within(Promise.race(silent.map(({ ended }) => ended)), 'the end of one that is silent');
  assert.ok(silent.some(({ closed }) => !closed));
  // The scrape's own connection is one more idle connection that may be closed.
  await eventually(async () => (await metric(relay, 'verbatim_idle_connections_closed_total').catch(() => 0)) >= 1, 'it is counted');
  assert.match(relay.program.stderr, /connections\.closed_idle/);
  await client.close();
});

test('connections at work are not closed for new ones, which are refused and counted [P11]', async (t) => {
  const relay = await start(t, ['server.connections_max=2', 'metrics.listen=127.0.0.1:0']);
  const clients = [];
  for (let n = 0; n < 2; ++n) clients.push(await Client.connectWithId(t, relay, { token: relay.key }));
  for (let n = 0; n < 5; ++n) await within((await connection(t, relay)).ended, 'a refusal');
  assert.equal(relay.program.stderr.match(/connections\.refused/g).length, 1); // one line for all
  for (const client of clients) await client.ask('Still here?');
});

test('one address cannot have every connection, behind a proxy or not [P11]', async (t) => {
  const set = ['server.trusted_proxies=127.0.0.1', 'server.connections_per_address=2'];
  const relay = await start(t, set);
  const token = relay.key;
  const greedy = announcedFrom(relay, '203.0.113.9');
  for (let n = 0; n < 2; ++n) await Client.connectWithId(t, relay, { token, ...greedy });
  const third = await connection(t, relay, announcement('203.0.113.9'));
  await within(third.ended, 'a refusal');
  assert.equal(third.text, '');
  // A proxy that speaks HTTP names the client in each request.
  const refused = await refusal(relay, { token, headers: { 'x-forwarded-for': '203.0.113.9' } });
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  await Client.connectWithId(t, relay, { token, headers: { 'x-forwarded-for': '203.0.113.10' } });
  await Client.connectWithId(t, relay, { token, ...announcedFrom(relay, '203.0.113.11') });
  const counted = 'verbatim_connections_refused_total{why="connections_per_address"}';
  assert.equal(await metric(relay, counted), 2);
  assert.match(relay.program.stderr, /connections\.refused.*server\.connections_per_address.*203\.0\.113\.9/);
});

for (const [who, credentials] of [
  ['of one back end and its one address', async (relay) => ({ token: relay.key, ...announcedFrom(relay, '203.0.113.9') })],
  [
    'behind a declared proxy',
    async (relay, n) => ({
      token: await relay.mint({ user: `user_${n}` }),
      ...announcedFrom(relay, `198.51.${Math.floor(n / 200)}.${n % 200}`),
    }),
  ],
]) {
  test(`five hundred users ${who} are all served`, async (t) => {
    const relay = await start(t, ['server.trusted_proxies=127.0.0.1']);
    const clients = [];
    for (let from = 0; from < 500; from += 25) {
      const some = Array.from({ length: 25 }, async (_, n) =>
        Client.connect(t, relay, await credentials(relay, from + n)),
      );
      clients.push(...(await Promise.all(some)));
    }
    await Promise.all(clients.map((client) => client.event('session.created')));
    assert.equal(clients.length, 500);
    assert.ok(clients.every(({ ended }) => !ended));
    assert.doesNotMatch(relay.program.stderr, /connections\.|upgrade\.refused/);
  });
}

test("each request's header has its own time, from its first byte [P11]", async (t) => {
  const relay = await start(t, ['server.handshake_timeout=300ms', 'server.keep_alive_timeout=1h']);
  const head = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${portOf(relay)}\r\n`;
  const slow = await connection(t, relay, `${head}\r\n`);
  await new Promise((resolve) => slow.socket.once('data', resolve));
  const idle = await connection(t, relay, `${head}\r\n`);
  await new Promise((resolve) => idle.socket.once('data', resolve));
  slow.socket.write(head);
  const trickle = setInterval(() => slow.socket.write('A: b\r\n'), 50);
  t.after(() => clearInterval(trickle));
  await within(slow.ended, 'the end of a header that never ends');
  assert.ok(!idle.closed); // a silent connection may wait for longer
});

/** How many times the log has this. */
const lines = (relay, what) => relay.program.stderr.split(what).length - 1;
const leftOut = (relay, event) =>
  [...relay.program.stderr.matchAll(new RegExp(`${event} left_out=(\\d+)`, 'g'))].reduce((sum, [, n]) => sum + Number(n), 0);

test('a flood of refused upgrades writes few lines, and each is counted [P11]', async (t) => {
  const relay = await start(t, ['log.lines_per_second=5']);
  const begun = performance.now();
  const total = 400;
  for (let from = 0; from < total; from += 20)
    await Promise.all(Array.from({ length: 20 }, () => refusal(relay, { token: 'ek_forged.token' })));
  const seconds = (performance.now() - begun) / 1000;
  assert.equal(await metric(relay, 'verbatim_upgrades_refused_total'), total);
  const written = () => lines(relay, 'upgrade.refused status=401');
  await eventually(() => written() + leftOut(relay, 'upgrade.refused') === total, 'all are written or counted');
  assert.ok(written() <= 5 * (seconds + 2), `${written()} lines`);
  assert.ok(written() >= 5);
});

test('a TLS handshake that fails is counted, and its lines are few [P11]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: ['log.lines_per_second=3', 'metrics.listen=127.0.0.1:0'] });
  for (let n = 0; n < 40; ++n) await within((await connection(t, relay, 'GET / HTTP/1.1\r\n\r\n')).ended, 'its end');
  const event = 'connection.handshake_failed';
  await eventually(() => lines(relay, `${event} remote=127.0.0.1`) + leftOut(relay, event) === 40, 'all are written or counted');
  assert.ok(lines(relay, `${event} remote`) < 40);
});

/** Sends items of `bytes` bytes, one after the other, until the conversation is over. Returns the bytes that it sent. */
async function flood(client, bytes) {
  const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'x'.repeat(bytes) }] };
  let sent = 0;
  while (!client.ended && sent < 100 * 1024 * 1024) {
    client.send({ type: 'conversation.item.create', item });
    sent += bytes;
    // As fast as the relay reads it.
    await new Promise((resolve) => (client.socket.bufferedAmount > bytes ? client.socket._socket.once('drain', resolve) : setImmediate(resolve)));
    if (client.socket.readyState !== client.socket.OPEN) break;
  }
  await within(client.closed, 'the end of a conversation that floods');
  return sent;
}

for (const [what, set, limit] of [
  ['a conversation', 'limits.journal_bytes_per_minute=2MiB', 'journal_bytes'],
  ['all conversations together', 'limits.all_journal_bytes_per_minute=2MiB', 'all_journal_bytes'],
]) {
  test(`${what} has a limit of journaled bytes a minute, and a session that floods ends [P11]`, async (t) => {
    const relay = await start(t, [set]);
    const bystander = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ann' }) });
    await bystander.ask('Who is there?');
    const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'bob' }) });
    await client.event('session.created');
    await flood(client, 60_000);
    assert.equal((await client.closed).code, 1008);
    const error = client.events.find(({ type }) => type === 'error');
    assert.match(error.error.message, new RegExp(limit));
    const transcript = await relay.transcript(client.id);
    assert.equal(transcript.close_reason, 'policy');
    const kept = transcript.turns.reduce((sum, { text }) => sum + text.length, 0);
    // An item is journaled when it is requested, placed and done, and its turn is stored: at most four times.
    const limitBytes = 2 * 1024 * 1024;
    assert.ok(kept > limitBytes / 4 - 60_000 && kept < 1.5 * limitBytes, `${kept} bytes are kept`);
    await relay.program.logged('session.ended'); // counted by then; the transcript is final slightly earlier
    assert.equal(await metric(relay, `verbatim_limits_reached_total{limit="${limit}"}`), 1);
    assert.match(relay.program.stderr, new RegExp(`session\\.ended.*${limit}`));
    await bystander.ask('And who is there now?');
    await bystander.close();
  });
}

/** Sends items until it is stopped, not read any more, or over. */
function pour(client, bytes) {
  const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'x'.repeat(bytes) }] };
  const pouring = setInterval(() => {
    if (client.socket.readyState !== client.socket.OPEN) return clearInterval(pouring);
    if (client.socket.bufferedAmount < 4 * bytes) client.send({ type: 'conversation.item.create', item });
  }, 5);
  return () => clearInterval(pouring);
}

test("one user's conversations have one pace, however many they are [P11]", async (t) => {
  const perSecond = 1024 * 1024;
  const relay = await start(t, [`limits.journal_bytes_per_second=${perSecond}`]);
  const open = async (user) => {
    const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user }) });
    await client.event('session.created');
    return client;
  };
  const clients = await Promise.all(Array.from({ length: 12 }, () => open('bob')));
  const bystander = await open('ann');
  const bytes = 20_000;
  // An item is journaled at least when it is requested and when it is placed.
  const journaled = () =>
    clients.reduce((sum, { events }) => sum + 2 * bytes * events.filter(({ type }) => type === 'conversation.item.added').length, 0);
  const begun = performance.now();
  const stops = clients.map((client) => pour(client, bytes));
  for (let n = 0; n < 5; ++n) await bystander.ask(`Are you there, ${n}?`);
  await eventually(() => journaled() > 4 * perSecond, 'some seconds of it are journaled');
  const brought = journaled();
  const seconds = (performance.now() - begun) / 1000;
  stops.forEach((stop) => stop());
  // Beyond the rate: a quarter of a second's at once, and the message that each is sending.
  const most = perSecond * (seconds + 0.25) + clients.length * 4 * bytes;
  assert.ok(brought <= most, `${brought} bytes in ${seconds} s, at most ${most}`);
  assert.ok([...clients, bystander].every(({ ended }) => !ended));
});

test("a user's next conversation does not reset the minute's bound [P11]", async (t) => {
  const relay = await start(t, ['limits.journal_bytes_per_minute=2MiB']);
  const token = () => relay.mint({ user: 'bob' });
  let refused;
  // Another minute may have begun once between the flood and the next session.
  for (let n = 0; n < 2 && !refused; ++n) {
    const client = await Client.connectWithId(t, relay, { token: await token() });
    await client.event('session.created');
    await flood(client, 60_000);
    assert.equal((await client.closed).code, 1008);
    refused = await refusal(relay, { token: await token() }).catch(() => undefined);
  }
  assert.ok(refused, 'the next conversation of the user begins');
  assert.equal(refused.status, 429);
  assert.equal(refused.json.error.code, 'journal_bytes_spent');
  const seconds = Number(refused.headers['retry-after']);
  assert.ok(seconds >= 1 && seconds <= 60, `${seconds} s`);
  assert.ok((await metric(relay, 'verbatim_admissions_refused_total{limit="journal_bytes"}')) >= 1);
  const bystander = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ann' }) });
  await bystander.ask('And who is there now?');
  await bystander.close();
});
