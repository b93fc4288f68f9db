// HTTP framing by load balancers, proxies and hostile peers: which requests are answered and which refused.
// Bodies take memory only where something reads them.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { describe, test } from 'node:test';
import { Client, startRelay, startSimulator, within } from './support/verbatim.mjs';
import { eventually, sharedSimulator } from './support/cell.mjs';
import { Raw, raw } from './support/raw.mjs';

const MiB = 1 << 20;
const simulator = sharedSimulator();
const start = (t, set = []) => startRelay(t, { simulator, set: ['tls.enabled=false', ...set] });
const get = (line, headers = '') => `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;
const memory = (relay) =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${relay.program.pid}/status`, 'utf8'))[1]) * 1024;
const metric = async (relay, name) =>
  Number(new RegExp(`^${name} (\\S+)`, 'm').exec((await relay.request('/metrics')).text)[1]);

/** The provider's shape: what SDKs read. */
function assertProvidersShape({ status, json, text }, expected) {
  assert.equal(status, expected, text);
  assert.equal(typeof json?.error?.type, 'string', text);
  assert.equal(typeof json.error.code, 'string', text);
  assert.ok(json.error.message.length > 10, text);
}

describe('HTTP as the world writes it', { concurrency: 4 }, () => {
  test('every health check that load balancers and monitors send is answered', async (t) => {
    const relay = await start(t);
    for (const request of [
      get('GET /healthz'), get('HEAD /healthz'), get('GET /healthz/'), get('GET /healthz?ts=1'), get('GET /readyz/'),
      get('GET http://x/healthz'), get('GET HTTP://other:81/healthz/?a=b'), get('HEAD https://x/healthz'),
      get('OPTIONS /'), get('OPTIONS *'), get('OPTIONS /healthz'), get('OPTIONS http://x'), get('OPTIONS /v1/sessions'),
      get('GET /healthz', 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'), get('GET /healthz', 'Expect: 100-continue\r\n'),
      'GET /healthz HTTP/1.0\r\n\r\n', 'HEAD /healthz HTTP/1.0\r\n\r\n', 'OPTIONS / HTTP/1.0\r\n\r\n', 'OPTIONS * HTTP/1.0\r\n\r\n',
      `\r\n${get('GET /healthz')}`, `\r\n\r\n${get('OPTIONS /')}`,
    ]) {
      const answer = await raw(t, relay, request);
      assert.deepEqual(answer.statuses, [200], request + answer.text);
      if (/^\W*(HEAD|OPTIONS)/.test(request)) assert.equal(answer.body, '', request);
      if (/OPTIONS/.test(request)) assert.match(answer.head, /^allow: .*GET.*OPTIONS/im, request);
    }
    assert.ok(!/ error /.test(relay.program.stderr), relay.program.stderr);
  });

  test('HEAD of every page and call is GET without its body', async (t) => {
    const relay = await start(t);
    for (const path of ['/', '/console/console.js', '/openapi.json', '/version', '/healthz', '/v1/sessions', '/v1/realtime', '/none', '/v1/realtime/none']) {
      const key = `Authorization: Bearer ${relay.key}\r\n`;
      const headers = ({ head }) => head.split('\r\n').filter((line) => !/^(etag|date|x-request-id):/i.test(line)).sort();
      const [full, head] = [await raw(t, relay, get(`GET ${path}`, key)), await raw(t, relay, get(`HEAD ${path}`, key))];
      assert.deepEqual(headers(head), headers(full), path);
      assert.equal(head.body, '', path);
    }
  });

  test('a refused method names the methods that the path accepts', async (t) => {
    const relay = await start(t);
    const allow = async (line) => {
      const answer = await raw(t, relay, get(line));
      assert.equal(answer.status, 405, line + answer.text);
      return /^allow: (.*)$/im.exec(answer.head)[1].trim();
    };
    assert.equal(await allow('PUT /healthz'), 'GET, HEAD, OPTIONS');
    assert.equal(await allow('POST /v1/realtime'), 'GET, HEAD, OPTIONS');
    assert.equal(await allow('GET /v1/realtime/client_secrets'), 'POST, OPTIONS');
    assert.equal(await allow('TRACE /v1/sessions'), 'GET, HEAD, POST, OPTIONS');
    assert.match(await allow('CONNECT example.com:443'), /GET/);
  });

  test('JSON is read with a byte order mark and refused in a coding', async (t) => {
    const relay = await start(t);
    const post = (body, headers = '') =>
      raw(t, relay, get('POST /v1/realtime/client_secrets', `Authorization: Bearer ${relay.key}\r\nContent-Length: ${body.length}\r\n${headers}`), body);
    assert.equal((await post(Buffer.from('\uFEFF{"verbatim":{"user":"ada"}}'))).status, 200);
    assert.equal((await post(Buffer.from('\r\n {"verbatim":{"user":"ada"}} \r\n'))).status, 200);
    assertProvidersShape(await post(Buffer.from('\uFEFF{}', 'utf16le')), 400);
    assertProvidersShape(await post(Buffer.from('{}'), 'Content-Encoding: gzip\r\n'), 415);
    assertProvidersShape(await post(Buffer.from('{}'), 'Expect: a-miracle\r\n'), 417);
  });

  test("everything below /v1/realtime is refused in the provider's shape [P9]", async (t) => {
    const relay = await start(t, ['server.body_bytes_max=64KiB']);
    const key = `Authorization: Bearer ${relay.key}\r\n`;
    const token = `Authorization: Bearer ${await relay.mint({ user: 'ada' })}\r\n`;
    for (const path of ['calls', 'calls/rtc_1/hangup', 'calls/rtc_1/accept', 'translations', 'translations/client_secrets', 'transcription_sessions', 'none', 'sessions/x', '%20']) {
      for (const root of ['/v1/realtime/', '/openai/v1/realtime/'])
        for (const method of ['GET', 'POST', 'DELETE'])
          assertProvidersShape(await raw(t, relay, get(`${method} ${root}${path}`, `${key}Content-Length: 3\r\n`), 'v=0'), 404);
    }
    const secrets = '/v1/realtime/client_secrets';
    const plain = await raw(t, relay, get('GET /v1/realtime'));
    assertProvidersShape(plain, 426);
    assert.match(plain.head, /^upgrade: websocket\r?$/im); // RFC 9110, 15.5.22 and 7.8
    assert.match(plain.head, /^connection: .*\bupgrade\b/im);
    assertProvidersShape(await raw(t, relay, get('DELETE /v1/realtime/')), 405);
    assertProvidersShape(await raw(t, relay, get(`GET ${secrets}`, key)), 405);
    assertProvidersShape(await raw(t, relay, get(`POST ${secrets}`)), 401);
    assertProvidersShape(await raw(t, relay, get(`POST ${secrets}`, token)), 403);
    assertProvidersShape(await raw(t, relay, get(`POST ${secrets}`, `${key}Content-Length: 1\r\n`), '{'), 400);
    assertProvidersShape(await raw(t, relay, get(`POST ${secrets}`, `${key}Content-Length: 99999999\r\n`)), 413);
    assertProvidersShape(await raw(t, relay, get(`POST ${secrets}`, `${key}Transfer-Encoding: gzip\r\n`)), 400);
    assertProvidersShape(await raw(t, relay, get(`POST ${secrets}`, `X: ${'x'.repeat(20_000)}\r\n`)), 431);
    assertProvidersShape(await raw(t, relay, `POST ${secrets} HTTP/1.1\r\n\r\n`), 400);
    assertProvidersShape(await raw(t, relay, get('OPTIONS /v1/realtime/none')), 404);
  });

  test('an upgrade is read as clients and the things between write it [P9]', async (t) => {
    const relay = await start(t);
    const handshake = (headers, target = '/v1/realtime?model=gpt-realtime') =>
      `GET ${target} HTTP/1.1\r\n${['Host: x', 'Sec-WebSocket-Version: 13', ...headers].join('\r\n')}\r\n\r\n`;
    const key = () => `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`;
    const asks = () => ['Upgrade: websocket', 'Connection: Upgrade', key()];
    const token = async () => relay.mint();
    const accepted = async (request) => {
      const wire = new Raw(t, relay);
      await wire.write(request);
      await wire.until(/\r\n\r\n/);
      assert.deepEqual(wire.statuses, [101], request + wire.text);
      wire.socket.destroy();
      return wire.text;
    };
    const bearer = async () => `Authorization: Bearer ${await token()}`;
    await accepted(handshake(['Connection: keep-alive', 'Upgrade: h2c', 'connection: UPGRADE', 'upgrade: WebSocket', key(), await bearer()]));
    const selected = await accepted(handshake([...asks(), 'Sec-WebSocket-Protocol: realtime', `sec-websocket-protocol: openai-insecure-api-key.${await token()}`]));
    assert.match(selected, /sec-websocket-protocol: realtime\r/i);
    await accepted(handshake([...asks(), `Authorization:  bearer \t  ${await token()}  `.replace('\t', '')]));
    await accepted(handshake([...asks(), `api-key: ${await token()}`]));
    for (const target of ['/v1/realtime/', '/openai/v1/realtime?api-version=2025-08-28&model=m', '/openai/v1/realtime/', 'http://x/v1/realtime?model=m', 'https://x:443/v1/realtime/'])
      await accepted(handshake([...asks(), await bearer()], target));
    await accepted(handshake([...asks(), await bearer(), 'Content-Length: 0']));
    await accepted(`\r\n${handshake([...asks(), await bearer()])}`);

    const refused = async (request, status = 400) => {
      assertProvidersShape(await raw(t, relay, request), status);
    };
    await refused(handshake([...asks(), await bearer()]).replace('Host: x\r\n', ''));
    await refused(handshake([...asks(), await bearer(), 'Host: x']));
    await refused(handshake([...asks(), await bearer(), 'Content-Length: 2']) + '{}');
    await refused(handshake([...asks(), await bearer(), 'Transfer-Encoding: chunked']) + '0\r\n\r\n');
    await refused(handshake([...asks(), await bearer(), key()]));
    await refused(handshake([...asks(), await bearer(), await bearer()]));
    for (const bad of ['', 'AAAA', '!'.repeat(22) + '==', '-_'.repeat(11) + '==', 'A'.repeat(24), 'A'.repeat(23) + '='])
      await refused(handshake(['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${bad}`, await bearer()]));
    await refused(handshake([...asks(), await bearer(), 'Sec-WebSocket-Version: 8']));
    await refused(handshake([...asks(), await bearer()]).replace('Version: 13', 'Version: 8'), 426);
    await refused(handshake([...asks(), await bearer()]) + '\x81\x80aaaa');
    await refused(handshake([...asks(), await bearer()]).replace('Upgrade: websocket', 'Upgrade: h2c'), 426);
    await refused(handshake([...asks(), await bearer()]).replace('GET', 'POST'), 405);
  });
});

describe('bodies', { concurrency: 2 }, () => {
  test('a body that nothing reads, or that its sender may not send, is answered at the head [P11]', async (t) => {
    const relay = await start(t);
    const before = memory(relay);
    const client = `Authorization: Bearer ${await relay.mint({ user: 'ada' })}\r\n`;
    const heads = [['POST /nothing', 404], ['PUT /v1/sessions', 405], ['POST /', 405], ['GET /healthz', 200], ['POST /healthz', 405], ['OPTIONS /', 200],
      ['POST /v1/realtime', 405], ['POST /v1/realtime/client_secrets', 401], ['POST /v1/sessions', 401], ['PATCH /v1/sessions/none', 401], ['POST /v1/sessions', 403, client],
      ['POST /api/internal/sessions', 401]];
    const half = Buffer.alloc(2 * MiB, 'x');
    for (const length of [`Content-Length: ${4 * MiB}\r\n`, 'Transfer-Encoding: chunked\r\n'])
      for (const [line, status, credential = ''] of heads) {
        const wire = new Raw(t, relay);
        await wire.write(`${line} HTTP/1.1\r\nHost: x\r\n${credential}${length}Expect: 100-continue\r\n\r\n`);
        wire.socket.write(length.startsWith('T') ? `400000\r\n${half}` : half);
        await wire.end(); // the relay closes: this side has not
        assert.deepEqual(wire.statuses, [status], line);
      }
    assert.ok(memory(relay) - before < 16 * MiB, `${memory(relay) - before} bytes more`);
  });

  test('a peer that may send a body is asked to go on', async (t) => {
    const relay = await start(t);
    const wire = new Raw(t, relay);
    const body = '{"verbatim":{"user":"ada"}}';
    await wire.write(get('POST /v1/realtime/client_secrets', `Authorization: Bearer ${relay.key}\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n`));
    await wire.until(/^HTTP\/1.1 100 /);
    await wire.write(body);
    await wire.end();
    assert.deepEqual(wire.statuses, [100, 200]);
  });

  test('bodies that stop a byte short hold no more than server.bodies_bytes_max, and no other request waits for them [P11]', async (t) => {
    const relay = await start(t, ['server.bodies_bytes_max=16MiB', 'server.request_timeout=1m']);
    const before = memory(relay);
    const head = (key) => `POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${4 * MiB}\r\n\r\n`;
    const short = Buffer.alloc(4 * MiB - 1, ' ');
    const wires = Array.from({ length: 24 }, () => new Raw(t, relay));
    await Promise.all(wires.map(async (wire) => {
      await wire.write(head(relay.key));
      wire.socket.write(short);
    }));
    await eventually(async () => wires.filter(({ statuses }) => statuses[0] === 503).length >= 20, 'refusals');
    for (const { text } of wires.filter(({ statuses }) => statuses[0])) assert.match(text, /^retry-after: \d/im);
    assert.ok(memory(relay) - before < 32 * MiB, `${memory(relay) - before} bytes more`);
    assert.ok((await metric(relay, 'verbatim_request_body_bytes')) <= 16 * MiB);
    assert.ok((await metric(relay, 'verbatim_request_bodies_refused_total')) >= 20);
    assert.match(relay.program.stderr, /bodies\.refused/);
    await relay.mint({ user: 'ada' }); // a short request is served
    for (const wire of wires) wire.socket.destroy();
    await eventually(async () => (await metric(relay, 'verbatim_request_body_bytes')) === 0, 'all given back');
  });

  test("the last chunk of a stranger's body may come byte by byte [P11]", async (t) => {
    const relay = await start(t);
    const conversation = await Client.connectWithId(t, relay);
    const key = `Authorization: Bearer ${relay.key}\r\n`;
    const last = ['0\r\n', '\r', '\n'];
    for (const [line, credential, pieces, status] of [
      ['POST /nothing', '', last, 404],
      ['POST /healthz', '', last, 405],
      ['POST /v1/realtime/client_secrets', '', last, 401],
      ['POST /v1/realtime/client_secrets', key, last, 200],
      ['POST /v1/realtime/client_secrets', key, [...'2\r\n{}\r\n0\r\nA: b\r\n\r\n'], 200],
    ]) {
      const wire = new Raw(t, relay);
      await wire.write(`${line} HTTP/1.1\r\nHost: x\r\n${credential}Transfer-Encoding: chunked\r\n\r\n`);
      for (const piece of pieces) {
        await wire.write(piece);
        await relay.request('/healthz'); // the relay has read it by now, or will read it with the next
      }
      await wire.until(/^HTTP/);
      assert.deepEqual(wire.statuses, [status], line);
    }
    await conversation.ask('Still there?');
  });
});

test('however many ask /readyz at once, the provider gets one connection, and is asked again a second later [P11]', async (t) => {
  const connections = [];
  let silent = true;
  const provider = net.createServer((socket) => {
    socket.on('error', () => {});
    connections.push(socket);
    if (!silent) socket.destroy();
  });
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  t.after(() => {
    provider.close();
    for (const socket of connections) socket.destroy();
  });
  // It accepts the connection and sends nothing in TLS: the check runs until the test ends it.
  const url = `wss://127.0.0.1:${provider.address().port}/v1/realtime`;
  const relay = await startRelay(t, { set: ['tls.enabled=false', `upstream.url=${url}`, 'upstream.connect_timeout=1m'] });
  const wires = Array.from({ length: 100 }, () => new Raw(t, relay));
  await Promise.all(wires.map((wire) => wire.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')));
  await Promise.all(wires.map((wire) => wire.until(/"ok"/)));
  await Promise.all(wires.map((wire) => wire.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')));
  await eventually(() => connections.length > 0, 'the check');
  // On each thread this request follows the one before on its connection.
  for (let i = 0; i < 8; ++i) await relay.request('/healthz');
  silent = false;
  connections[0].destroy();
  await Promise.all(wires.map((wire) => wire.until(/HTTP\/1\.1 503 /)));
  assert.equal(connections.length, 1);
  await eventually(async () => {
    assert.equal((await relay.request('/readyz')).status, 503);
    return connections.length === 2;
  }, 'another check');
});
