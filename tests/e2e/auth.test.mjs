// Authentication: which credentials are accepted, and the answers to all others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, refusal, run, startRelay, startSimulator } from './support/verbatim.mjs';

async function start(t, set = []) {
  return startRelay(t, { simulator: await startSimulator(t), set });
}

function assertRefused(answer, status) {
  assert.equal(answer.status, status, answer.text);
  const { error } = answer.json;
  assert.deepEqual(Object.keys(error).sort().filter((k) => k !== 'param'), ['code', 'message', 'type']);
}

test('a token is good as a bearer and as a subprotocol [P9]', async (t) => {
  const relay = await start(t);
  const token = await relay.mint({ user: 'ada' });
  assert.match(token, /^ek_/);
  const bearer = await Client.connect(t, relay, { token });
  await bearer.event('session.created');
  const page = await Client.connect(t, relay, {
    protocols: ['realtime', `openai-insecure-api-key.${await relay.mint({ user: 'grace' })}`],
  });
  assert.equal(page.socket.protocol, 'realtime');
  await page.event('session.created');
});

test('no token, a wrong one and an expired one are refused', async (t) => {
  const relay = await start(t);
  assertRefused(await refusal(relay), 401);
  assertRefused(await refusal(relay, { token: 'ek_wrong' }), 401);
  const token = await relay.mint({ user: 'ada' });
  assertRefused(await refusal(relay, { token: `${token.slice(0, -2)}xx` }), 401);
  const secret = ['--set', `server.data_dir=${relay.dataDir}`];
  const old = await run(['token', '--user', 'ada', '--ttl', '1s', ...secret]);
  assert.equal(old.code, 0, old.stderr);
  // The token expires by the server's clock: only another request shows it.
  let answer;
  for (let attempt = 0; !answer && attempt < 5000; ++attempt) {
    answer = await refusal(relay, { token: old.stdout.trim().split(/\s/).at(-1) }).catch(() => {});
  }
  assertRefused(answer, 401);
});

test('a page of another origin is refused', async (t) => {
  const relay = await start(t, ['server.allowed_origins=https://App.example.com:443']);
  const token = await relay.mint({ user: 'ada' });
  const from = (origin) => ({
    protocols: ['realtime', `openai-insecure-api-key.${token}`],
    headers: { origin },
  });
  assertRefused(await refusal(relay, from('https://evil.example')), 403);
  for (const origin of ['https://app.example.com', 'https://APP.example.com', relay.url]) {
    const client = await Client.connect(t, relay, from(origin));
    await client.event('session.created');
    await client.close();
  }
  // A client that sends the token in a header is not a web page, so its Origin header does not matter.
  for (const header of [{ authorization: `Bearer ${token}` }, { 'api-key': token }]) {
    const client = await Client.connect(t, relay, {
      token: null, headers: { ...header, origin: 'https://evil.example' } });
    await client.event('session.created');
    await client.close();
  }
});

test("the API requires the back end's key", async (t) => {
  const relay = await start(t);
  for (const key of [undefined, 'vk_wrong']) {
    assert.equal((await relay.request('/v1/sessions', { key })).status, 401);
    const mint = { key, method: 'POST', body: {} };
    assert.equal((await relay.request('/v1/realtime/client_secrets', mint)).status, 401);
  }
});

test("another user's session does not exist for a token", async (t) => {
  const relay = await start(t);
  const hers = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ada' }) });
  await hers.ask('Hello?');
  const other = await relay.mint({ user: 'grace' });
  const path = `/v1/sessions/${hers.id}/transcript`;
  assert.equal((await relay.request(path, { key: other })).status, 404);
  assertRefused(await refusal(relay, { token: other, query: { session: hers.id } }), 404);
});

test("a token for a user opens that user's sessions, one for a session only that one", async (t) => {
  const relay = await start(t);
  const open = await relay.mint({ user: 'ada' });
  const first = await Client.connectWithId(t, relay, { token: open, query: { session: 'ada-1' } });
  assert.equal(first.id, 'ada-1');
  await first.close();
  const bound = await relay.mint({ user: 'ada', session_id: 'ada-2' });
  assertRefused(await refusal(relay, { token: bound, query: { session: 'ada-1' } }), 404);
  const grace = await relay.mint({ user: 'grace' });
  assertRefused(await refusal(relay, { token: grace, query: { session: 'ada-1' } }), 404);
});

test("a token's settings are in force before the client's first message", async (t) => {
  const relay = await start(t);
  const session = { type: 'realtime', instructions: 'Be brief.' };
  const token = await relay.mint({ user: 'ada', metadata: { course: '7' } }, session);
  const client = await Client.connectWithId(t, relay, { token });
  const created = await client.event('session.created');
  assert.equal(created.session.instructions, 'Be brief.');
  assert.ok(created.session.audio.input.transcription.model, 'its speech will be transcribed');
  await client.close();
  const kept = await relay.request(`/v1/sessions/${client.id}`);
  assert.equal(kept.json.user, 'ada');
  assert.deepEqual(kept.json.metadata, { course: '7' });
});

test('secrets show nowhere [P10]', async (t) => {
  const relay = await start(t);
  const token = await relay.mint({ user: 'ada' });
  const client = await Client.connect(t, relay, { token });
  await client.ask('Hello?');
  await client.close();
  const metrics = await relay.request('/metrics', { key: undefined });
  await relay.program.stop();
  for (const secret of [token, relay.key, 'sk-simulated-provider']) {
    for (const seen of [relay.program.stderr, relay.program.stdout, metrics.text]) {
      assert.ok(!seen.includes(secret));
    }
    assert.ok(client.frames.every((frame) => !frame.includes(secret)));
  }
});

test('requests that are not an upgrade, or are not supported, are refused with their status', async (t) => {
  const relay = await start(t);
  const token = await relay.mint({ user: 'ada' });
  assertRefused(await relay.request('/v1/realtime', { key: token }), 426);
  assertRefused(await refusal(relay, { token, query: { call_id: 'rtc_1' } }), 400);
});

test('one session too many is refused for now', async (t) => {
  const relay = await start(t, ['session.sessions_max=1']);
  const first = await Client.connect(t, relay);
  await first.event('session.created');
  const answer = await refusal(relay, { token: await relay.mint() });
  assertRefused(answer, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
});

test('without keys and on a loopback address, anyone on this machine gets in', async (t) => {
  const simulator = await startSimulator(t);
  const open = await startRelay(t, { simulator, key: null });
  await (await Client.connect(t, open, { token: null })).event('session.created');
  const strict = await startRelay(t, { simulator, key: null, set: ['auth.development=false'] });
  assertRefused(await refusal(strict), 401);
});
