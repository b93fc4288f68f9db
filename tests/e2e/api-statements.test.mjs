// The statements of docs/api.md about statuses, one by one, checked against the program.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { eventually, sharedSimulator } from './support/cell.mjs';
import { raw } from './support/raw.mjs';
import { Client, refusal, startRelay, temporaryDirectory } from './support/verbatim.mjs';

const simulator = sharedSimulator();
const service = randomBytes(16).toString('hex');
const page = 'https://app.example';
const start = (t, set = []) =>
  startRelay(t, {
    simulator,
    env: { VERBATIM_AUTH_INTERNAL_SERVICE_KEY: service },
    set: ['tls.enabled=false', `server.allowed_origins=${page}`, ...set],
  });

/** A request by hand: its first line and header lines. */
const send = (t, relay, line, headers = [], body = '') =>
  raw(
    t,
    relay,
    [`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...(body ? [`Content-Length: ${body.length}`] : []), ...headers, '', body].join('\r\n'),
  );

/** Each line: what is asked, and the status. */
async function hold(t, relay, lines) {
  for (const [status, line, headers = [], body = ''] of lines) {
    const answer = await send(t, relay, line, headers, body);
    assert.equal(answer.status, status, `${line} ${headers.join(' | ')}\n${answer.text}`);
  }
}

test('Credentials: each opens the endpoints of its row', async (t) => {
  const relay = await start(t);
  const token = await relay.mint({ user: 'ann' });
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask('Hello?');
  await client.close();
  await relay.transcript(client.id);
  const mine = `/v1/sessions/${client.id}`;
  const [key, ek] = [`Authorization: Bearer ${relay.key}`, `Authorization: Bearer ${token}`];
  const internal = `X-Internal-Service-Key: ${service}`;
  const copy = (writer) => JSON.stringify({ writer, turns: [{ role: 'user', text: 'Hello?' }] });
  const secrets = '/v1/realtime/client_secrets';
  await hold(t, relay, [
    [200, `GET ${mine}`, [key]],
    [401, 'POST /api/internal/sessions', [key], '{"userId":"ann"}'],
    [201, 'POST /api/internal/sessions', [internal], '{"userId":"ann"}'],
    [401, `GET ${mine}`, [internal]],
    [200, `GET ${mine}`, [ek]],
    [200, `GET ${mine}/transcript`, [ek]],
    [200, `POST ${mine}/transcript`, [ek], copy('client')],
    [403, `POST ${mine}/transcript`, [ek], copy('agent')],
    [403, 'GET /v1/sessions', [ek]],
    [403, `DELETE ${mine}`, [ek]],
    [404, 'GET /v1/sessions/another', [ek]],
    [404, 'GET /v1/sessions/another', [key]],
    [200, `GET ${mine}`, [`api-key: ${relay.key}`]],
    [200, `POST /openai${secrets}`, [`api-key: ${relay.key}`], '{"verbatim":{"user":"ann"}}'],
    [401, `GET ${mine}`],
    [401, `GET ${mine}`, ['Authorization: Bearer vk_false']],
    [401, `GET ${mine}?session=${token}`],
  ]);
});

test('HTTP: accepted requests, and the status of refused ones', async (t) => {
  const relay = await start(t);
  const key = `Authorization: Bearer ${relay.key}`;
  const secrets = 'POST /v1/realtime/client_secrets';
  const body = '{"verbatim":{"user":"ann"}}';
  const asks = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const wsKey = `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`;
  const pageAsks = (origin) => [`Origin: ${origin}`, 'Access-Control-Request-Method: POST'];
  await hold(t, relay, [
    [200, 'GET /healthz/'], [200, 'GET http://x/healthz'],
    [200, 'OPTIONS /v1/sessions'], [200, 'OPTIONS /'], [200, 'OPTIONS *'], [200, `OPTIONS /v1/sessions`, [`Origin: ${page}`]],
    [404, 'OPTIONS /nothing'],
    [204, 'OPTIONS /v1/sessions', pageAsks(page)], [204, 'OPTIONS /nothing', pageAsks(page)],
    [405, 'OPTIONS /v1/sessions', pageAsks('https://other.example')], [404, 'OPTIONS /nothing', pageAsks('https://other.example')],
    [400, secrets, [key, 'Transfer-Encoding: gzip, chunked']], [400, secrets, [key, 'Transfer-Encoding: chunked'], body],
    [400, 'GET /healthz', ['Host: y']], [400, 'GET /v1/sessions', [key, 'Authorization: Bearer vk_other']],
    [400, 'GET http://user@x/healthz'], [400, 'GET /v1/realtime', [...asks, wsKey], 'body'], [400, 'GET /v1/realtime', [...asks, wsKey, wsKey]],
    // Only where a body is read.
    [415, secrets, [key, 'Content-Encoding: gzip'], body], [417, secrets, [key, 'Expect: a-miracle'], body],
    [200, secrets, [key, 'Content-Encoding: identity', 'Expect: 100-continue'], body],
    [401, secrets, ['Expect: a-miracle'], body], [401, secrets, ['Content-Encoding: gzip'], body],
    [200, 'GET /healthz', ['Expect: a-miracle']], [200, 'GET /healthz', ['Expect: a-miracle', 'Content-Encoding: gzip'], body],
    [404, 'POST /nothing', ['Expect: a-miracle'], body], [405, 'PUT /healthz', ['Content-Encoding: gzip'], body],
    [426, 'GET /v1/realtime'],
  ]);
  assert.equal((await raw(t, relay, 'GET /healthz HTTP/1.2\r\nHost: x\r\nConnection: close\r\n\r\n')).status, 200);
  assert.equal((await raw(t, relay, 'GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n')).status, 505);
  assert.equal((await raw(t, relay, 'GET /healthz HTTP/1.1\r\n\r\n')).status, 400);
});

test('Responses of every status are no-store, except pages and the API description', async (t) => {
  const relay = await start(t, ['server.body_bytes_max=64KiB']);
  const key = `Authorization: Bearer ${relay.key}`;
  const stored = async (...what) => {
    const { head } = await send(t, relay, ...what);
    const [first] = head.split('\r\n');
    return `${/^cache-control: no-store\r?$/im.test(head) ? 'no-store' : 'stored'} ${first}`;
  };
  for (const line of ['GET /', 'GET /openapi.json', 'GET /console/console.js'])
    assert.match(await stored(line), /^stored HTTP\/1.1 200/, line);
  const secrets = 'POST /v1/realtime/client_secrets';
  for (const what of [
    ['GET /healthz'], ['GET /v1/sessions', [key]], ['GET /v1/sessions'], ['GET /nothing'], ['PUT /v1/sessions', [key]], [secrets, [key], '{}'],
    [secrets, [key], '{'], [secrets, [], '{}'], [secrets, [key, 'Content-Length: 99999999']], [secrets, [key, 'Content-Encoding: gzip'], '{}'],
    ['GET /v1/sessions', ['Host: y']], ['GET /v1/realtime'],
    ['GET /v1/realtime', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 8']],
  ]) assert.match(await stored(...what), /^no-store /, String(what));
});

test('Sessions: made ahead, changed, erased', async (t) => {
  const relay = await start(t);
  const key = `Authorization: Bearer ${relay.key}`;
  const idem = 'Idempotency-Key: order-17';
  const large = JSON.stringify({ metadata: { x: 'x'.repeat(17_000) } });
  const largePrivate = JSON.stringify({ private: { x: 'x'.repeat(17_000) } });
  await hold(t, relay, [
    [201, 'POST /v1/sessions', [key, idem], '{"user":"ada"}'],
    [200, 'POST /v1/sessions', [key, idem], '{"user":"ada"}'],
    [422, 'POST /v1/sessions', [key, idem], '{"user":"eve"}'],
    [201, 'POST /v1/sessions', [key], '{"user":"ada","session_id":"s-1"}'],
    [200, 'POST /v1/sessions', [key], '{"user":"ada","session_id":"s-1"}'],
    [404, 'POST /v1/sessions', [key], '{"user":"eve","session_id":"s-1"}'],
    [200, 'PATCH /v1/sessions/s-1', [key], '{"metadata":{"a":1},"private":{"b":2}}'],
    [413, 'PATCH /v1/sessions/s-1', [key], large],
    [413, 'PATCH /v1/sessions/s-1', [key], largePrivate],
    [400, 'PATCH /v1/sessions/s-1', [key], '{"user":"eve"}'],
  ]);
  const again = await send(t, relay, 'POST /v1/sessions', [key, idem], '{"user":"ada"}');
  assert.match(again.head, /^idempotent-replayed: true\r?$/im);
  const live = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ada' }) });
  await hold(t, relay, [[409, `DELETE /v1/sessions/${live.id}`, [key]]]);
  await live.close();
  await relay.transcript(live.id);
  for (const path of [`/v1/sessions/${live.id}`, `/v1/sessions/${live.id}/transcript`, '/openapi.json', '/']) {
    const read = await send(t, relay, `GET ${path}`, [key]);
    const tag = /^etag: (.*?)\r?$/im.exec(read.head)?.[1];
    assert.ok(tag, `${path} ${read.text}`);
    await hold(t, relay, [[304, `GET ${path}`, [key, `If-None-Match: ${tag}`]]]);
  }
  assert.match((await send(t, relay, 'GET /v1/sessions', [key])).head, /^etag:/im);
  await hold(t, relay, [
    [204, `DELETE /v1/sessions/${live.id}`, [key]], [404, `DELETE /v1/sessions/${live.id}`, [key]],
    [204, 'DELETE /v1/sessions/s-1', [key]], [404, 'GET /v1/sessions/s-1', [key]],
  ]);
});

test('Client tokens: names, expiry, revoking', async (t) => {
  const relay = await start(t, ['auth.token_ttl=3s', 'session.resume_window=2s']);
  const key = `Authorization: Bearer ${relay.key}`;
  const secrets = 'POST /v1/realtime/client_secrets';
  await hold(t, relay, [
    [400, secrets, [key], '{"verbatim":{"usr":"ada"}}'], [400, secrets, [key], '{"verbatm":{"user":"ada"}}'],
    [400, secrets, [key], '{"verbatim":{"policy":{"lockd":[]}}}'], [400, secrets, [key], '{"verbatim":{"limits":{"token":1}}}'],
    [400, secrets, [key], '{"expires_after":{"anchor":"created_at","secs":60}}'],
    [400, secrets, [key], '{"verbatim":{"user":"ada"},"verbatim":{"user":"eve"}}'],
    [400, secrets, [key], '{"verbatim":{"user":"ada","user":"eve"}}'],
    [201, 'POST /v1/sessions', [key], '{"user":"ada","session_id":"adas"}'],
    [404, secrets, [key], '{"verbatim":{"user":"eve","session_id":"adas"}}'],
    [200, secrets, [key], '{"session":{"whatever":1},"verbatim":{"user":"ada"}}'],
  ]);
  const mint = async (verbatim) => {
    const { json } = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: { verbatim } });
    return { token: json.value, id: json.verbatim.token_id, bearer: `Authorization: Bearer ${json.value}` };
  };
  const [opened, unused, joined, bound] = [
    await mint({ user: 'ada', session_id: 's-1' }), await mint({ user: 'ada', session_id: 's-2' }),
    await mint({ user: 'ada' }), await mint({ user: 'ada', session_id: 's-1' }),
  ];
  const client = await Client.connectWithId(t, relay, { token: opened.token });
  await client.ask('Hello?');
  const other = await Client.connectWithId(t, relay, { token: joined.token, query: { session: 's-3' } });
  await eventually(async () => {
    const { json } = await relay.request('/v1/client_secrets');
    return !json.client_secrets.some(({ expired }) => !expired);
  }, 'the end of their time');
  const copy = JSON.stringify({ writer: 'client', turns: [{ role: 'user', text: 'Hello?' }] });
  await hold(t, relay, [
    // Valid for its own sessions: the one it was made for, whether or not it opened it, and one it was used
    // for.
    [200, 'GET /v1/sessions/s-1', [opened.bearer]], [200, 'GET /v1/sessions/s-1/transcript', [opened.bearer]],
    [200, 'POST /v1/sessions/s-1/transcript', [opened.bearer], copy], [200, 'GET /v1/sessions/s-1', [bound.bearer]],
    [200, 'GET /v1/sessions/s-3', [joined.bearer]],
    // Not valid for others; and the answer does not show whether they exist.
    [401, 'GET /v1/sessions/s-2', [unused.bearer]], [401, 'GET /v1/sessions/s-1', [unused.bearer]],
    [401, 'GET /v1/sessions/s-1', [joined.bearer]], [401, 'GET /v1/sessions/none', [joined.bearer]],
    [401, 'GET /v1/sessions', [opened.bearer]], [401, secrets, [opened.bearer], '{}'],
  ]);
  for (const options of [{ token: unused.token }, { token: joined.token, query: { session: 's-9' } }, { token: joined.token }])
    assert.deepEqual(await refusal(relay, options).then(({ status, json }) => [status, json.error.code]), [401, 'token_expired']);

  await hold(t, relay, [[204, `DELETE /v1/client_secrets/${joined.id}`, [key]], [404, 'DELETE /v1/client_secrets/cs_none', [key]]]);
  const { code } = await other.closed;
  assert.equal(code, 3000);
  assert.equal(other.events.findLast(({ type }) => type === 'error')?.error.code, 'token_revoked');
  await hold(t, relay, [[401, 'GET /v1/sessions/s-3', [joined.bearer]], [200, 'GET /v1/sessions/s-3', [key]]]);

  client.send({ type: 'verbatim.end' });
  await client.closed;
  await relay.transcript('s-1');
  // Not after the session is final and its window has ended.
  await eventually(async () => (await send(t, relay, 'GET /v1/sessions/s-1', [opened.bearer])).status === 401, 'the end of the window');
  await hold(t, relay, [[401, 'POST /v1/sessions/s-1/transcript', [opened.bearer], copy]]);
});

test('Transcripts, streams and raw events', async (t) => {
  const relay = await start(t, ['events.watchers_per_session_max=1', `capture.dir=${temporaryDirectory(t)}`, 'posts.turns_max=3']);
  const key = `Authorization: Bearer ${relay.key}`;
  const live = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ada' }) });
  await live.ask('Hello?');
  const path = `/v1/sessions/${live.id}`;
  const turns = (n) => JSON.stringify({ turns: Array.from({ length: n }, () => ({ role: 'user', text: 'Hello?' })) });
  await hold(t, relay, [
    [404, `GET ${path}/transcript?attempt=2`, [key]], [400, `GET ${path}/transcript?attempt=x`, [key]],
    [200, `GET ${path}/transcript?attempt=all&format=jsonl`, [key]], [400, `GET ${path}/transcript?format=doc`, [key]],
    [200, `POST ${path}/transcript`, [key], turns(2)], [413, `POST ${path}/transcript`, [key], turns(4)],
    [400, `POST ${path}/transcript`, [key], '{"turns":'], [400, `POST ${path}/transcript`, [key], '{"writer":"agent"}'],
    [400, `POST ${path}/transcript`, [key], '{"attempt":0,"turns":[]}'], [404, `POST ${path}/transcript`, [key], '{"attempt":7,"turns":[{"role":"user","text":"x"}]}'],
    [400, `POST ${path}/transcript`, [key], '{"writer":"relay","turns":[]}'], [400, `POST ${path}/transcript`, [key], '{"role":"nobody","text":"x"}'],
    [404, 'POST /v1/sessions/none/transcript', [key], turns(1)],
    [404, 'GET /v1/sessions/none/captured', [key]], [200, `GET ${path}/captured`, [key]],
    [404, 'GET /v1/sessions/none/events', [key]],
    [404, 'GET /api/external/assignments/none/transcript', [key]],
  ]);
});
