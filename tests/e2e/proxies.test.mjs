// Behind proxies: whose statement about a client's address counts, and why a proxy on the same machine is not
// trusted like a local client.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { announcement, portOf } from './support/announced.mjs';
import { within } from './support/process.mjs';
import { Client, refusal, startRelay, startSimulator } from './support/verbatim.mjs';

const behindProxy = async (t, set = [], more = {}) =>
  startRelay(t, {
    simulator: await startSimulator(t),
    set: ['server.trusted_proxies=127.0.0.1', ...set],
    ...more,
  });


/** Everything that comes on a connection which begins with these pieces, each written by itself. */
async function exchange(relay, pieces, { secure = false } = {}) {
  const socket = net.connect({ host: '127.0.0.1', port: portOf(relay), noDelay: true });
  await new Promise((resolve) => socket.once('connect', resolve));
  const last = pieces.at(-1);
  for (const piece of secure ? pieces.slice(0, -1) : pieces) {
    await new Promise((resolve) => socket.write(piece, resolve));
  }
  const stream = secure ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
  if (secure) stream.write(last);
  let text = '';
  const over = new Promise((resolve) => {
    stream.on('data', (data) => (text += data));
    stream.on('error', () => {});
    stream.on('close', () => resolve(text));
  });
  return within(over, 'the end of the connection');
}

const get = (relay, path, headers = {}) =>
  [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${portOf(relay)}`,
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '\r\n',
  ].join('\r\n');

/** An upgrade with a wrong token, for its log line. */
const upgrade = (relay, headers = {}) =>
  get(relay, '/v1/realtime', {
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    Authorization: 'Bearer ek_none',
    ...headers,
  }).replace('Connection: close', 'Connection: Upgrade');

const refusedFrom = (relay) =>
  [...relay.program.stderr.matchAll(/upgrade\.refused.* remote=(\S+)/g)].map(([, address]) => address);

test("a trusted proxy names the client's address, and limits count that address", async (t) => {
  const relay = await behindProxy(t, ['limits.connects_per_minute=1', 'tls.enabled=false']);
  for (const [client, status] of [
    ['203.0.113.9', 401],
    ['203.0.113.10', 401],
    ['198.51.100.7, 203.0.113.9', 429], // addresses that a client wrote itself do not count
    ['203.0.113.11, 127.0.0.1', 401],
  ]) {
    const answer = await exchange(relay, [upgrade(relay, { 'X-Forwarded-For': client })]);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), client);
  }
  assert.deepEqual(refusedFrom(relay), ['203.0.113.9', '203.0.113.10', '203.0.113.9', '203.0.113.11']);
});

test("no other peer can name a client's address", async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: ['server.trusted_proxies=192.0.2.0/24', 'limits.connects_per_minute=1', 'tls.enabled=false'],
  });
  const first = await exchange(relay, [upgrade(relay, { 'X-Forwarded-For': '203.0.113.9' })]);
  const second = await exchange(relay, [upgrade(relay, { 'X-Forwarded-For': '203.0.113.10' })]);
  assert.match(first, /^HTTP\/1.1 401 /);
  assert.match(second, /^HTTP\/1.1 429 /);
  assert.deepEqual(refusedFrom(relay), ['127.0.0.1', '127.0.0.1']);
  const announced = await exchange(relay, [announcement('203.0.113.9'), get(relay, '/healthz')]);
  assert.doesNotMatch(announced, / 200 /);
});

for (const secure of [false, true]) {
  test(`PROXY protocol v2 before ${secure ? 'TLS' : 'HTTP'} names the client`, async (t) => {
    const relay = await behindProxy(t, [`tls.enabled=${secure}`]);
    const ask = (pieces) => exchange(relay, pieces, { secure });
    const whole = announcement('203.0.113.9');
    assert.match(await ask([whole, upgrade(relay)]), / 401 /);
    const tlv = Buffer.concat([Buffer.from([0x02, 0x0f, 0xa0]), Buffer.alloc(4000, 'a')]);
    assert.match(await ask([announcement('203.0.113.10', { tlv }), upgrade(relay)]), / 401 /);
    assert.match(await ask([...[...whole].map((byte) => Buffer.from([byte])), upgrade(relay)]), / 401 /);
    assert.match(await ask([announcement('203.0.113.11', { command: 0 }), upgrade(relay)]), / 401 /);
    assert.match(await ask([upgrade(relay)]), / 401 /); // a request without it
    assert.deepEqual(refusedFrom(relay), ['203.0.113.9', '203.0.113.10', '203.0.113.9', '127.0.0.1', '127.0.0.1']);
    assert.equal(await ask([announcement('203.0.113.9', { command: 7 }), get(relay, '/healthz')]).catch(() => ''), '');
    await relay.program.logged('connection.proxy_header');
  });
}

test('empty lines before a request are not a PROXY protocol header', async (t) => {
  const relay = await behindProxy(t, ['tls.enabled=false']);
  const answer = await exchange(relay, ['\r\n\r\n', get(relay, '/healthz')]);
  assert.match(answer, /^HTTP\/1.1 /);
  assert.doesNotMatch(relay.program.stderr, /proxy_header/);
});

test('behind a proxy on this machine the development mode does not apply', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), key: null });
  assert.equal((await relay.request('/v1/sessions')).status, 200);
  await Client.connect(t, relay, { token: null });
  for (const headers of [
    { 'x-forwarded-for': '203.0.113.9' },
    { 'X-Forwarded-Proto': 'https' },
    { 'x-real-ip': '127.0.0.1' },
    { via: '1.1 proxy' },
    { forwarded: 'for=127.0.0.1' },
    { host: 'evil.example' },
    { host: 'evil.example', origin: 'https://evil.example' },
    { host: '192.0.2.1' },
  ]) {
    const what = JSON.stringify(headers);
    assert.equal((await relay.request('/v1/sessions', { headers })).status, 403, what);
    const minted = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: {}, headers });
    assert.equal(minted.status, 403, what);
    const refused = await refusal(relay, { headers });
    assert.equal(refused.status, 403, what);
    assert.match(refused.json.error.message, /auth\.api_keys/);
  }
  assert.equal(relay.program.stderr.match(/development\.refused/g).length, 1);
  // A key is valid from every address.
  const keyed = await startRelay(t, { simulator: await startSimulator(t) });
  const headers = { host: 'voice.example.com', 'x-forwarded-for': '203.0.113.9' };
  assert.equal((await keyed.request('/v1/sessions', { headers })).status, 200);
});

test('a proxy that drops the upgrade is named in the answer', async (t) => {
  const relay = await behindProxy(t);
  const answer = await relay.request('/v1/realtime');
  assert.equal(answer.status, 426);
  assert.match(answer.json.error.message, /proxy.*Upgrade/);
});

test('nothing that the console asks for begins at the root of the host', async (t) => {
  const relay = await behindProxy(t);
  const files = ['/', ...['api', 'talk', 'health', 'watch', 'console'].map((name) => `/console/${name}.js`)];
  for (const path of files) {
    const { text } = await relay.request(path);
    assert.doesNotMatch(text, /(?:src|href)="\/|import\('\/|fetch\([`'"]\/|location\.origin/, path);
  }
});
