// The OpenAPI description is valid, and true of every call and every error that it names.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { Watcher } from './support/events.mjs';
import { eventually } from './support/process.mjs';
import { Receiver, quick, targets } from './support/receiver.mjs';
import { Client, makeKey, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const methods = ['get', 'post', 'patch', 'put', 'delete'];

async function described(relay) {
  const answer = await relay.request('/openapi.json', { key: undefined });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

const operations = (document) =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    methods.filter((method) => item[method]).map((method) => ({ path, method, ...item[method] })));

/** Judges answers by the document, and remembers what it has seen of it. */
class Judge {
  seen = new Set();

  constructor(document) {
    this.operations = new Map(operations(document).map((one) => [one.operationId, one]));
    this.document = document;
    this.ajv = new Ajv({ strict: false, validateSchema: false });
    addFormats.default(this.ajv);
    this.ajv.addSchema({ $id: 'api', components: document.components });
  }

  resolve(part) {
    if (!part?.$ref) return part;
    return part.$ref.slice(2).split('/').reduce((at, name) => at[name], this.document);
  }

  check(operationId, answer) {
    const { responses } = this.operations.get(operationId);
    const status = String(answer.status);
    const what = `${operationId} ${status}`;
    assert.ok(responses[status], `${what} is not described: ${answer.text}`);
    const response = this.resolve(responses[status]);
    for (const header of Object.keys(response.headers ?? {}))
      if (header !== 'Idempotent-Replayed') assert.ok(answer.headers[header.toLowerCase()], `${what}: ${header}`);
    const type = answer.type.split(';')[0];
    if (!response.content) {
      assert.equal(answer.text, '', what);
    } else {
      const content = response.content[type];
      assert.ok(content, `${what} has the type ${type}: ${answer.text}`);
      if (/[/+]json$/.test(type)) {
        const schema = JSON.parse(JSON.stringify(content.schema).replaceAll('"#/', '"api#/'));
        const valid = this.ajv.validate(schema, answer.json);
        assert.ok(valid, `${what}: ${this.ajv.errorsText()} in ${answer.text}`);
      }
    }
    this.seen.add(what);
    return answer;
  }

  shaped(name, value) {
    const schema = { $ref: `api#/components/schemas/${name}` };
    assert.ok(this.ajv.validate(schema, value), `${name}: ${this.ajv.errorsText()} in ${JSON.stringify(value)}`);
  }

  unseen() {
    return [...this.operations.values()].flatMap(({ operationId, responses }) =>
      Object.keys(responses).map((status) => `${operationId} ${status}`))
      .filter((what) => !what.endsWith(' default') && !this.seen.has(what));
  }
}

const problems = async (document) => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  return { valid, errors };
};

test('the served description is valid OpenAPI 3.1, and a damaged one would be detected', async (t) => {
  const relay = await startRelay(t);
  const document = await described(relay);
  assert.match(document.openapi, /^3\.1\./);
  assert.deepEqual(await problems(document), { valid: true, errors: undefined });
  const damaged = structuredClone(document);
  delete damaged.paths['/v1/sessions'].get.responses['200'].description;
  assert.equal((await problems(damaged)).valid, false);
  const references = JSON.stringify(document).match(/#\/components\/[^"]+/g);
  for (const reference of new Set(references))
    assert.ok(reference.slice(2).split('/').reduce((at, name) => at?.[name], document), reference);
});

/** Every answer of the call for recordings, from a relay that records. */
async function showRecording(t, { simulator, judge }) {
  const engine = ['repair.url=http://127.0.0.1:9', 'repair.allow_private=true'];
  const relay = await startRelay(t, { simulator, set: ['recording.enabled=yes', ...engine] });
  const token = await relay.mint({ user: 'ada' });
  const client = await Client.connectWithId(t, relay, { token });
  const path = `/v1/sessions/${client.id}/recording`;
  const ask = async (query = '', options = {}) => judge.check('showRecording', await relay.request(`${path}${query}`, options));
  const expect = async (status, query, options) => assert.equal((await ask(query, options)).status, status, query);
  const peaks = async (status, query = '', options = {}) => {
    const answer = judge.check('showRecordingPeaks', await relay.request(`${path}/peaks${query}`, options));
    assert.equal(answer.status, status, query);
    return answer.headers.etag;
  };
  await expect(404);
  await peaks(404);
  client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800).toString('base64') });
  await client.ask('Is this recorded?');
  await eventually(async () => (await relay.request(path)).status === 409, 'a recording that goes on');
  await expect(409);
  const repair = async (status, id, query = '', options = {}) => {
    const answer = await relay.request(`/v1/sessions/${id}/repair${query}`, { method: 'POST', ...options });
    assert.equal(judge.check('repairSession', answer).status, status, query);
  };
  await repair(409, client.id);
  await peaks(409);
  await client.close();
  await relay.transcript(client.id);
  const { headers } = await ask();
  await expect(200);
  await expect(206, '?track=assistant', { headers: { range: 'bytes=0-43' } });
  await expect(304, '', { headers: { 'if-none-match': headers.etag } });
  await expect(400, '?track=left');
  await expect(401, '', { key: undefined });
  await expect(403, '', { key: token });
  await expect(200, '?format=flac');
  await expect(200, '?format=opus');
  await expect(416, '', { headers: { range: 'bytes=999999999-' } });
  const tag = await peaks(200);
  await peaks(304, '', { headers: { 'if-none-match': tag } });
  await peaks(400, '?attempt=x');
  await peaks(401, '', { key: undefined });
  await peaks(403, '', { key: token });
  judge.shaped('Session', (await relay.request(`/v1/sessions/${client.id}`)).json);
  await repair(202, client.id);
  await repair(400, client.id, '?attempt=x');
  await repair(401, client.id, '', { key: undefined });
  await repair(403, client.id, '', { key: token });
  await repair(404, 'none');
}

test('every call and every error that is described is answered as described', async (t) => {
  const service = randomBytes(16).toString('hex');
  const internal = { 'x-internal-service-key': service };
  const simulator = await startSimulator(t);
  const receiver = await Receiver.start(t);
  receiver.answer = ({ type }) => (type === 'session.started' ? 204 : 500);
  const relay = await startRelay(t, {
    simulator,
    env: { VERBATIM_AUTH_INTERNAL_SERVICE_KEY: service },
    set: [...quick, targets(receiver.target(t)), `capture.dir=${temporaryDirectory(t)}`, 'posts.per_minute=12', 'server.body_bytes_max=64KiB', 'events.watchers_per_session_max=1'],
  });
  const judge = new Judge(await described(relay));
  const call = async (id, path, options = {}) => {
    const { method } = judge.operations.get(id);
    return judge.check(id, await relay.request(path, { method: method.toUpperCase(), ...options }));
  };
  const expect = async (status, id, path, options) =>
    assert.equal((await call(id, path, options)).status, status, `${id} ${path}`);
  const huge = { session: { instructions: 'x'.repeat(100_000) }, text: 'x'.repeat(100_000) };
  const bad = '{"turns":';
  const stranger = { key: undefined };
  const turn = { role: 'user', text: 'A line of the copy.' };

  // Sessions for the calls: one final, one live, one of another user.
  const token = await relay.mint({ user: 'ada' });
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask('Is all of this described?');
  await client.close();
  await relay.transcript(client.id);
  const live = await Client.connectWithId(t, relay);
  const mine = `/v1/sessions/${client.id}`;
  const as = { key: token };

  const secrets = '/v1/realtime/client_secrets';
  await expect(200, 'createClientSecret', secrets, { body: { verbatim: { user: 'ada' } } });
  await expect(400, 'createClientSecret', secrets, { body: bad });
  await expect(401, 'createClientSecret', secrets, stranger);
  await expect(403, 'createClientSecret', secrets, as);
  const adas = { verbatim: { user: 'eve', session_id: client.id } };
  await expect(404, 'createClientSecret', secrets, { body: adas });
  await expect(413, 'createClientSecret', secrets, { body: huge });

  const beta = '/v1/realtime/sessions';
  await expect(200, 'createBetaSession', beta, { body: { modalities: ['text'], verbatim: { user: 'ada' } } });
  await expect(400, 'createBetaSession', beta, { body: bad });
  await expect(401, 'createBetaSession', beta, stranger);
  await expect(403, 'createBetaSession', beta, as);
  await expect(404, 'createBetaSession', beta, { body: adas });
  await expect(413, 'createBetaSession', beta, { body: { instructions: 'x'.repeat(100_000) } });

  const tokens = '/v1/client_secrets';
  await expect(200, 'listClientSecrets', `${tokens}?limit=1`);
  await expect(400, 'listClientSecrets', `${tokens}?cursor=none`);
  await expect(401, 'listClientSecrets', tokens, stranger);
  await expect(403, 'listClientSecrets', tokens, as);
  const [{ id: revoked }] = (await relay.request(tokens)).json.client_secrets;
  await expect(401, 'revokeClientSecret', `${tokens}/${revoked}`, stranger);
  await expect(403, 'revokeClientSecret', `${tokens}/${revoked}`, as);
  await expect(404, 'revokeClientSecret', `${tokens}/none`);
  await expect(204, 'revokeClientSecret', `${tokens}/${revoked}`);

  await receiver.until('session.ended');
  const deliveries = '/v1/webhooks/deliveries';
  await expect(200, 'listWebhookDeliveries', `${deliveries}?limit=1`);
  await expect(400, 'listWebhookDeliveries', `${deliveries}?state=none`);
  await expect(401, 'listWebhookDeliveries', deliveries, stranger);
  await expect(403, 'listWebhookDeliveries', deliveries, as);
  const only = async (state) => (await relay.request(`${deliveries}?session=${client.id}&state=${state}`)).json.deliveries[0].id;
  const retry = (id) => `${deliveries}/${id}/retry`;
  const waiting = await only('waiting');
  await expect(200, 'retryWebhookDelivery', retry(waiting));
  await expect(401, 'retryWebhookDelivery', retry(waiting), stranger);
  await expect(403, 'retryWebhookDelivery', retry(waiting), as);
  await expect(404, 'retryWebhookDelivery', retry('none'));
  await expect(409, 'retryWebhookDelivery', retry(await only('delivered')));

  await expect(200, 'listSessions', '/v1/sessions?limit=1');
  const listed = await relay.request('/v1/sessions?limit=1');
  await expect(304, 'listSessions', '/v1/sessions?limit=1', { headers: { 'if-none-match': listed.headers.etag } });
  await expect(200, 'listSessions', '/v1/sessions?q=ada&total=true&sort=created_at');
  await expect(400, 'listSessions', '/v1/sessions?cursor=none');
  await expect(401, 'listSessions', '/v1/sessions', stranger);
  await expect(403, 'listSessions', '/v1/sessions', as);

  const once = { headers: { 'idempotency-key': 'once' }, body: { user: 'ada', metadata: { n: 1 } } };
  await expect(201, 'createSession', '/v1/sessions', once);
  await expect(200, 'createSession', '/v1/sessions', once);
  await expect(422, 'createSession', '/v1/sessions', { ...once, body: { user: 'ada' } });
  await expect(400, 'createSession', '/v1/sessions', { body: bad });
  await expect(401, 'createSession', '/v1/sessions', stranger);
  await expect(403, 'createSession', '/v1/sessions', as);
  await expect(404, 'createSession', '/v1/sessions', { body: { id: client.id, user: 'eve' } });
  await expect(413, 'createSession', '/v1/sessions', { body: { metadata: { x: 'x'.repeat(20_000) } } });

  await expect(200, 'showSession', mine, as);
  const { etag } = (await relay.request(mine)).headers;
  await expect(304, 'showSession', mine, { headers: { 'if-none-match': etag } });
  await expect(401, 'showSession', mine, stranger);
  await expect(404, 'showSession', '/v1/sessions/none');

  await expect(200, 'patchSession', mine, { body: { metadata: { a: 1 } } });
  await expect(400, 'patchSession', mine, { body: { metadata: 1 } });
  await expect(401, 'patchSession', mine, stranger);
  await expect(403, 'patchSession', mine, { ...as, body: {} });
  await expect(404, 'patchSession', '/v1/sessions/none', { body: {} });
  await expect(413, 'patchSession', mine, { body: { metadata: { x: 'x'.repeat(20_000) } } });

  for (const format of ['json', 'jsonl', 'text', 'markdown', 'vtt', 'srt'])
    await expect(200, 'showTranscript', `${mine}/transcript?format=${format}`, as);
  const tagged = await relay.request(`${mine}/transcript`);
  await expect(304, 'showTranscript', `${mine}/transcript`, { headers: { 'if-none-match': tagged.headers.etag } });
  await expect(400, 'showTranscript', `${mine}/transcript?attempt=x`);
  await expect(401, 'showTranscript', `${mine}/transcript`, stranger);
  await expect(404, 'showTranscript', `${mine}/transcript?attempt=7`);
  await expect(200, 'showTranscript', `${mine}/transcript?attempt=all`);

  const { text: stream } = await call('watchSession', `${mine}/events`, as);
  const watched = [...stream.matchAll(/^event: (.*)\n(?:id: (.*)\n)?data: (.*)$/gm)];
  for (const [, event, , data] of watched) judge.shaped(event === 'turn' ? 'Turn' : 'WatchedState', JSON.parse(data));
  assert.equal(watched.length, 3);
  await expect(204, 'watchSession', `${mine}/events`, { headers: { 'last-event-id': watched.at(-1)[2] } });
  await expect(400, 'watchSession', `${mine}/events?attempt=x`);
  await expect(401, 'watchSession', `${mine}/events`, stranger);
  await expect(404, 'watchSession', '/v1/sessions/none/events');
  await expect(200, 'showCaptured', `${mine}/captured`);
  await expect(400, 'showCaptured', `${mine}/captured?attempt=x`);
  await expect(401, 'showCaptured', `${mine}/captured`, stranger);
  await expect(403, 'showCaptured', `${mine}/captured`, as);
  await expect(404, 'showCaptured', `${mine}/captured?attempt=7`);
  await showRecording(t, { simulator, judge });
  await expect(204, 'startCapture', `/v1/sessions/${live.id}/captured`);
  await expect(401, 'startCapture', `${mine}/captured`, stranger);
  await expect(403, 'startCapture', `${mine}/captured`, as);
  await expect(409, 'startCapture', `${mine}/captured`);
  const list = await Watcher.at(t, relay, '/v1/live?user=ada');
  judge.check('watchSessions', { status: list.status, headers: list.answer.headers, type: list.answer.headers['content-type'], text: '' });
  await expect(429, 'watchSessions', '/v1/live');
  await expect(400, 'watchSessions', '/v1/live?users=ada');
  await expect(401, 'watchSessions', '/v1/live', stranger);
  await expect(403, 'watchSessions', '/v1/live', as);
  list.close();
  await expect(200, 'exportSessions', '/v1/exports?user=ada');
  await expect(400, 'exportSessions', '/v1/exports?users=ada');
  await expect(401, 'exportSessions', '/v1/exports', stranger);
  await expect(403, 'exportSessions', '/v1/exports', as);
  await expect(200, 'eraseSessions', '/v1/erasures', { body: { ids: ['none'] } });
  await expect(400, 'eraseSessions', '/v1/erasures', { body: { ids: [] } });
  await expect(401, 'eraseSessions', '/v1/erasures', { ...stranger, body: { ids: ['none'] } });
  await expect(403, 'eraseSessions', '/v1/erasures', { ...as, body: { ids: ['none'] } });
  const watcher = await Watcher.open(t, relay, live.id);
  await expect(429, 'watchSession', `/v1/sessions/${live.id}/events`);
  watcher.close();

  const made = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  const posts = [
    ['postTranscript', `/v1/sessions/${client.id}/transcript`, {}, '/v1/sessions/none/transcript'],
    ['postTranscriptCompatible', `/api/sessions/${made.json.id}/transcript`, {}, '/api/sessions/none/transcript'],
    ['postTranscriptInternal', `/api/internal/sessions/${live.id}/transcript`, { key: undefined, headers: internal },
      '/api/internal/sessions/none/transcript'],
  ];
  for (const [id, path, credential, unknown] of posts) {
    await expect(200, id, path, { ...credential, body: turn });
    await expect(400, id, path, { ...credential, body: bad });
    await expect(404, id, unknown, { ...credential, body: turn });
    await expect(413, id, path, { ...credential, body: huge });
    await expect(401, id, path, { ...stranger, body: turn });
    let limited;
    for (let i = 0; i < 20 && limited?.status !== 429; ++i) limited = await call(id, path, { ...credential, body: turn });
    assert.equal(limited.status, 429);
  }
  const foreign = await relay.mint({ user: 'eve' });
  const claims = { writer: 'agent', turns: [turn] };
  const own = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  const ownToken = { key: await relay.mint({ user: 'ada', session_id: own.json.id }) };
  await expect(403, 'postTranscript', `/v1/sessions/${own.json.id}/transcript`, { ...ownToken, body: claims });
  await expect(403, 'postTranscriptCompatible', `/api/sessions/${own.json.id}/transcript`, { ...ownToken, body: claims });
  await expect(404, 'postTranscriptCompatible', `/api/sessions/${own.json.id}/transcript`, { key: foreign, body: turn });

  const service_ = { key: undefined, headers: { ...internal, 'idempotency-key': 'i' } };
  const assigned = { type: 'training', assignmentId: 'a-1', userId: 'ada', scenarioId: 's' };
  await expect(201, 'createSessionInternal', '/api/internal/sessions', { ...service_, body: assigned });
  await expect(200, 'createSessionInternal', '/api/internal/sessions', { ...service_, body: assigned });
  await expect(422, 'createSessionInternal', '/api/internal/sessions', { ...service_, body: {} });
  await expect(400, 'createSessionInternal', '/api/internal/sessions', { ...service_, body: bad });
  await expect(401, 'createSessionInternal', '/api/internal/sessions', { body: assigned });
  await expect(413, 'createSessionInternal', '/api/internal/sessions', { ...service_, body: huge });

  const assignment = '/api/external/assignments/a-1/transcript';
  await relay.request(`/v1/sessions/${made.json.id}`, { method: 'PATCH', body: { metadata: { assignmentId: 'a-2' } } });
  await expect(200, 'showAssignment', assignment.replace('a-1', 'a-2'));
  await expect(400, 'showAssignment', `${assignment}?attempt=x`);
  await expect(401, 'showAssignment', assignment, stranger);
  await expect(403, 'showAssignment', assignment, as);
  await expect(404, 'showAssignment', assignment.replace('a-1', 'none'));

  for (const [id, path] of [['health', '/healthz'], ['showMetrics', '/metrics'], ['version', '/version'], ['openapi', '/openapi.json']])
    await expect(200, id, path, stranger);
  await expect(200, 'showConfiguration', '/v1/config');
  await expect(401, 'showConfiguration', '/v1/config', stranger);
  await expect(403, 'showConfiguration', '/v1/config', as);
  await expect(relay.first ? 200 : 404, 'showFleet', '/v1/fleet');
  await expect(401, 'showFleet', '/v1/fleet', stranger);
  await expect(403, 'showFleet', '/v1/fleet', as);
  const page = await relay.request('/openapi.json');
  await expect(304, 'openapi', '/openapi.json', { headers: { 'if-none-match': page.headers.etag } });
  const pages = [['console', '/'], ['consoleFile', '/console/console.css'], ['clientLibrary', '/web/conversation.js'], ['clientLibraryFile', '/web/v1/verbatim.js'], ['examples', '/examples'], ['exampleFile', '/examples/plain.js'], ['reference', '/docs/api'], ['referenceFile', '/docs/reference.css']];
  for (const [id, path] of pages) {
    const { headers } = await call(id, path, stranger);
    await expect(304, id, path, { headers: { 'if-none-match': headers.etag } });
  }
  await expect(404, 'consoleFile', '/console/none.js', stranger);
  await expect(404, 'clientLibrary', '/web/none.js', stranger);
  await expect(404, 'clientLibraryFile', '/web/v1/none.js', stranger);
  await expect(404, 'exampleFile', '/examples/none.js', stranger);
  await expect(404, 'referenceFile', '/docs/none.css', stranger);
  const bare = await startRelay(t, { simulator, set: ['server.console=false'] });
  judge.check('console', await bare.request('/'));
  judge.check('examples', await bare.request('/examples'));
  await expect(200, 'ready', '/readyz', stranger);
  const apart = await startRelay(t, { simulator, set: ['metrics.listen=127.0.0.1:0'] });
  judge.check('showMetrics', await apart.request('/metrics', stranger));
  const cut = await startRelay(t, { simulator: { url: 'ws://127.0.0.1:1/v1/realtime' } });
  judge.check('ready', await cut.request('/readyz', stranger));

  const upgrade = (query, { key = relay.key, headers = {} } = {}) =>
    relay.request(`/v1/realtime${query}`, {
      key,
      headers: {
        connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers,
      },
    });
  judge.check('connect', await upgrade('?intent=x'));
  judge.check('connect', await upgrade('', { key: 'ek_none' }));
  const offered = { 'sec-websocket-protocol': `realtime, openai-insecure-api-key.${token}` };
  judge.check('connect', await upgrade('', { key: null, headers: { ...offered, origin: 'https://elsewhere.test' } }));
  judge.check('connect', await upgrade('?session=other', { key: ownToken.key }));
  judge.check('connect', await upgrade('', { headers: { 'sec-websocket-version': '8' } }));
  judge.seen.add('connect 101'); // the conversations above connected

  const retention = '/v1/retention';
  await expect(200, 'showRetention', retention);
  await expect(401, 'showRetention', retention, stranger);
  await expect(403, 'showRetention', retention, as);
  await expect(200, 'applyRetention', retention, { body: { older_than: '30d' } });
  await expect(200, 'applyRetention', retention, { body: { older_than: '30d', dry_run: true } });
  await expect(400, 'applyRetention', retention);
  await expect(401, 'applyRetention', retention, stranger);
  await expect(403, 'applyRetention', retention, as);

  const end = '/v1/sessions/none/end';
  const ready = `/v1/sessions/${(await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } })).json.id}/end`;
  await expect(200, 'endSession', `${mine}/end`);
  await expect(400, 'endSession', `${mine}/end`, { body: { reason: 7 } });
  await expect(401, 'endSession', end, stranger);
  await expect(403, 'endSession', `${mine}/end`, as);
  await expect(404, 'endSession', end);
  await expect(409, 'endSession', ready);

  await expect(409, 'eraseSession', `/v1/sessions/${live.id}`);
  await expect(401, 'eraseSession', mine, stranger);
  await expect(403, 'eraseSession', mine, as);
  await expect(404, 'eraseSession', '/v1/sessions/none');
  await expect(204, 'eraseSession', mine);
  await live.close();

  // 409: only while a session's last connection is closing; another test makes that last long enough. 202: only
  // while the disk does not answer, or while another process reads the files. A relay is alone, or it is not.
  const other = relay.first ? 'showFleet 404' : 'showFleet 200';
  assert.deepEqual(judge.unseen(), ['connect 409', 'eraseSession 202', 'endSession 202', other]);
});

test("another user's token gets 404 on every route of a session, with every described method [P10]", async (t) => {
  const relay = await startRelay(t, { key: makeKey() });
  const document = await described(relay);
  const body = { user: 'ada', metadata: { secret: 'planted' } };
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body });
  const foreign = await relay.mint({ user: 'eve' });
  let walked = 0;
  for (const { path, method, security } of operations(document)) {
    if (!/sessions\/\{id\}/.test(path) || !security.some((one) => one.clientToken)) continue;
    const ask = (id) =>
      relay.request(path.replace('{id}', id), {
        method: method.toUpperCase(),
        key: foreign,
        ...(method === 'get' ? {} : { body: { role: 'user', text: 'x' } }),
      });
    const hers = await ask(json.id);
    assert.equal(hers.status, 404, `${method} ${path}: ${hers.text}`);
    assert.equal(hers.text, (await ask('sess_of_nobody')).text, 'it does not reveal that there is one');
    ++walked;
  }
  assert.equal(walked, 5);
  // Endpoints that a token may not use at all change nothing and show nothing.
  for (const { path, method, security } of operations(document)) {
    if (security.length === 0 || security.some((one) => one.clientToken)) continue;
    const answer = await relay.request(path.replace('{id}', json.id), { method: method.toUpperCase(), key: foreign, body: {} });
    assert.ok([401, 403, 404].includes(answer.status), `${method} ${path}: ${answer.status}`);
    assert.ok(!answer.text.includes('planted'));
  }
  assert.deepEqual((await relay.request(`/v1/sessions/${json.id}`)).json.metadata, body.metadata);
});
