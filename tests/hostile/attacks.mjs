// Attacks by strangers, clients and providers, one function each. They run against a scene and check the
// responses; the caller checks whether others are affected.
import assert from 'node:assert/strict';
import tls from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, refusal, request } from '../e2e/support/verbatim.mjs';
import { leaky, providersKey } from './scene.mjs';

const mib = 1024 * 1024;

/** A connection that says what it is given, and keeps what comes until the other side closes. */
async function stranger(scene, said) {
  const socket = tls.connect({ ...scene.raw(), rejectUnauthorized: false });
  let heard = '';
  socket.setEncoding('latin1').on('data', (piece) => (heard += piece));
  socket.on('error', () => {});
  scene.t.after(() => socket.destroy());
  const closed = new Promise((resolve) => socket.on('close', resolve));
  await new Promise((resolve) => socket.on('secureConnect', resolve).on('close', resolve));
  socket.write(said);
  return {
    socket,
    closed,
    get heard() {
      return heard;
    },
    get status() {
      return Number(/^HTTP\/1\.[01] (\d+)/.exec(heard)?.[1]);
    },
  };
}

const session = async (relay, user) =>
  (await relay.request('/v1/sessions', { method: 'POST', body: { user } })).json.id;

async function posts(scene) {
  const { relay } = scene;
  const id = await session(relay, 'poster');
  const token = await relay.mint({ user: 'poster', session_id: id });
  const codes = [];
  for (let post = 0; post < 7; ++post) {
    const turns = Array.from({ length: 5000 }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      text: `${post * 7919 + i * 104729} is what no one else has said, ${post} times ${i}`,
    }));
    const answer = await request(`${relay.url}/v1/sessions/${id}/transcript`, { method: 'POST', key: token, body: { turns } });
    codes.push(answer.status);
  }
  assert.equal(codes[0], 200, 'a copy within the limits is taken');
  assert.ok(codes.every((code) => [200, 413, 429].includes(code)), codes.join());
  assert.ok(codes.includes(413) || codes.includes(429), 'and no more');
}

async function nestedSettings(scene) {
  const client = await Client.connect(scene.t, scene.relay, { token: await scene.relay.mint({ user: 'nested' }) });
  for (const size of [240 * 1024, mib, 8 * mib]) {
    const from = client.events.length;
    client.send(`{"type":"session.update","session":{"a":[${'{},'.repeat(size / 3)}{}]}}`);
    await client.until(() => client.ended || client.events.slice(from).some((e) => /error|session.updated/.test(e.type)), `${size} bytes`);
  }
  client.socket.terminate();
}

async function heldBackBodies(scene) {
  const head = (path) => `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: ${4 * mib}\r\n\r\n`;
  const body = 'x'.repeat(mib);
  const all = await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const one = await stranger(scene, head(n % 2 ? '/nothing' : '/v1/sessions'));
    one.socket.write(body);
    return one;
  }));
  const deadline = performance.now() + 15_000;
  while (all.some((one) => !one.status) && performance.now() < deadline) await pause(20);
  for (const one of all) {
    assert.ok(one.status >= 400, `${one.heard.slice(0, 60)}`);
    one.socket.destroy();
  }
}

async function anotherUsersSession(scene) {
  const { relay } = scene;
  const id = await session(relay, 'victim');
  const refused = await relay.request('/v1/realtime/client_secrets', {
    method: 'POST',
    body: { session: { type: 'realtime' }, verbatim: { user: 'thief', session_id: id } },
  });
  assert.ok(refused.status >= 400, 'no token for it');
  const token = await relay.mint({ user: 'thief' });
  for (const [method, path] of [['GET', ''], ['GET', '/transcript'], ['GET', '/events'], ['POST', '/transcript'], ['PATCH', ''], ['DELETE', '']]) {
    const body = method === 'GET' || method === 'DELETE' ? undefined : { turns: [{ role: 'user', text: 'mine' }], metadata: {} };
    const answer = await request(`${relay.url}/v1/sessions/${id}${path}`, { method, key: token, body });
    assert.ok([403, 404, 405].includes(answer.status), `${method} ${path}: ${answer.status}`);
  }
}

async function providerThatRepeats(scene) {
  const token = await scene.relay.mint({ user: 'curious' });
  const socket = { token, query: { model: leaky } };
  let seen;
  try {
    const client = await Client.connect(scene.t, scene.relay, socket);
    const { reason } = await client.closed;
    seen = client.frames.join() + reason;
  } catch {
    seen = (await refusal(scene.relay, socket)).text;
  }
  assert.ok(!seen.includes(providersKey.slice(8)), 'the client sees no key');
  assert.ok(!scene.relay.program.stderr.includes(providersKey.slice(8)), 'nor does the log');
}

async function floodOfWords(scene) {
  const client = await Client.connect(scene.t, scene.relay, { token: await scene.relay.mint({ user: 'flood' }) });
  const text = 'w'.repeat(64 * 1024);
  for (let n = 0; n < 1500 && !client.ended; ++n) {
    client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } });
    client.events.length = client.frames.length = 0;
    if (client.socket.bufferedAmount > 4 * mib) await pause(5);
  }
  client.socket.terminate();
}

async function everyPlace(scene) {
  let placed = 0;
  const clients = [];
  for (let n = 0; n < 40; ++n) {
    try {
      const token = await scene.relay.mint({ user: 'greedy' });
      clients.push(await Client.connect(scene.t, scene.relay, { token }));
      ++placed;
    } catch (error) {
      assert.match(error.message, /429/);
    }
  }
  assert.equal(placed, 20, 'as many as limits.sessions_per_user');
  for (const client of clients) client.socket.terminate();
}

async function slowHeads(scene) {
  const all = await Promise.all(Array.from({ length: 100 }, () => stranger(scene, 'GET /v1/realtime HTTP/1.1\r\nHost: 127')));
  await Promise.all(all.map((one) => one.closed));
}

async function readyTogether(scene) {
  const before = await scene.connections();
  const answers = await Promise.all(Array.from({ length: 100 }, () => request(`${scene.relay.url}/readyz`)));
  assert.ok(answers.every(({ status }) => status === 200));
  const made = (await scene.connections()) - before;
  assert.ok(made <= 2, `${made} connections to the provider`);
}

async function smuggling(scene) {
  const inner = 'GET /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
  for (const head of [
    `POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    `POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, identity\r\n\r\n`,
    `POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\nContent-Length: ${inner.length}\r\n\r\n`,
    `POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc`,
    `GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
    `GET /livez HTTP/1.1\r\n\r\n`,
  ]) {
    const one = await stranger(scene, head + inner);
    await one.closed;
    assert.equal(one.status, 400, head);
    assert.equal(one.heard.match(/HTTP\/1\.1 \d{3}/g).length, 1, `one answer, not two: ${head}`);
  }
}

export const attacks = {
  'seven posts of 5,000 unlike turns with one token': posts,
  'settings of 8 MiB with a million members, under a policy': nestedSettings,
  'a hundred bodies of 4 MiB that never end, without a credential': heldBackBodies,
  "a token that is not for another user's session": anotherUsersSession,
  'a provider that repeats its key': providerThatRepeats,
  'a client that writes as much as it can': floodOfWords,
  'a user who takes every place': everyPlace,
  'a hundred requests that never end': slowHeads,
  'a hundred probes at once': readyTogether,
  'requests within requests': smuggling,
};
