// One transcript from many writers: agents and browsers that post their copies.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { created, line, lines, post, read, texts } from './support/posts.mjs';
import { Client, makeKey, request, startRelay, startSimulator } from './support/verbatim.mjs';

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

test("agents' histories are accepted, and entries that are not turns are listed [P3]", async (t) => {
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
