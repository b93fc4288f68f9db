// Operators and clients can follow one request and one session: by ids of requests, log lines, waits for audio, and
// the reason of a refused upgrade.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Client, makeKey, refusal, request, startRelay, startSimulator, within } from './support/verbatim.mjs';
import { deadline } from './support/process.mjs';
import { raw } from './support/raw.mjs';
import { Provider } from './support/provider.mjs';

const lines = (relay) =>
  relay.program.stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
const line = (relay, msg) => lines(relay).find((one) => one.msg === msg);
const json = 'log.format=json';
const tokenProtocol = (token) => `openai-insecure-api-key.${token}`;

/** The events and the close of an upgrade that is refused in the WebSocket. */
async function refusedClient(t, relay, options) {
  const client = await Client.connect(t, relay, options);
  return { closed: await within(client.closed, 'close'), events: client.events, protocol: client.socket.protocol };
}

test('a refused client of verbatim.v1 gets the reason as an event and a fitting close; any other gets HTTP [P11]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: [json, 'session.sessions_max=1'] });
  const wrong = tokenProtocol('ek_wrong');
  const refused = await refusedClient(t, relay, { protocols: ['realtime', 'verbatim.v1', wrong], headers: { 'x-request-id': 'page-1' } });
  assert.equal(refused.protocol, 'realtime');
  assert.deepEqual(refused.closed, { code: 3000, reason: 'invalid_token' });
  assert.equal(refused.events.length, 1);
  const [{ type, error }] = refused.events;
  assert.deepEqual([type, error.type, error.code, error.status], ['error', 'authentication_error', 'invalid_token', 401]);
  assert.ok(error.message.length > 10);
  const plain = await refusal(relay, { protocols: ['realtime', wrong] });
  assert.deepEqual([plain.status, plain.json.error.code, plain.json.error.message], [401, 'invalid_token', error.message]);

  const admitted = await Client.connect(t, relay);
  const full = await refusedClient(t, relay, { protocols: ['verbatim.v1', tokenProtocol(await relay.mint())] });
  assert.equal(full.protocol, 'verbatim.v1');
  assert.equal(full.closed.code, 1013);
  assert.deepEqual([full.events[0].error.code, full.events[0].error.retry_after], ['too_many_sessions', 10]);
  await admitted.close();

  const elsewhere = await refusedClient(t, { wsUrl: relay.wsUrl.replace('/v1/realtime', '/v1/other') }, { protocols: ['verbatim.v1'] });
  assert.deepEqual([elsewhere.closed.code, elsewhere.events[0].error.code], [1008, 'not_found']);

  const logged = lines(relay).filter(({ msg }) => msg === 'upgrade.refused');
  assert.deepEqual(logged.map(({ status, code }) => [status, code]), [
    [401, 'invalid_token'],
    [401, 'invalid_token'],
    [503, 'too_many_sessions'],
    [404, 'not_found'],
  ]);
  assert.deepEqual([logged[0].request, logged[0].why], ['page-1', error.message]);
  const metrics = (await relay.request('/metrics')).text;
  for (const sample of [
    'verbatim_upgrades_refused_total 3',
    'verbatim_http_requests_total{route="/v1/realtime",status="101"} 1',
    'verbatim_http_requests_total{route="/v1/realtime",status="401"} 2',
    'verbatim_http_requests_total{route="/v1/realtime",status="503"} 1',
    'verbatim_http_requests_total{route="other",status="404"} 1',
  ]) {
    assert.ok(metrics.split('\n').includes(sample), sample);
  }
});

test('an upgrade that is refused by its head alone is in the log with its reason, and no other bad request is [P11]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: [json, 'tls.enabled=false'] });
  const get = (path, headers, end = '\r\n') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}${end}`;
  const websocket = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const token = (length) => `Authorization: Bearer ek_${'x'.repeat(length)}\r\n`;
  const id = (name) => `X-Request-Id: ${name}\r\n`;
  const cases = [
    [get('/v1/realtime?model=m', id('long') + websocket + token(40_000)), 431, 'header_too_large'],
    [get('/openai/v1/realtime', id('early') + token(40_000) + websocket), 431, 'header_too_large'],
    [get('/v1/realtime', `${id('twice')}${websocket}${token(5)}${token(6)}`), 400, 'bad_request'],
    [get('/v1/other', `${id('length')}${websocket}Content-Length: 5\r\n`, '\r\nhello'), 400, 'bad_request'],
    [get('/v1/realtime', id('more') + websocket, '\r\nhello'), 400, 'bad_request'],
    [get('/v1/realtime', `${id('colon')}${websocket}no colon\r\n`), 400, 'bad_request'],
  ];
  for (const [bytes, status] of cases) assert.deepEqual((await raw(t, relay, bytes)).statuses, [status], bytes.slice(0, 200));
  const others = [get('/v1/sessions', token(40_000)), get('/healthz', 'no colon\r\n'), `POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\n${token(5)}${token(6)}\r\n`, 'GET /healthz\r\n\r\n'];
  for (const bytes of others) assert.ok((await raw(t, relay, bytes)).statuses[0] >= 400, bytes.slice(0, 200));
  await relay.request('/healthz');
  const logged = lines(relay).filter(({ msg }) => msg === 'upgrade.refused');
  assert.deepEqual(logged.map(({ status, code, request: of }) => [status, code, of]), [
    [431, 'header_too_large', 'long'],
    [431, 'header_too_large', 'early'],
    [400, 'bad_request', 'twice'],
    [400, 'bad_request', 'length'],
    [400, 'bad_request', 'more'],
    [400, 'bad_request', 'colon'],
  ]);
  assert.ok(logged.every(({ remote, why }) => remote === '127.0.0.1' && why.length > 10), JSON.stringify(logged));
  assert.ok(!relay.program.stderr.includes('xxxxx'), 'no part of a token');
});

test('a stranger that is refused in a WebSocket is gone soon, even if it reads nothing and never closes [P11]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: ['tls.enabled=false'] });
  const { port } = new URL(relay.url);
  const strangers = Array.from({ length: 20 }, () => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.pause();
    socket.write(
      'GET /v1/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: verbatim.v1, ${tokenProtocol('ek_wrong')}\r\n\r\n`,
    );
    return socket;
  });
  const sample = async (name) => Number((await relay.request('/metrics')).text.split('\n').find((one) => one.startsWith(`${name} `))?.split(' ').at(-1));
  const becomes = async (name, wanted) => {
    const begun = Date.now();
    while ((await sample(name)) !== wanted) assert.ok(Date.now() - begun < deadline, `${name} is not ${wanted}`);
  };
  await becomes('verbatim_upgrades_refused_total', strangers.length);
  await becomes('verbatim_connections{state="websocket"}', 0);
});

test('every answer has the id of its request, and a problem and the log repeat it [P11]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: [json] });
  const get = (path, id) => relay.request(path, { headers: id ? { 'x-request-id': id } : {} });
  assert.equal((await get('/healthz', 'probe-1')).headers['x-request-id'], 'probe-1');
  const missing = await get('/v1/sessions/none', 'Root=1-67891233-abcdef012345678912345678');
  assert.equal(missing.headers['x-request-id'], 'Root=1-67891233-abcdef012345678912345678');
  assert.equal(missing.json.request_id, missing.headers['x-request-id']);
  const made = await get('/v1/sessions/none');
  assert.match(made.headers['x-request-id'], /^req_[0-9A-Z]{26}$/);
  assert.equal(made.json.request_id, undefined, 'equal requests get equal answers');
  assert.equal((await request(`${relay.url}/nothing`, { headers: { 'x-request-id': 'a'.repeat(500) } })).headers['x-request-id'].length, 30);
  const { key } = makeKey();
  assert.match((await get('/healthz', key)).headers['x-request-id'], /^req_/, 'a credential is not repeated');
  const denied = await refusal(relay, { headers: { 'x-request-id': 'up-1' }, token: 'ek_wrong' });
  assert.equal(denied.headers['x-request-id'], 'up-1');
  let upgraded;
  const client = await Client.connectWithId(t, relay, {
    headers: { 'x-request-id': 'up-2' },
    socket: { finishRequest: (outgoing) => outgoing.on('upgrade', (answer) => (upgraded = answer.headers['x-request-id'])).end() },
  });
  assert.equal(upgraded, 'up-2');
  await relay.program.logged('session.opened');
  assert.equal(line(relay, 'session.opened').request, 'up-2');
  await client.close();
});

test('the log has the life of a session in lines that begin with time, level and msg, without its words [P10]', async (t) => {
  const canary = 'canary-of-the-log';
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: [json, 'session.resume_window=30s'] });
  const token = await relay.mint();
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask(canary);
  client.socket.terminate();
  await relay.program.logged('session.detached');
  const back = await Client.connectWithId(t, relay, { token });
  back.send({ type: 'verbatim.end' });
  await within(back.closed, 'close');
  await relay.program.logged('session.ended');
  for (const text of relay.program.stderr.trim().split('\n')) assert.match(text, /^\{"time":"[^"]+","level":"[a-z]+","msg":"[a-z_]+(\.[a-z_]+)?"/);
  const life = lines(relay).filter(({ session }) => session === client.id);
  assert.deepEqual(life.map(({ msg }) => msg), [
    'session.opened',
    'upstream.connected',
    'session.first_audio',
    'session.detached',
    'session.rejoined',
    'session.ended',
  ]);
  const [, connected, audio, , , ended] = life;
  assert.ok(Number.isInteger(connected.ms) && Number.isInteger(audio.ms));
  assert.equal(ended.reason, 'client_ended');
  assert.equal(ended.turns, 2);
  assert.ok(ended.input_tokens > 0 && ended.output_tokens > 0 && ended.seconds > 0 && ended.output_audio_seconds > 0);
  assert.ok(!relay.program.stderr.includes(canary));
  assert.ok(!relay.program.stderr.includes(token));
});

test('a limit that is near and then reached is logged [P11]', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [json, 'session.max_duration=2s', 'session.ending_notice=1s'],
  });
  const client = await Client.connectWithId(t, relay);
  await within(client.closed, 'the limit');
  await relay.program.logged('session.ended');
  for (const [msg, used] of [
    ['session.limit_near', 1000],
    ['session.limit_reached', 2000],
  ]) {
    const { session, limit, max, ...near } = line(relay, msg);
    assert.deepEqual([session, limit, max], [client.id, 'max_duration', 2000], msg);
    assert.ok(near.used >= used, `${msg}: ${near.used}`);
  }
});

test("an answer's wait for audio is in the metric, the session and the turn, and survives a kill [P7]", async (t) => {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`] });
  const client = await Client.connectWithId(t, relay, { query: { model: 'm' } });
  const upstream = await within(Promise.resolve(provider.line('m')), 'the provider’s line');
  upstream.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_of_the_provider' } });
  await client.event('session.created');
  const answer = async (number) => {
    const part = { response_id: `resp_${number}`, item_id: `item_${number}`, output_index: 0, content_index: 0 };
    const item = { id: part.item_id, type: 'message', role: 'assistant' };
    upstream.say({ type: 'response.created', response: { id: part.response_id, status: 'in_progress', output: [] } });
    upstream.say({ type: 'conversation.item.added', previous_item_id: null, item: { ...item, status: 'in_progress', content: [] } });
    upstream.say({ type: 'response.output_audio_transcript.delta', ...part, delta: 'Yes.' });
    upstream.say({ type: 'response.output_audio.delta', ...part, delta: Buffer.alloc(4800).toString('base64') });
    await client.until(({ events }) => events.some(({ type, response_id: id }) => type === 'response.output_audio.delta' && id === part.response_id), 'audio');
    upstream.say({
      type: 'response.done',
      response: { id: part.response_id, status: 'completed', output: [{ ...item, status: 'completed', content: [{ type: 'output_audio', transcript: 'Yes.' }] }] },
    });
    await client.until(({ events }) => events.some(({ type, response }) => type === 'response.done' && response.id === part.response_id), 'the end');
  };
  const asked = new Promise((resolve) => upstream.socket.on('message', (data) => JSON.parse(data).type === 'response.create' && resolve()));
  client.send({ type: 'response.create' });
  await within(asked, 'the request for an answer');
  await answer(1);
  await answer(2); // not asked for: it has no wait
  const metrics = (await relay.request('/metrics')).text;
  assert.match(metrics, /^verbatim_first_audio_seconds_count 1$/m);
  assert.match(metrics, /^verbatim_upstream_dial_seconds_count 1$/m);
  assert.match(metrics, /^verbatim_connections\{state="websocket"\} 1$/m);
  const check = async (one) => {
    const { json: session } = await one.request(`/v1/sessions/${client.id}`);
    assert.equal(session.responses.first_audio_ms.count, 1);
    const { mean, max } = session.responses.first_audio_ms;
    assert.equal(mean, max);
    assert.deepEqual(session.provider, { session_id: 'sess_of_the_provider' });
    assert.deepEqual([session.attempts[0].responses, session.attempts[0].provider], [session.responses, session.provider]);
    assert.deepEqual(Object.keys(session.usage).filter((name) => name.startsWith('verbatim')), []);
    const { turns } = (await one.request(`/v1/sessions/${client.id}/transcript`)).json;
    assert.deepEqual(turns.map((turn) => turn.first_audio_ms), [max, undefined]);
  };
  await check(relay);
  await relay.program.stop('SIGKILL');
  const next = await startRelay(t, { dataDir: relay.dataDir, key: relay.keyPair, set: [`upstream.url=${provider.url}`] });
  await next.transcript(client.id);
  await check(next);
});

test('the metrics know the process, the build and the certificate [metrics]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const samples = new Map((await relay.request('/metrics')).text.split('\n').map((one) => one.split(/ (?=\S+$)/)));
  const value = (name) => Number(samples.get(name));
  const { version } = (await relay.request('/version')).json;
  assert.equal(value(`verbatim_build_info{version="${version}"}`), 1);
  const now = Date.now() / 1000;
  assert.ok(Math.abs(value('process_start_time_seconds') - now) < 600);
  assert.ok(value('process_cpu_seconds_total') > 0 && value('process_cpu_seconds_total') < 600);
  const status = readFileSync(`/proc/${relay.program.pid}/status`, 'utf8');
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]);
  assert.ok(Math.abs(value('process_resident_memory_bytes') / 1024 - kib) < kib / 2);
  assert.equal(value('process_threads'), Number(/^Threads:\s+(\d+)/m.exec(status)[1]));
  assert.ok(value('process_open_fds') > 5 && value('process_open_fds') <= value('process_max_fds'));
  assert.ok(value('process_virtual_memory_bytes') <= value('process_virtual_memory_max_bytes'));
  const expiry = value('verbatim_tls_certificate_expiry_timestamp_seconds');
  assert.ok(expiry > now + 86_400 && expiry < now + 86_400 * 4000, String(expiry));
  const { X509Certificate } = await import('node:crypto');
  assert.equal(expiry, Date.parse(new X509Certificate(readFileSync(relay.certificate)).validTo) / 1000);
});
