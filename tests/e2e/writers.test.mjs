// One transcript from many writers: agents and browsers that post their copies.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { Client, makeKey, request, startRelay, startSimulator } from './support/verbatim.mjs';

const line = (i) => ({
  role: i % 2 ? 'user' : 'assistant',
  text: `This is turn ${i} of the talk.`,
  ordinal: i,
});
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => line(from + i));
const texts = (transcript) => transcript.turns.map(({ text }) => text);

async function created(relay, body = {}) {
  const made = await relay.request('/v1/sessions', { method: 'POST', body });
  assert.equal(made.status, 201, made.text);
  return made.json.id;
}

const post = (relay, id, body, options = {}) =>
  relay.request(`/v1/sessions/${id}/transcript`, { method: 'POST', body, ...options });

const read = async (relay, id, query = '') =>
  (await relay.request(`/v1/sessions/${id}/transcript${query}`)).json;

test('an agent posts twenty turns and the browser fifteen of them: always twenty [P3]', async (t) => {
  const relay = await startRelay(t);
  const agent = { writer: 'agent', turns: lines(1, 20) };
  const browser = {
    writer: 'client',
    turns: lines(3, 17).map((turn, i) => ({ ...turn, ordinal: i })),
  };
  const whole = texts({ turns: lines(1, 20) });
  for (const order of [
    [agent, browser],
    [browser, agent],
    [browser, agent, browser, agent],
  ]) {
    const id = await created(relay);
    for (const copy of order) assert.equal((await post(relay, id, copy)).status, 200);
    assert.deepEqual(texts(await read(relay, id)), whole);
  }
  const id = await created(relay);
  const first = await post(relay, id, agent);
  assert.deepEqual(first.json, {
    attempt: 1,
    added: 20,
    extended: 0,
    unchanged: 0,
    turns: 20,
    complete: false,
    skipped: [],
  });
  const again = await post(relay, id, agent);
  assert.deepEqual(again.json, {
    attempt: 1,
    added: 0,
    extended: 0,
    unchanged: 20,
    turns: 20,
    complete: false,
    skipped: [],
  });
});

test('halves of two writers are one whole [P3]', async (t) => {
  const relay = await startRelay(t);
  const id = await created(relay);
  await post(relay, id, { writer: 'client', turns: lines(11, 20) });
  await post(relay, id, { writer: 'agent', turns: lines(1, 10) });
  const transcript = await read(relay, id);
  assert.deepEqual(texts(transcript), texts({ turns: lines(1, 20) }));
  assert.deepEqual(transcript.writers, ['agent', 'client']);
});

test('both at once, a thousand times: no turn is lost [P3]', async (t) => {
  const relay = await startRelay(t);
  const ids = await Promise.all(Array.from({ length: 20 }, () => created(relay)));
  const whole = texts({ turns: lines(1, 20) });
  for (let round = 0; round < 50; ++round) {
    await Promise.all(
      ids.flatMap((id) => {
        const from = 1 + (round % 6);
        return [
          post(relay, id, { writer: 'agent', turns: lines(1, 20) }),
          post(relay, id, { writer: 'client', turns: lines(from, from + 14) }),
        ];
      }),
    );
    if (round % 8) continue;
    for (const id of ids) assert.deepEqual(texts(await read(relay, id)), whole);
  }
  for (const id of ids) assert.deepEqual(texts(await read(relay, id)), whole);
});

test('copies complete turns that a disconnect cut off; the receipt says so [P3][P13]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const token = await relay.mint({ user: 'ada' });
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask('What time is it?');
  await client.close();
  const before = await relay.transcript(client.id);
  const turns = [
    ...before.turns.map(({ role, text }) => ({ role, text })),
    { role: 'user', text: 'One thing more, and then I must go.' },
  ];
  const answer = await request(`${relay.url}/v1/sessions/${client.id}/transcript`, {
    method: 'POST',
    key: token,
    body: { turns },
  });
  assert.deepEqual([answer.status, answer.json.added, answer.json.unchanged], [200, 1, 2]);
  const after = await read(relay, client.id);
  assert.deepEqual(
    after.turns.map(({ writers }) => writers),
    [['relay', 'client'], ['relay', 'client'], ['client']],
  );
  assert.equal(after.turns[0].item_id, before.turns[0].item_id);
  const shown = (await relay.request(`/v1/sessions/${client.id}`)).json;
  assert.equal(shown.turns, 3);
  assert.equal(shown.complete, after.complete);
});

test('copies that came before the conversation belong to its attempt; a later start opens the next', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const id = await created(relay, { session_id: 'early-bird', user: 'ada' });
  await post(relay, id, {
    writer: 'agent',
    turns: [{ role: 'assistant', text: 'The agent was here first.' }],
  });
  for (const attempt of [1, 2]) {
    const token = await relay.mint({ user: 'ada', session_id: id });
    const client = await Client.connectWithId(t, relay, { token });
    await client.ask('Hello?');
    await client.close();
    const transcript = await relay.transcript(id);
    assert.equal(transcript.attempt, attempt);
    assert.equal(transcript.turns.length, attempt === 1 ? 3 : 2);
  }
  const late = await post(relay, id, {
    writer: 'agent',
    attempt: 1,
    turns: [{ role: 'user', text: 'Hello?' }],
  });
  assert.deepEqual([late.json.attempt, late.json.added], [1, 0]);
  assert.equal((await post(relay, id, { attempt: 9, turns: [line(1)] })).status, 404);
});

test('a kill between two posts loses neither [P1][P3]', async (t) => {
  const first = await startRelay(t);
  const id = await created(first);
  await post(first, id, { writer: 'agent', turns: lines(1, 12) });
  await first.program.stop('SIGKILL');
  const key = makeKey();
  const second = await startRelay(t, { dataDir: first.dataDir, key });
  await post(second, id, { writer: 'client', turns: lines(8, 20) });
  assert.deepEqual(texts(await read(second, id)), texts({ turns: lines(1, 20) }));
});

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

test("agents' histories are accepted, and entries that are no turns are listed [P3]", async (t) => {
  const relay = await startRelay(t, { set: ['posts.turn_bytes_max=1KiB'] });
  const said = ['Where is my order?', 'I shall look.', 'It is on its way.', 'Thank you 🙂'];
  const histories = {
    livekit: [
      { id: 'item_a', type: 'message', role: 'system', content: ['Be kind.'] },
      { id: 'item_b', type: 'message', role: 'user', content: [said[0]], created_at: 1795470651.5 },
      { id: 'item_c', type: 'message', role: 'assistant', content: [said[1]], interrupted: false },
      { id: 'item_d', type: 'function_call', call_id: 'c1', name: 'look', arguments: '{}' },
      { id: 'item_e', type: 'function_call_output', call_id: 'c1', output: 'sent' },
      { id: 'item_f', type: 'message', role: 'assistant', content: [said[2]] },
      { id: 'item_g', type: 'message', role: 'user', content: [said[3]] },
    ],
    chat: [
      { role: 'developer', content: 'Be kind.' },
      { role: 'user', content: said[0] },
      { role: 'assistant', content: said[1], tool_calls: [{ id: 'c1' }] },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c2' }] },
      { role: 'tool', tool_call_id: 'c1', content: 'sent' },
      { role: 'assistant', content: [{ type: 'text', text: said[2] }] },
      { role: 'user', content: said[3] },
    ],
    items: [
      { type: 'message', role: 'USER', content: [{ type: 'input_audio', transcript: said[0] }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_audio', transcript: said[1] }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: said[2] }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: said[3] }] },
    ],
  };
  const together = await created(relay);
  for (const [writer, turns] of Object.entries(histories)) {
    const id = await created(relay);
    for (const where of [id, together]) {
      const answer = await post(relay, where, { writer, turns });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.skipped.length, turns.length - 4);
      for (const { index, why } of answer.json.skipped) {
        assert.ok(index < turns.length);
        assert.ok(why.length > 0);
      }
    }
    assert.deepEqual(texts(await read(relay, id)), said);
  }
  assert.deepEqual(texts(await read(relay, together)), said);
  const odd = await post(relay, together, {
    turns: [
      { role: 'user', content: 'x'.repeat(2000) },
      { role: 'dog', content: 'wow' },
      { role: 'assistant', content: said[1], started_at: 'at noon' },
    ],
  });
  assert.equal(odd.status, 200, odd.text);
  assert.deepEqual(
    odd.json.skipped.map(({ index }) => index),
    [0, 1, 2],
  );
  assert.deepEqual([odd.json.added, odd.json.turns], [0, 4]);
  const half = await post(relay, await created(relay), '[{"role":"user","text":"Oh \\ud83d"}]');
  assert.equal(half.status, 200, half.text);
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

/** A conversation that is over, with two turns that the relay has heard. */
async function ended(t, relay, options = {}) {
  const token = await relay.mint({ user: 'ada' });
  const client = await Client.connectWithId(t, relay, { token });
  await client.ask('What time is it?');
  await client.close();
  return { id: client.id, heard: (await relay.transcript(client.id)).turns, ...options };
}

const listed = async (relay, id) =>
  (await relay.request('/v1/sessions')).json.sessions.find((one) => one.id === id);

test('a post is answered when it is merged: later reads have it, lists too [P3]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const { id, heard } = await ended(t, relay);
  for (let i = 1; i <= 5; ++i) {
    const turns = [
      ...heard.map(({ role, text }) => ({ role, text })),
      ...lines(1, i).map(({ role, text }) => ({ role, text })),
    ];
    const answer = await post(relay, id, { writer: 'agent', turns });
    assert.deepEqual([answer.status, answer.json.turns], [200, heard.length + i], answer.text);
    assert.equal((await listed(relay, id)).turns, heard.length + i);
    assert.equal((await read(relay, id)).turns.length, heard.length + i);
  }
});

test('a kill amid posts loses none that was answered, and their merge is made good [P1][P3][P7]', async (t) => {
  const simulator = await startSimulator(t);
  let relay = await startRelay(t, { simulator });
  const { id, heard } = await ended(t, relay);
  const { dataDir } = relay;
  const before = heard.map(({ role, text }) => ({ role, text }));
  let next = 1;
  const answered = new Set();
  for (let round = 0; round < 3; ++round) {
    const first = next;
    next += 12;
    const posts = Array.from({ length: 12 }, async (_, i) => {
      // Unlike the other copies' text: a similar one would be another version of the same turn.
      const text = Array.from({ length: 4 }, () => randomBytes(4).toString('hex')).join(' ');
      const turns = [...before, { role: 'user', text }];
      const answer = await post(relay, id, { writer: `w${first + i}`, turns }).catch(() => null);
      if (answer?.status === 200) answered.add(text);
      return answer;
    });
    await Promise.race(posts);
    await relay.program.stop('SIGKILL');
    await Promise.all(posts);
    relay = await startRelay(t, { simulator, dataDir, key: makeKey() });
    const found = new Set(texts(await read(relay, id)));
    for (const text of answered) assert.ok(found.has(text), text);
    await eventually(async () => (await listed(relay, id)).turns === found.size, 'its counts');
  }
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

/** Only the head is sent; whatever comes back came without the body. */
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

test('an agent and a browser of the old product work unchanged, both at once [P3]', async (t) => {
  const service = randomBytes(16).toString('hex');
  const relay = await startRelay(t, { env: { VERBATIM_AUTH_INTERNAL_SERVICE_KEY: service } });
  const internal = { 'x-internal-service-key': service };
  const made = await relay.request('/api/internal/sessions', {
    method: 'POST',
    key: null,
    headers: internal,
    body: { type: 'training', assignmentId: 'a-17', userId: 'ada', scenarioId: 's-1' },
  });
  assert.equal(made.json.ok, true, made.text);
  const { sessionId, currentAttempt } = made.json.data;
  assert.equal(currentAttempt, 1);
  const old = (from, to) =>
    lines(from, to).map(({ role, text, ordinal }) => ({
      role,
      content: text,
      turnOrder: ordinal,
      attemptNumber: 1,
    }));
  const token = await relay.mint({ user: 'ada', session_id: sessionId });
  const answers = await Promise.all([
    relay.request(`/api/internal/sessions/${sessionId}/transcript`, {
      method: 'POST',
      key: null,
      headers: internal,
      body: { turns: old(1, 15) },
    }),
    ...old(10, 20).map((turn) =>
      relay.request(`/api/sessions/${sessionId}/transcript`, {
        method: 'POST',
        key: token,
        body: turn,
      }),
    ),
  ]);
  for (const answer of answers) assert.equal(answer.json.ok, true, answer.text);
  const shown = await relay.request('/api/external/assignments/a-17/transcript?attempt=1');
  assert.deepEqual(
    shown.json.data.turns.map(({ content }) => content),
    texts({ turns: lines(1, 20) }),
  );
  assert.deepEqual(shown.json.data.turns[0], {
    role: 'user',
    content: line(1).text,
    turnOrder: 1,
    attemptNumber: 1,
    status: 'completed',
  });
  const refused = await relay.request('/api/internal/sessions', {
    method: 'POST',
    key: null,
    body: {},
  });
  assert.equal(refused.status, 401);
  assert.deepEqual([refused.json.ok, typeof refused.json.error.message], [false, 'string']);
  const missing = await relay.request('/api/external/assignments/none/transcript');
  assert.deepEqual([missing.status, missing.json.ok], [404, false]);
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

const files = (directory) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath ?? entry.path, entry.name)));

test('an erased session leaves nothing of its copies in any file', async (t) => {
  const relay = await startRelay(t);
  const id = await created(relay, { metadata: { note: 'planted-in-metadata' } });
  await post(relay, id, { writer: 'agent', turns: [{ role: 'user', text: 'planted-in-a-copy' }] });
  assert.equal((await relay.request(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await relay.request(`/v1/sessions/${id}`)).status, 404);
  // The idle writer empties the WAL.
  await eventually(
    () => !files(relay.dataDir).some((bytes) => bytes.includes('planted-in')),
    'no trace',
  );
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
