// Posts to a transcript that are refused: by their form, by the key, or by a limit.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { created, line, lines, post, read, texts } from './support/posts.mjs';
import { request, startRelay } from './support/verbatim.mjs';

test('an invalid post is refused with the place of the error, and changes nothing', async (t) => {
  const relay = await startRelay(t, { set: ['posts.turns_max=3', 'posts.turn_bytes_max=1KiB'] });
  const id = await created(relay);
  const cases = [
    ['{"turns":[', 400, /byte/],
    [{ writer: 'agent' }, 400, /turns/],
    [{ turns: 7 }, 400, /turns/],
    [{ role: 'dog', text: 'wow' }, 400, /role/],
    [{ writer: 'relay', turns: [line(1)] }, 400, /writer/],
    [{ turns: lines(1, 4) }, 413, /posts\.turns_max/],
    [{ role: 'user', text: 'x'.repeat(1025) }, 413, /posts\.turn_bytes_max/],
  ];
  for (const [body, status, detail] of cases) {
    const answer = await post(relay, id, body);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.type, /problem\+json/);
    assert.match(answer.json.detail, detail);
  }
  assert.equal((await relay.request(`/v1/sessions/${id}`)).json.turns, 0);
  assert.equal((await post(relay, 'nobody', { turns: [line(1)] })).status, 404);
});

test("the sum of an attempt's copies is bounded: nothing beyond it is kept [P3][P11]", async (t) => {
  const relay = await startRelay(t, {
    set: ['posts.attempt_turns_max=30', 'posts.attempt_bytes_max=8KiB', 'posts.copies_max=3'],
  });
  const refused = async (id, body, why) => {
    const answer = await post(relay, id, body);
    assert.equal(answer.status, 413, answer.text);
    assert.match(answer.json.detail, why);
  };
  const turns = await created(relay);
  assert.equal((await post(relay, turns, { writer: 'agent', turns: lines(1, 20) })).status, 200);
  await refused(turns, { writer: 'client', turns: lines(11, 21) }, /posts\.attempt_turns_max/);
  assert.deepEqual(texts(await read(relay, turns)), texts({ turns: lines(1, 20) }));
  assert.equal((await post(relay, turns, { writer: 'client', turns: lines(11, 20) })).status, 200);
  assert.equal((await post(relay, turns, { writer: 'agent', turns: lines(1, 20) })).status, 200);
  const bytes = await created(relay);
  const long = { role: 'user', text: 'x'.repeat(5000) };
  assert.equal((await post(relay, bytes, { writer: 'agent', turns: [long] })).status, 200);
  await refused(bytes, { writer: 'client', turns: [long] }, /posts\.attempt_bytes_max/);
  const copies = await created(relay);
  for (const i of [1, 2, 3])
    assert.equal((await post(relay, copies, { writer: 'agent', turns: [line(i)] })).status, 200);
  await refused(copies, { writer: 'agent', turns: [line(4)] }, /posts\.copies_max/);
  assert.equal((await read(relay, copies)).turns.length, 3);
});

test('too many posts in a minute are asked to wait [P11]', async (t) => {
  const relay = await startRelay(t, { set: ['posts.per_minute=3'] });
  const id = await created(relay);
  for (let i = 0; i < 3; ++i)
    assert.equal((await post(relay, id, { turns: [line(1)] })).status, 200);
  const refused = await post(relay, id, { turns: [line(1)] });
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers['retry-after']) > 0);
});

/** Sends the head alone, so the answer came before any body. */
function answerToHead(relay, head) {
  const { hostname, port } = new URL(relay.url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(port, hostname, () => socket.write(head));
    socket.on('data', (data) => (answer += data));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

test("a body of 25 MB is refused before it is read, and a stranger's body of any size [P11]", async (t) => {
  const relay = await startRelay(t, { set: ['tls.enabled=false'] });
  const id = await created(relay);
  const head = (length, more = '') =>
    `POST /v1/sessions/${id}/transcript HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n${more}\r\n`;
  const known = `Authorization: Bearer ${relay.key}\r\n`;
  assert.match(await answerToHead(relay, head(25_000_000, known)), /^HTTP\/1.1 413 /);
  assert.match(await answerToHead(relay, head(1000)), /^HTTP\/1.1 401 /);
});

test('a token posts to its own session alone, and as the client', async (t) => {
  const relay = await startRelay(t);
  const mine = await created(relay, { session_id: 'mine', user: 'ada' });
  const other = await created(relay, { session_id: 'other', user: 'grace' });
  const token = await relay.mint({ user: 'ada', session_id: mine });
  const as = (id, body) => post(relay, id, body, { key: token });
  assert.equal((await as(mine, { turns: [line(1)] })).status, 200);
  assert.equal((await as(other, { turns: [line(1)] })).status, 404);
  assert.equal((await as(mine, { writer: 'agent', turns: [line(1)] })).status, 403);
  for (const [method, path] of [
    ['GET', `/v1/sessions/${other}`],
    ['GET', `/v1/sessions/${other}/transcript`],
    ['POST', `/v1/sessions/${other}/transcript`],
    ['POST', `/api/sessions/${other}/transcript`],
  ]) {
    const answer = await relay.request(path, {
      method,
      key: token,
      ...(method === 'POST' ? { body: line(1) } : {}),
    });
    assert.equal(answer.status, 404, path);
  }
});

test('under /api/ every refusal has the envelope, also those that are made before a body is read', async (t) => {
  const relay = await startRelay(t, { set: ['tls.enabled=false', 'posts.per_minute=1'] });
  const id = await created(relay);
  const path = `/api/sessions/${id}/transcript`;
  const refused = async (status, where, options) => {
    const answer = await relay.request(where, options);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.type, /^application\/json/);
    assert.equal(answer.json.ok, false);
    assert.deepEqual(Object.keys(answer.json.error).sort(), ['message', 'type']);
    return answer;
  };
  await refused(404, '/api/none');
  const other = await refused(405, path, { method: 'PUT', body: {} });
  assert.equal(other.headers.allow, 'POST, OPTIONS');
  await refused(401, path, { method: 'POST', key: undefined, body: line(1) });
  await refused(400, path, { method: 'POST', body: { role: 'dog', content: 'wow' } });
  const late = await refused(429, path, { method: 'POST', body: line(1) });
  assert.ok(Number(late.headers['retry-after']) > 0);
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${relay.key}\r\n`;
  const large = await answerToHead(relay, `${head}Content-Length: 25000000\r\n\r\n`);
  assert.match(large, /^HTTP\/1.1 413 /);
  assert.match(large, /"ok":false/);
});

test("one client token's posts are limited in turns and bytes, independent of the back end's posts [P3][bounds]", async (t) => {
  const relay = await startRelay(t, {
    set: ['posts.client_turns_max=100', 'posts.client_bytes_max=64KiB'],
  });
  const id = await created(relay, { session_id: 'much', user: 'ada' });
  const token = await relay.mint({ user: 'ada', session_id: id });
  const other = await relay.mint({ user: 'ada', session_id: id });
  const turns = (from, count, size = 1) =>
    Array.from({ length: count }, (_, i) => ({ role: 'user', text: `Line ${from + i} ${'x'.repeat(size)}` }));
  const postAs = (key, body) => request(`${relay.url}/v1/sessions/${id}/transcript`, { method: 'POST', key, body });

  assert.equal((await postAs(token, { turns: turns(0, 60) })).status, 200);
  const tooMany = await postAs(token, { turns: turns(1000, 41) });
  assert.equal(tooMany.status, 413);
  assert.match(tooMany.json.detail, /posts\.client_turns_max/);
  // Identical copies are still accepted, any number of times; refused copies did not count.
  for (let i = 0; i < 3; i += 1) {
    const again = await postAs(token, { turns: turns(0, 60) });
    assert.deepEqual([again.status, again.json.added], [200, 0]);
  }
  assert.equal((await postAs(token, { turns: turns(2000, 40) })).status, 200);
  assert.equal((await postAs(token, { turns: turns(3000, 1) })).status, 413);
  // At the same time: no two posts may take the same remaining space.
  const rush = await Promise.all(Array.from({ length: 20 }, (_, i) => postAs(other, { turns: turns(4000 + 10 * i, 10) })));
  assert.equal(rush.filter(({ status }) => status === 200).length, 10);
  const third = await relay.mint({ user: 'ada', session_id: id });
  assert.equal((await postAs(third, { turns: turns(5000, 2, 30000) })).status, 200);
  assert.equal((await postAs(third, { turns: turns(6000, 1, 30000) })).status, 413);
  const fromBackEnd = await post(relay, id, { writer: 'agent', turns: turns(7000, 200) });
  assert.equal(fromBackEnd.status, 200);
  assert.equal((await read(relay, id)).turns.length >= 300, true);
});

test('client tokens cannot use up what their back end may post to the same session [P3][P11]', async (t) => {
  const relay = await startRelay(t, {
    set: ['posts.copies_max=6', 'posts.attempt_turns_max=60', 'posts.attempt_bytes_max=16KiB', 'posts.per_minute=20'],
  });
  const said = (name, count, size = 1) =>
    Array.from({ length: count }, (_, i) => ({ role: 'user', text: `${name} ${i} ${'x'.repeat(size)}` }));
  for (const [limit, body] of [
    ['copies_max', (n) => ({ turns: said(`copy ${n}`, 1) })],
    ['attempt_turns_max', (n) => ({ turns: said(`turns ${n}`, 16) })],
    ['attempt_bytes_max', (n) => ({ turns: said(`bytes ${n}`, 1, 5000) })],
  ]) {
    const id = await created(relay, { user: 'ada' });
    // Another token does not get another share.
    let refused = null;
    for (let n = 0; n < 10 && !refused; ++n) {
      const token = await relay.mint({ user: 'ada', session_id: id });
      const answer = await request(`${relay.url}/v1/sessions/${id}/transcript`, { method: 'POST', key: token, body: body(n) });
      if (answer.status !== 200) refused = answer;
    }
    assert.equal(refused?.status, 413, limit);
    assert.match(refused.json.detail, new RegExp(`posts\\.${limit}.*client tokens`));
    const answer = await post(relay, id, { writer: 'agent', ...body(100) });
    assert.equal(answer.status, 200, answer.text);
    assert.ok((await read(relay, id)).writers.includes('agent'), limit);
  }
});

test("a client's many posts in a minute leave the back end its own [P11]", async (t) => {
  const relay = await startRelay(t, { set: ['posts.per_minute=6'] });
  const id = await created(relay, { user: 'ada' });
  const token = await relay.mint({ user: 'ada', session_id: id });
  const postAs = (key) => request(`${relay.url}/v1/sessions/${id}/transcript`, { method: 'POST', key, body: { turns: [line(1)] } });
  const statuses = [];
  for (let n = 0; n < 10; ++n) statuses.push((await postAs(token)).status);
  assert.deepEqual(statuses, [200, 200, 200, 429, 429, 429, 429, 429, 429, 429]);
  for (let n = 0; n < 6; ++n) assert.equal((await post(relay, id, { turns: [line(2)] })).status, 200);
  assert.equal((await post(relay, id, { turns: [line(2)] })).status, 429);
});
