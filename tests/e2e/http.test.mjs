// The HTTP API and the operator's pages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, makeKey, run, startRelay, startSimulator } from './support/verbatim.mjs';

async function conversation(t, relay, options) {
  const client = await Client.connectWithId(t, relay, options);
  await client.ask('What time is it?');
  await client.close();
  await relay.transcript(client.id);
  return client.id;
}

function assertProblem(answer, status) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.type, /^application\/problem\+json/);
  assert.equal(answer.json.status, status);
  assert.ok(answer.json.title);
}

test('sessions are listed, filtered, paged, shown and erased', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const ids = [];
  for (const user of ['ada', 'ada', 'grace']) {
    ids.push(await conversation(t, relay, { token: await relay.mint({ user }) }));
  }
  const all = await relay.request('/v1/sessions');
  assert.deepEqual(all.json.sessions.map(({ id }) => id), [...ids].reverse());
  const adas = await relay.request('/v1/sessions?user=ada&limit=1');
  assert.deepEqual(adas.json.sessions.map(({ id }) => id), [ids[1]]);
  assert.ok(adas.json.next_cursor);
  const shown = await relay.request(`/v1/sessions/${ids[0]}`);
  assert.equal(shown.json.status, 'final');
  assert.equal(shown.json.close_reason, 'client_closed');
  const erased = await relay.request(`/v1/sessions/${ids[0]}`, { method: 'DELETE' });
  assert.ok([200, 204].includes(erased.status));
  assertProblem(await relay.request(`/v1/sessions/${ids[0]}`), 404);
  assertProblem(await relay.request(`/v1/sessions/${ids[0]}/transcript`), 404);
});

test('a transcript has six formats and an ETag', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const id = await conversation(t, relay);
  const path = `/v1/sessions/${id}/transcript`;
  const json = await relay.request(path);
  assert.deepEqual(json.json.turns.map(({ ordinal }) => ordinal), [1, 2]);
  const unchanged = await relay.request(path, { headers: { 'if-none-match': json.headers.etag } });
  assert.equal(unchanged.status, 304);
  for (const format of ['jsonl', 'text', 'markdown', 'vtt', 'srt']) {
    const answer = await relay.request(`${path}?format=${format}`);
    assert.equal(answer.status, 200, format);
    assert.ok(answer.text.includes('What time is it?'), format);
  }
  assert.ok((await relay.request(`${path}?format=vtt`)).text.startsWith('WEBVTT'));
  assertProblem(await relay.request(`${path}?format=pdf`), 400);
});

test('bad requests are refused with a problem that gives the reason', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: ['server.body_bytes_max=64KiB'],
  });
  const id = await conversation(t, relay);
  const path = `/v1/sessions/${id}/transcript`;
  assertProblem(await relay.request('/v1/sessions/sess_unknown'), 404);
  assertProblem(await relay.request('/no/such/page'), 404);
  for (const query of ['attempt=0', 'attempt=x', 'wait=-1', 'format=pdf']) {
    assertProblem(await relay.request(`${path}?${query}`), 400);
  }
  for (const query of ['status=odd', 'limit=0', 'since=yesterday', 'color=red', 'cursor=', 'cursor=x', 'cursor=-1', `cursor=${'9'.repeat(30)}`]) {
    assertProblem(await relay.request(`/v1/sessions?${query}`), 400);
  }
  assertProblem(await relay.request(`${path}?attempt=2`), 404);
  const mint = (body) => relay.request('/v1/realtime/client_secrets', { method: 'POST', body });
  for (const body of ['{"session":', '[]', { session: 1 }, { verbatim: { user: 7 } },
    { expires_after: { seconds: 5 } }, { verbatim: { session_id: 'no spaces' } }]) {
    const answer = await mint(body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.ok(answer.json.error.message);
  }
  const tooLarge = await mint({ session: { instructions: 'x'.repeat(100_000) } });
  assert.equal(tooLarge.status, 413);
  assert.match(tooLarge.json.error.message, /server\.body_bytes_max/);
  assertProblem(await relay.request(path, { method: 'PUT', body: {} }), 405);
});

test('health, readiness, version and metrics need no key and hold no text [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  await conversation(t, relay);
  for (const path of ['/healthz', '/readyz', '/version']) {
    assert.equal((await relay.request(path, { key: undefined })).status, 200, path);
  }
  const { text } = await relay.request('/metrics', { key: undefined });
  for (const name of [
    'verbatim_sessions{',
    'verbatim_sessions_ended_total{',
    'verbatim_messages_total{',
    'verbatim_journal_wait_seconds_bucket{',
    'verbatim_turns_total{',
    'verbatim_relay_delay_seconds_bucket{',
  ]) {
    assert.ok(text.includes(name), name);
  }
  assert.ok(!text.includes('What time'));
  assert.ok(!relay.program.stderr.includes('What time'), 'a log line holds what was said');
});

test('the command line sees the same sessions beside a running server', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const id = await conversation(t, relay);
  const store = ['--set', `server.data_dir=${relay.dataDir}`];
  const listed = await run(['sessions', 'list', ...store]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.ok(listed.stdout.includes(id));
  assert.equal((await run(['sessions', 'show', id, ...store])).code, 0);
  assert.equal((await run(['sessions', 'show', 'sess_unknown', ...store])).code, 3);
});

test('metrics can have a listener of their own', async (t) => {
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    key: makeKey(),
    set: ['metrics.listen=127.0.0.1:0'],
  });
  assert.equal((await relay.request('/metrics', { key: undefined })).status, 404);
});

test('a session is made once for one idempotency key, and its metadata can be changed', async (t) => {
  const relay = await startRelay(t);
  const make = (body, key) =>
    relay.request('/v1/sessions', { method: 'POST', body, headers: { 'idempotency-key': key } });
  const first = await make({ user: 'ada', metadata: { course: 'a' } }, 'k1');
  const again = await make({ user: 'ada', metadata: { course: 'a' } }, 'k1');
  assert.deepEqual([first.status, again.status], [201, 200]);
  assert.equal(again.json.id, first.json.id);
  assert.equal(again.headers['idempotent-replayed'], 'true');
  assert.equal((await make({ user: 'eve' }, 'k1')).status, 422);
  const elsewhere = { session_id: 'elsewhere', user: 'ada' };
  assert.equal((await make(elsewhere, 'k1')).status, 422);
  assert.equal((await make(elsewhere, 'k3')).status, 201);
  assert.equal((await make({ ...elsewhere, session_id: 'other' }, 'k3')).status, 422);
  assert.equal((await make(elsewhere, 'k4')).status, 200);
  assert.equal((await make({ ...elsewhere, user: 'eve' }, 'k5')).status, 404);
  assert.notEqual((await make({ user: 'ada' }, 'k2')).json.id, first.json.id);
  const path = `/v1/sessions/${first.json.id}`;
  const patched = await relay.request(path, {
    method: 'PATCH',
    body: { metadata: { course: null, grade: 'B' } },
  });
  assert.deepEqual(patched.json.metadata, { grade: 'B' });
  const retried = await make({ user: 'ada', metadata: { course: 'a' } }, 'k1');
  assert.deepEqual([retried.status, retried.json.id], [200, first.json.id]);
  assert.deepEqual(retried.json.metadata, { grade: 'B' });
  const unchanged = await relay.request(path, {
    headers: { 'if-none-match': patched.headers.etag },
  });
  assert.equal(unchanged.status, 304);
  assert.equal(
    (await relay.request('/v1/sessions/none', { method: 'PATCH', body: {} })).status,
    404,
  );
  assert.equal(
    (await relay.request('/v1/sessions', { method: 'POST', body: { color: 1 } })).status,
    400,
  );
});

test('`verbatim health` asks a relay that listens on an IPv6 address', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: ['server.listen=[::1]:0'] });
  const { code, stdout, stderr } = await run(['health', '--url', `${relay.url}/readyz`]);
  assert.equal(code, 0, stdout + stderr);
});
