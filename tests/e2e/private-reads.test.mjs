// Private data stays private: caches store none of it, and clients do not get the metadata for back ends.
// Refusals do not name the server's files, and clients cannot forge log lines.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { Watcher } from './support/events.mjs';
import { Client, request, run, startRelay, startSimulator } from './support/verbatim.mjs';

async function start(t, options = {}) {
  return startRelay(t, { simulator: await startSimulator(t), ...options });
}

const post = (relay, path, body) => relay.request(path, { method: 'POST', body });

test('no cache may keep tokens and private data; pages may be cached [P10]', async (t) => {
  const relay = await start(t);
  const token = await relay.mint({ user: 'ann' });
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask('Who keeps this?');
  await client.close();
  await relay.transcript(client.id); // it is final and does not change any more
  const path = `/v1/sessions/${client.id}`;
  const read = await relay.request(`${path}/transcript`);
  const watcher = await Watcher.open(t, relay, client.id);
  const answers = {
    token: await post(relay, '/v1/realtime/client_secrets', { verbatim: { user: 'ann' } }),
    beta: await post(relay, '/v1/realtime/sessions', { voice: 'alloy' }),
    tokens: await relay.request('/v1/client_secrets'),
    sessions: await relay.request('/v1/sessions'),
    session: await relay.request(path),
    own: await relay.request(path, { key: token }),
    transcript: read,
    unchanged: await relay.request(`${path}/transcript`, { headers: { 'if-none-match': read.headers.etag } }),
    refused: await relay.request(path, { key: undefined }),
    none: await relay.request('/v1/sessions/none'),
    events: { headers: watcher.answer.headers },
    metrics: await relay.request('/metrics'),
  };
  assert.equal(answers.unchanged.status, 304);
  for (const [what, { headers }] of Object.entries(answers)) assert.equal(headers['cache-control'], 'no-store', what);
  for (const page of ['/', '/openapi.json', '/web/conversation.js'])
    assert.notEqual((await relay.request(page)).headers['cache-control'], 'no-store', page);
});

test('HSTS is sent where the relay itself has TLS, and only there [P10]', async (t) => {
  const simulator = await startSimulator(t);
  const hstsOf = async (set, path, headers = {}) => {
    const relay = await startRelay(t, { simulator, set });
    const { headers: got } = await request(`${relay.url}${path}`, { headers });
    return got['strict-transport-security'];
  };
  for (const path of ['/', '/v1/sessions', '/healthz', '/nothing'])
    assert.equal(await hstsOf([], path), `max-age=${365 * 24 * 3600}`, path);
  assert.equal(await hstsOf(['tls.hsts_max_age=1h'], '/'), 'max-age=3600');
  assert.equal(await hstsOf(['tls.hsts_max_age=0s'], '/'), undefined);
  assert.equal(await hstsOf(['tls.enabled=false'], '/'), undefined);
  // Other servers on this machine use this name without TLS.
  for (const host of ['localhost', 'localhost:8443', 'app.LOCALHOST:8443'])
    assert.equal(await hstsOf([], '/', { host }), undefined, host);
});

test('the private half of the metadata is read by back ends only [P10]', async (t) => {
  const relay = await start(t, { set: ['session.resume_window=60s'] });
  const planted = { grade: 'planted-words' };
  const made = await post(relay, '/v1/realtime/client_secrets', {
    verbatim: { user: 'ann', metadata: { course: '7' }, private: planted },
  });
  assert.equal(made.status, 200, made.text);
  const token = made.json.value;
  assert.ok(!made.text.includes('planted-words'));
  const payload = Buffer.from(token.slice(3).split('.')[0], 'base64url').toString();
  assert.deepEqual(JSON.parse(payload).meta, { course: '7' });
  assert.ok(!payload.includes('planted-words'));
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask('What is my grade?');
  const path = `/v1/sessions/${client.id}`;
  const watcher = await Watcher.open(t, relay, client.id, { key: token });
  await watcher.text('What is my grade?');
  const own = await relay.request(path, { key: token });
  assert.deepEqual(own.json.metadata, { course: '7' });
  assert.ok(!('private' in own.json));
  for (const seen of [own.text, client.frames.join(), JSON.stringify(watcher.events),
    (await relay.request(`${path}/transcript`, { key: token })).text])
    assert.ok(!seen.includes('planted-words'));
  assert.deepEqual((await relay.request(path)).json.private, planted);
  assert.deepEqual((await relay.request('/v1/sessions')).json.sessions[0].private, planted);
  const patched = await relay.request(path, { method: 'PATCH', body: { private: { grade: null, final: 'B' } } });
  assert.deepEqual([patched.json.private, patched.json.metadata], [{ final: 'B' }, { course: '7' }]);
  const listed = await relay.request('/v1/client_secrets');
  assert.ok(!listed.text.includes('planted-words'));
  client.send({ type: 'verbatim.end' });
  await client.closed;
  const shown = await run(['sessions', 'show', client.id, '--set', `server.data_dir=${relay.dataDir}`]);
  assert.deepEqual(JSON.parse(shown.stdout).private, { final: 'B' });

  const ahead = await post(relay, '/v1/sessions', { user: 'bob', private: planted });
  assert.deepEqual(ahead.json.private, planted);
  for (const [wrong, status] of [[1, 400], [{ x: 'x'.repeat(20_000) }, 413]])
    assert.equal((await post(relay, '/v1/realtime/client_secrets', { verbatim: { private: wrong } })).status, status);
  assert.equal((await post(relay, '/v1/sessions', { private: { x: 'x'.repeat(20_000) } })).status, 413);
  // Erased from every file together with its session.
  assert.equal((await relay.request(path, { method: 'DELETE' })).status, 204);
  assert.equal((await relay.request(`/v1/sessions/${ahead.json.id}`, { method: 'DELETE' })).status, 204);
});

test("a refusal because of storage trouble says what to do, and names no file [P10][P6]", async (t) => {
  const relay = await start(t);
  const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ann' }) });
  await client.ask('Marked for damage');
  await client.close();
  await relay.transcript(client.id);
  await relay.program.stop();
  const file = join(relay.dataDir, 'verbatim.db');
  const at = readFileSync(file).indexOf('Marked for damage');
  assert.ok(at > 0);
  const damaged = openSync(file, 'r+');
  writeSync(damaged, Buffer.alloc(200, 0xff), 0, 200, Math.floor(at / 4096) * 4096);
  closeSync(damaged);
  const again = await startRelay(t, { simulator: await startSimulator(t), dataDir: relay.dataDir, key: relay.keyPair });
  for (const path of ['transcript', 'transcript?format=text', 'transcript?attempt=all', 'events']) {
    const answer = await again.request(`/v1/sessions/${client.id}/${path}`);
    assert.equal(answer.status, 503, path);
    assert.match(answer.json.detail, /restore it from a backup/);
    assert.ok(!answer.text.includes(relay.dataDir) && !answer.text.includes('verbatim.db'), answer.text);
  }
  assert.ok(again.program.stderr.includes(file), 'the log names it');
});

test('a client cannot forge a log line [P10]', async (t) => {
  for (const format of ['text', 'json']) {
    const relay = await start(t, { set: [`log.format=${format}`] });
    const nasty = 'eve\u001b[2J\u009b31m\u202e\u007f\u2028fake level=error';
    const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user: nasty }) });
    await client.close();
    await relay.transcript(client.id);
    await relay.program.logged('session.ended');
    const log = relay.program.stderr;
    assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/.test(log), JSON.stringify(log));
    assert.ok(log.includes('eve\\u001b[2J\\u009b31m\\u202e\\u007f\\u2028fake'));
    if (format === 'json') assert.ok(log.trim().split('\n').some((line) => JSON.parse(line).user === nasty));
    const list = await run(['sessions', 'list', '--set', `server.data_dir=${relay.dataDir}`]);
    assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/.test(list.stdout), JSON.stringify(list.stdout));
    await relay.program.stop();
  }
});
