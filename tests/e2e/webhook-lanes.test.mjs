// Webhooks in lanes: many sessions at once, each in order. And the deliveries, as an operator sees them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, sharedSimulator } from './support/cell.mjs';
import { Receiver, quick, targets } from './support/receiver.mjs';
import { Client, makeKey, run, startRelay } from './support/verbatim.mjs';

const simulator = sharedSimulator();
const everything = ", events=['session.started','turn.completed','session.ended']";
const patient = ['webhook.settle=0s', 'webhook.retry_min=1h', 'webhook.retry_max=1h'];

async function conversation(t, relay, user = 'ada') {
  const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user }) });
  await client.ask('What time is it?');
  await client.close();
  await relay.transcript(client.id); // its end is durable, so its messages come before the next session's
  return client.id;
}

const many = (count, what) => Promise.all(Array.from({ length: count }, (_, i) => what(i)));

/** The messages that a session's calls brought, in order; a repetition counts once. */
function received(calls, session) {
  const own = calls.filter(({ data }) => data.session_id === session);
  return own.filter(({ id }, i) => i === 0 || id !== own[i - 1].id);
}

/** Each message came, in order, and none came again after a later one. */
function assertInOrder(calls, session) {
  const own = received(calls, session);
  assert.equal(new Set(own.map(({ id }) => id)).size, own.length, `${session}: a message came again after a later one`);
  assert.deepEqual(
    own.map(({ type }) => type),
    ['session.started', ...Array(own.length - 2).fill('turn.completed'), 'session.ended'],
  );
}

const page = async (relay, query = '') => {
  const answer = await relay.request(`/v1/webhooks/deliveries${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};
const retry = (relay, id) => relay.request(`/v1/webhooks/deliveries/${id}/retry`, { method: 'POST' });
const one = async (relay, query, found = () => true) => {
  let delivery;
  await eventually(async () => (delivery = (await page(relay, query)).deliveries.find(found)), `a delivery ${query}`);
  return delivery;
};

test('sixteen calls at once, never two of one session, and each session in order [order]', async (t) => {
  const receiver = await Receiver.start(t);
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const open = new Map();
  receiver.answer = async ({ data }) => {
    const id = data.session_id;
    assert.ok(!open.get(id), `two calls of ${id} at once`);
    open.set(id, true);
    await held;
    open.set(id, false);
    return 204;
  };
  const relay = await startRelay(t, {
    simulator,
    set: ['webhook.settle=0s', targets(receiver.target(t, everything))],
  });
  const sessions = await many(24, (i) => conversation(t, relay, `user-${i}`));
  await eventually(() => receiver.open === 16, 'sixteen calls at once');
  release();
  await receiver.until('session.ended', sessions.length);
  assert.equal(receiver.openMost, 16);
  for (const id of sessions) assertInOrder(receiver.calls, id);
});

test('webhook.lanes = 1 is one call at a time', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = () => new Promise((resolve) => setImmediate(resolve, 204));
  const relay = await startRelay(t, {
    simulator,
    set: ['webhook.settle=0s', 'webhook.lanes=1', targets(receiver.target(t))],
  });
  await many(4, () => conversation(t, relay));
  await receiver.until('session.ended', 4);
  assert.equal(receiver.openMost, 1);
});

test('a session that waits for its next try holds up no other', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = ({ data }) => (data.user === 'poison' ? [422, {}, 'no such user'] : 204);
  const relay = await startRelay(t, {
    simulator,
    set: [...patient, 'webhook.lanes=1', targets(receiver.target(t))],
  });
  const poison = await conversation(t, relay, 'poison');
  await eventually(() => receiver.calls.length === 1, 'the first try');
  const good = await many(5, () => conversation(t, relay, 'ada'));
  await receiver.until('session.ended', 5);
  for (const id of good) assertInOrder(receiver.calls, id);
  assert.equal(received(receiver.calls, poison).length, 1, 'its later messages wait for the first');
  const first = await one(relay, `?session=${poison}&state=waiting`, ({ type }) => type === 'session.started');
  assert.deepEqual(
    [first.tries, first.last_error, first.attempts[0].status, first.attempts[0].answer],
    [1, 'status 422', 422, 'no such user'],
  );
});

test('a message that is refused for good dies after a few tries, and its session goes on', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = ({ type }) => (type === 'session.started' ? 404 : 204);
  const relay = await startRelay(t, { simulator, set: [...quick, targets(receiver.target(t))] });
  const id = await conversation(t, relay);
  await receiver.until('session.ended');
  assert.equal(receiver.of('session.started').length, 3);
  const dead = await one(relay, `?session=${id}&state=dead`);
  assert.deepEqual([dead.type, dead.tries, dead.attempts.length], ['session.started', 3, 3]);
  assert.deepEqual(new Set(dead.attempts.map(({ status }) => status)), new Set([404]));
});

for (const status of [408, 425, 429, 500]) {
  test(`a message that is answered by ${status} does not die early`, async (t) => {
    const receiver = await Receiver.start(t);
    receiver.answer = () => (receiver.calls.length <= 5 ? status : 204);
    const relay = await startRelay(t, {
      simulator,
      set: [...quick, 'webhook.refused_tries_max=1', targets(receiver.target(t))],
    });
    await conversation(t, relay);
    await receiver.until('session.ended');
    assert.equal(receiver.of('session.started').length, 6);
  });
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toUTCString();
for (const [form, value, most, seconds] of [
  ['seconds', () => '3600', '6h', 3600],
  ['a date', inAnHour, '6h', 3600],
  ['more than is followed', () => '86400', '30m', 1800],
]) {
  test(`Retry-After as ${form} holds back its own session alone`, async (t) => {
    const receiver = await Receiver.start(t);
    receiver.answer = ({ data }) => (data.user === 'busy' ? [429, { 'retry-after': value() }] : 204);
    const relay = await startRelay(t, {
      simulator,
      set: [...quick, `webhook.retry_after_max=${most}`, targets(receiver.target(t))],
    });
    const busy = await conversation(t, relay, 'busy');
    await eventually(() => receiver.calls.length === 1, 'the first try');
    await many(3, () => conversation(t, relay, 'ada'));
    await receiver.until('session.ended', 3);
    assert.equal(received(receiver.calls, busy).length, 1);
    const waiting = await one(relay, `?session=${busy}&state=waiting`, ({ tries }) => tries === 1);
    const pause = (Date.parse(waiting.next_try_at) - Date.parse(waiting.attempts[0].at)) / 1000;
    assert.ok(pause > seconds - 2 && pause < seconds + 60, `${pause} s`);
    receiver.answer = () => 204;
    assert.equal((await retry(relay, waiting.id)).status, 200);
    await receiver.until('session.ended', 4);
    assertInOrder(receiver.calls, busy);
  });
}

test('kills among many calls: every session gets all its messages, in order [P1][order]', async (t) => {
  const receiver = await Receiver.start(t);
  const key = makeKey();
  const set = [...quick, 'webhook.lanes=4', targets(receiver.target(t, everything))];
  let relay = await startRelay(t, { simulator, key, set });
  receiver.answer = () => undefined; // taken, but the answer never comes
  const sessions = await many(6, () => conversation(t, relay));
  await eventually(() => receiver.open === 4, 'four calls');
  for (const kept of [1, 4, 9]) {
    await relay.program.stop('SIGKILL');
    let left = kept; // answers until the next kill
    receiver.answer = () => (left-- > 0 ? 204 : undefined);
    relay = await startRelay(t, { simulator, key, set, dataDir: relay.dataDir });
    await eventually(() => left < 0, 'a call without an answer');
  }
  receiver.answer = () => 204;
  await eventually(async () => (await page(relay, '?state=waiting')).deliveries.length === 0, 'an empty outbox');
  for (const id of sessions) {
    assertInOrder(receiver.calls, id);
    assert.equal(received(receiver.calls, id).length, 4, 'started, two turns, ended');
  }
});

test('deliveries are listed page by page, with their tries', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = ({ type }) => (type === 'session.started' ? 204 : [500, {}, 'x'.repeat(5000)]);
  const relay = await startRelay(t, {
    simulator,
    set: [...patient, targets(receiver.target(t, ", name='crm'"))],
  });
  const [first, second] = [await conversation(t, relay), await conversation(t, relay)];
  await receiver.until('session.ended', 2);
  // The relay records a try after its answer.
  for (const id of [first, second])
    await one(relay, `?session=${id}`, ({ tries, attempts }) => tries === 1 && attempts[0].status === 500);
  const whole = await page(relay);
  assert.deepEqual(
    whole.deliveries.map((delivery) => [delivery.session_id, delivery.type, delivery.state]),
    [second, first].flatMap((id) => [
      [id, 'session.ended', 'waiting'],
      [id, 'session.started', 'delivered'],
    ]),
  );
  const pages = [];
  let query = '?limit=1';
  for (let next; next !== null; query = `?limit=1&cursor=${next}`) {
    const part = await page(relay, query);
    pages.push(...part.deliveries);
    next = part.next_cursor;
  }
  assert.deepEqual(pages, whole.deliveries);
  const [ended] = whole.deliveries;
  const [attempt] = ended.attempts;
  assert.equal(attempt.answer, 'x'.repeat(1024));
  assert.ok(Number.isInteger(attempt.latency_ms) && Date.parse(attempt.at) > 0);
  assert.ok(Date.parse(ended.next_try_at) > Date.parse(attempt.at));
  assert.equal((await page(relay, `?state=delivered&target=crm&session=${first}`)).deliveries.length, 1);
  assert.equal((await page(relay, '?target=other')).deliveries.length, 0);
  for (const wrong of ['state=lost', 'limit=0', 'limit=501', 'cursor=5', 'cursor=x.1', 'sort=age'])
    assert.equal((await relay.request(`/v1/webhooks/deliveries?${wrong}`)).status, 400, wrong);
});

test('only back ends see deliveries and send them again [P10]', async (t) => {
  const receiver = await Receiver.start(t);
  const relay = await startRelay(t, { simulator, set: [...quick, targets(receiver.target(t))] });
  await conversation(t, relay);
  await receiver.until('session.ended');
  const [{ id }] = (await page(relay)).deliveries;
  const token = await relay.mint({ user: 'ada' });
  for (const [key, status] of [[token, 403], [null, 401]]) {
    assert.equal((await relay.request('/v1/webhooks/deliveries', { key })).status, status);
    assert.equal((await relay.request(`/v1/webhooks/deliveries/${id}/retry`, { key, method: 'POST' })).status, status);
  }
});

test('a dead letter is sent again on demand; a delivered or unknown message is not', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = () => 410;
  const relay = await startRelay(t, {
    simulator,
    set: [...quick, 'webhook.retry_min=1h', 'webhook.retry_max=1h', targets(receiver.target(t))],
  });
  const id = await conversation(t, relay);
  await receiver.until('session.ended');
  const dead = await one(relay, `?session=${id}&state=dead`, ({ type }) => type === 'session.ended');
  receiver.answer = () => 500;
  const again = await retry(relay, dead.id);
  assert.deepEqual([again.status, again.json.state, again.json.tries, again.json.id], [200, 'waiting', 0, dead.id]);
  await receiver.until('session.ended', 2);
  await one(relay, `?session=${id}`, ({ tries, state, attempts }) => tries === 1 && state === 'waiting' && attempts.length === 2);
  receiver.answer = () => 204;
  assert.equal((await retry(relay, dead.id)).status, 200);
  await receiver.until('session.ended', 3);
  await one(relay, `?session=${id}&state=delivered`);
  const refused = await retry(relay, dead.id);
  assert.deepEqual([refused.status, refused.json.title], [409, 'already delivered']);
  assert.equal((await retry(relay, 'dlv_0_0')).status, 404);
  const gone = await one(relay, `?session=${id}&state=dead`);
  await relay.program.stop('SIGTERM');
  const next = await startRelay(t, { simulator, key: relay.keyPair, dataDir: relay.dataDir });
  const unconfigured = await retry(next, gone.id);
  assert.deepEqual([unconfigured.status, unconfigured.json.title], [409, 'target not configured']);
});

test('the command line lists deliveries and sends them again, beside a running server', async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = ({ type }) => (type === 'session.started' ? 204 : [410, {}, 'no more\u001b[2J']);
  const target = targets(receiver.target(t, ", name='crm'"));
  const relay = await startRelay(t, { simulator, set: [...quick, target] });
  const id = await conversation(t, relay);
  const cli = (...words) => run(['webhooks', ...words, '--set', `server.data_dir=${relay.dataDir}`, '--set', target]);
  const dead = await one(relay, `?session=${id}&state=dead`);
  const listed = JSON.parse((await cli('deliveries', '--state', 'dead', '--json')).stdout);
  assert.deepEqual(listed, await page(relay, '?state=dead'));
  const first = JSON.parse((await cli('deliveries', '--session', id, '--limit', '1', '--json')).stdout);
  const second = JSON.parse((await cli('deliveries', '--limit', '1', '--cursor', first.next_cursor, '--json')).stdout);
  assert.deepEqual([...first.deliveries, ...second.deliveries].map(({ state }) => state), ['dead', 'delivered']);
  const text = (await cli('deliveries', '--target', 'crm')).stdout;
  assert.match(text, new RegExp(`^${dead.id} .*session\\.ended .*dead .*tries=1\\n +\\S+ +\\d+ ms +"status 410" +"no more`, 'm'));
  assert.ok(!text.includes('\u001b'), 'a receiver cannot write to the terminal');

  receiver.answer = () => 204;
  const again = await cli('retry', dead.id, '--json');
  assert.deepEqual([again.code, JSON.parse(again.stdout).state], [0, 'waiting']);
  await receiver.until('session.ended', 2);
  await one(relay, `?session=${id}&state=delivered`, ({ type }) => type === 'session.ended');
  assert.equal((await cli('retry', dead.id)).code, 1);
  assert.equal((await cli('retry', 'dlv_0_0')).code, 3);
  assert.equal((await cli('deliveries', '--state', 'lost')).code, 2);
  assert.equal((await cli('deliveries', '--cursor', 'x')).code, 3);
});

test('a receiver that ends a kept connection without an answer gets the message again as another, counted try', async (t) => {
  const receiver = await Receiver.start(t);
  const relay = await startRelay(t, { simulator, set: [...quick, targets(receiver.target(t, everything))] });
  const connections = new Map();
  receiver.server.on('request', (request) => connections.set(request.socket, (connections.get(request.socket) ?? 0) + 1));
  let cut = 0;
  receiver.answer = ({ type }) => (response) => {
    if (type !== 'session.ended' || connections.get(response.socket) === 1) return response.writeHead(204).end();
    ++cut;
    response.socket.destroy();
  };
  const id = await conversation(t, relay);
  const ended = await one(relay, `?session=${id}&state=delivered`, ({ type }) => type === 'session.ended');
  assert.equal(cut, 1, 'a kept connection was ended');
  assert.equal(ended.attempts.length, receiver.of('session.ended').length, 'each request is a try');
});
