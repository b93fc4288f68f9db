// A session id is not a credential: an id of another user's session is answered like an unknown one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, refusal, run, startRelay, startSimulator } from './support/verbatim.mjs';

const turns = [{ role: 'user', text: 'I was never here.', ordinal: 1 }];

/** Every call that a client token may make of a session. */
function calls(id) {
  const post = { method: 'POST', body: { writer: 'client', turns } };
  return [
    [`/v1/sessions/${id}`],
    [`/v1/sessions/${id}/transcript`],
    [`/v1/sessions/${id}/transcript?attempt=all&format=text`],
    [`/v1/sessions/${id}/transcript?wait=5`],
    [`/v1/sessions/${id}/events`],
    [`/v1/sessions/${id}/transcript`, post],
    [`/v1/sessions/${id}/transcript`, { method: 'POST', body: 'no JSON' }],
    [`/api/sessions/${id}/transcript`, post],
  ];
}

/** A token of a back end that does not check whose session it is: signed, and bound to that session. */
async function bound(relay, user, id) {
  const made = await run(['token', '--user', user, '--session', id, '--json',
    '--set', `server.data_dir=${relay.dataDir}`]);
  assert.equal(made.code, 0, made.stderr);
  return JSON.parse(made.stdout).value;
}

async function start(t) {
  return startRelay(t, {
    simulator: await startSimulator(t),
    set: ['session.resume_window=60s'],
  });
}

/** Eve's token for a session that is to become Ada's: it had no user when the token was made. */
async function withForeignToken(t, id = 'ada-1') {
  const relay = await start(t);
  const token = await bound(relay, 'eve', id);
  const ada = await Client.connectWithId(t, relay, {
    token: await relay.mint({ user: 'ada', session_id: id }),
  });
  await ada.ask('What is my secret?');
  return { relay, token, ada };
}

async function assertNothingFound(relay, token, id) {
  for (const [path, options] of calls(id)) {
    const answer = await relay.request(path, { key: token, ...options });
    const what = `${options?.method ?? 'GET'} ${path}: ${answer.text}`;
    assert.equal(answer.status, 404, what);
    assert.ok(!answer.text.includes('secret'), what);
    // The same answer as for a session that does not exist.
    const absent = await relay.request(path.replace(id, 'absent'), { key: token, ...options });
    assert.equal(answer.text.replaceAll(id, 'absent'), absent.text, what);
  }
}

test('a token bound to another user\'s session finds nothing over HTTP, live or final [P10]', async (t) => {
  const { relay, token, ada } = await withForeignToken(t);
  await assertNothingFound(relay, token, 'ada-1');
  ada.send({ type: 'verbatim.end' });
  await ada.closed;
  await assertNothingFound(relay, token, 'ada-1');
  const { turns: kept, writers } = await relay.transcript('ada-1');
  assert.deepEqual(writers, ['relay']);
  assert.equal(kept[0].text, 'What is my secret?');
});

test('a token bound to another user\'s session opens and joins nothing [P10]', async (t) => {
  const { relay, token, ada } = await withForeignToken(t);
  for (const query of [{}, { session: 'ada-1' }, { session: 'ada-1', after: '0' }]) {
    assert.equal((await refusal(relay, { token, query })).status, 404);
  }
  const answered = await ada.ask('Am I still alone?');
  assert.equal(answered.at(-1).response.status, 'completed');
});

test('a session that was made ahead is its user\'s [P10]', async (t) => {
  const relay = await start(t);
  const token = await bound(relay, 'eve', 'made-ahead');
  const body = { session_id: 'made-ahead', user: 'ada', metadata: { grade: 'secret' } };
  assert.equal((await relay.request('/v1/sessions', { method: 'POST', body })).status, 201);
  await assertNothingFound(relay, token, 'made-ahead');
  assert.equal((await refusal(relay, { token })).status, 404);
});

test('no token is made for a session of another user [P10]', async (t) => {
  const { relay } = await withForeignToken(t);
  const mint = (path, body) => relay.request(path, { method: 'POST', body });
  for (const user of ['eve', 'Ada', 'ada ', undefined]) {
    const verbatim = { user, session_id: 'ada-1' };
    for (const answer of [
      await mint('/v1/realtime/client_secrets', { verbatim }),
      await mint('/v1/realtime/sessions', { model: 'gpt-realtime', verbatim }),
    ]) {
      assert.equal(answer.status, 404, `${user}: ${answer.text}`);
      assert.equal(answer.json.error.code, 'session_not_found');
    }
  }
  const own = await mint('/v1/realtime/client_secrets', { verbatim: { user: 'ada', session_id: 'ada-1' } });
  assert.equal(own.status, 200, own.text);
  const refused = await run(['token', '--user', 'eve', '--session', 'ada-1',
    '--set', `server.data_dir=${relay.dataDir}`]);
  assert.equal(refused.code, 3, refused.stdout);
  assert.equal(refused.stdout, '');
});
