// The life of a client token: after its expiry it stays valid for the sessions it opened, opens no new ones,
// and ends when it is revoked.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { Watcher } from './support/events.mjs';
import { Client, makeKey, refusal, run, startRelay, startSimulator, temporaryDirectory, within } from './support/verbatim.mjs';

const goesOn = ['session.resume_window=60s', 'upstream.reconnect_attempts_max=3'];

/** A relay whose tokens are good for a moment: long enough to connect, also on a busy machine. */
async function start(t, set = []) {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { simulator, set: [...goesOn, 'auth.token_ttl=4s', ...set] });
  return Object.assign(relay, { simulator });
}

async function mint(relay, verbatim, more = {}) {
  const answer = await relay.request('/v1/realtime/client_secrets', {
    method: 'POST',
    body: { verbatim, ...more },
  });
  assert.equal(answer.status, 200, answer.text);
  return { token: answer.json.value, id: answer.json.verbatim.token_id, session: answer.json.verbatim.session_id };
}

const lasting = { expires_after: { anchor: 'created_at', seconds: 600 } };

async function listed(relay, query = '') {
  const { json, text } = await relay.request(`/v1/client_secrets${query}`);
  assert.ok(json.client_secrets, text);
  return json.client_secrets;
}

/** The server's clock decides. */
async function expiry(relay, id) {
  await eventually(
    async () => (await listed(relay)).every((one) => one.id !== id || one.expired),
    'the end of the token\'s time',
  );
}

/** A conversation whose token has expired, on a connection that has just been lost. */
async function dropped(t, relay, verbatim, query = {}, session) {
  const made = await mint(relay, verbatim, session ? { session } : {});
  const client = await Client.connectWithId(t, relay, { token: made.token, query });
  await client.event('session.created');
  await client.ask('Before the drop?');
  await expiry(relay, made.id);
  await client.ask('Is a running conversation ended by its token?');
  client.socket.terminate();
  return { ...made, session: client.id, received: client.frames.length };
}

const copy = { writer: 'client', turns: [{ role: 'user', text: 'Before the drop?', ordinal: 1 }] };

/** The requests of a page with its token at the end of a conversation. */
async function assertOwn(relay, { token, session }, status = 200) {
  const path = `/v1/sessions/${session}`;
  const seen = {
    session: await relay.request(path, { key: token }),
    transcript: await relay.request(`${path}/transcript`, { key: token }),
    post: await relay.request(`${path}/transcript`, { key: token, method: 'POST', body: copy }),
    compatible: await relay.request(`/api/sessions/${session}/transcript`, { key: token, method: 'POST', body: copy }),
  };
  for (const [what, answer] of Object.entries(seen)) assert.equal(answer.status, status, `${what}: ${answer.text}`);
}

describe('an expired token', { concurrency: 8 }, () => {
  test('comes back to its conversation, reads it and posts to it [P8]', async (t) => {
    const relay = await start(t);
    const it = await dropped(t, relay, { user: 'ann' });
    await assertOwn(relay, it);
    const back = await Client.connectWithId(t, relay, {
      token: it.token,
      query: { session: it.session, after: String(it.received) },
    });
    assert.equal(back.events[0].resumed, true);
    assert.equal(back.id, it.session);
    await back.ask('Am I the same?');
    back.socket.terminate();
    // A client without session ids connects like a web page.
    const page = await Client.connect(t, relay, {
      protocols: ['realtime', `openai-insecure-api-key.${it.token}`],
    });
    await page.event('session.created');
    await page.ask('And I?');
    const watcher = await Watcher.open(t, relay, it.session, { key: it.token });
    assert.equal(watcher.status, 200);
    page.send({ type: 'verbatim.end' });
    await within(page.closed, 'the end');
    await watcher.session('final');
    await assertOwn(relay, it);
    const { turns, attempt } = await relay.transcript(it.session);
    assert.equal(attempt, 1);
    assert.equal(turns.filter(({ role }) => role === 'user').length, 4);
  });

  for (const [what, verbatim, query] of [
    ['bound to a session', { user: 'ann', session_id: 'ann-1' }, {}],
    ['for any session of its user', { user: 'ann' }, { session: 'ann-2' }],
    ['of a user without a name', {}, {}],
  ]) {
    test(`does so if it is ${what} [P8]`, async (t) => {
      const relay = await start(t);
      const it = await dropped(t, relay, verbatim, query);
      await assertOwn(relay, it);
      const back = await Client.connectWithId(t, relay, { token: it.token, query: { session: it.session } });
      assert.equal(back.events[0].resumed, true);
      await back.ask('Still here?');
    });
  }

  test('that joined a session another token had opened can resume it, too [P8]', async (t) => {
    const relay = await start(t);
    const first = await mint(relay, { user: 'ann' }, lasting);
    const one = await Client.connectWithId(t, relay, { token: first.token, query: { session: 'ann-1' } });
    await one.ask('Before the drop?');
    one.socket.terminate();
    const it = await dropped(t, relay, { user: 'ann' }, { session: 'ann-1' });
    const back = await Client.connectWithId(t, relay, { token: it.token, query: { session: 'ann-1' } });
    assert.equal(back.events[0].resumed, true);
    await assertOwn(relay, it);
  });

  test('keeps its settings and its limits over a restart [P8]', async (t) => {
    const relay = await start(t, ['server.restart=handover']);
    const terms = { user: 'ann', policy: { locked: ['instructions'] } };
    const it = await dropped(t, relay, terms, {}, { type: 'realtime', instructions: 'Be brief.' });
    assert.equal((await relay.program.stop('SIGTERM')).code, 0);
    const next = await startRelay(t, {
      simulator: relay.simulator,
      dataDir: relay.dataDir,
      key: relay.keyPair,
      set: [...goesOn, 'server.restart=handover'],
    });
    await mint(next, { user: 'bob' }); // making a token removes those without further use
    const back = await Client.connectWithId(t, next, { token: it.token });
    const created = await back.event('session.created');
    assert.equal(created.session.instructions, 'Be brief.');
    back.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Be long.' } });
    assert.equal((await back.event('error')).error.code, 'field_locked');
    await assertOwn(next, it);
  });

  test('opens nothing new', async (t) => {
    const relay = await start(t);
    const it = await dropped(t, relay, { user: 'ann' });
    for (const query of [{ session: 'ann-new' }, { session: 'ann-new', after: '0' }]) {
      const answer = await refusal(relay, { token: it.token, query });
      assert.equal(answer.status, 401, answer.text);
      assert.equal(answer.json.error.code, 'token_expired');
    }
    assert.equal((await relay.request('/v1/sessions/ann-new')).status, 404);
    const back = await Client.connectWithId(t, relay, { token: it.token });
    back.send({ type: 'verbatim.end' });
    await within(back.closed, 'the end');
    // Its session has ended: connecting would open a new attempt.
    assert.equal((await refusal(relay, { token: it.token })).status, 401);
    const { json } = await relay.request(`/v1/sessions/${it.session}`);
    assert.equal(json.attempts.length, 1);
    // It was never valid for back-end calls.
    const asked = await relay.request('/v1/sessions', { key: it.token });
    assert.equal(asked.status, 401, asked.text);
  });

  test('that was never used opens nothing', async (t) => {
    const relay = await start(t);
    const made = { session_id: 'ahead', user: 'ann' };
    assert.equal((await relay.request('/v1/sessions', { method: 'POST', body: made })).status, 201);
    const { token, id, session } = await mint(relay, made);
    await expiry(relay, id);
    await assertOwn(relay, { token, session }, 401);
    assert.equal((await refusal(relay, { token })).status, 401);
  });

  test("is over when its session's window is, and does not come to life again with the session", async (t) => {
    const relay = await start(t, ['session.resume_window=1s']);
    const it = await dropped(t, relay, { user: 'ann', session_id: 'ann-1' });
    await relay.transcript(it.session);
    const gone = async () => (await relay.request('/v1/sessions/ann-1', { key: it.token })).status === 401;
    await eventually(gone, 'the end of the window');
    await assertOwn(relay, it, 401);
    const fresh = await mint(relay, { user: 'ann', session_id: 'ann-1' }, lasting);
    const again = await Client.connectWithId(t, relay, { token: fresh.token });
    await again.ask('A second attempt?');
    await assertOwn(relay, it, 401);
    assert.equal((await refusal(relay, { token: it.token })).status, 401);
    await again.ask('Am I alone?');
  });

  test('comes back to nothing where nothing is kept for a client that comes back', async (t) => {
    const relay = await start(t, ['session.resume_window=0s']);
    const { token, id } = await mint(relay, { user: 'ann' });
    const client = await Client.connectWithId(t, relay, { token });
    await client.ask('Am I undisturbed?');
    await expiry(relay, id);
    assert.equal((await refusal(relay, { token, query: { session: client.id } })).status, 401);
    await client.ask('Still?');
  });
});

describe('a token that is revoked', { concurrency: 8 }, () => {
  const revoke = async (relay, id) => {
    const answer = await relay.request(`/v1/client_secrets/${id}`, { method: 'DELETE' });
    assert.equal(answer.status, 204, answer.text);
    assert.equal(answer.text, '');
  };

  async function assertRefused(relay, { token, session }) {
    await assertOwn(relay, { token, session }, 401);
    for (const query of [{}, { session }]) {
      const answer = await refusal(relay, { token, query });
      assert.equal(answer.status, 401, answer.text);
      assert.equal(answer.json.error.code, 'token_revoked');
    }
    assert.equal((await Watcher.open({ after() {} }, relay, session, { key: token })).status, 401);
  }

  test('loses its connection with a reason; the session waits for another token [P8][P10]', async (t) => {
    const relay = await start(t);
    const made = await mint(relay, { user: 'ann' }, lasting);
    const other = await mint(relay, { user: 'ann' }, lasting);
    const bystander = await Client.connectWithId(t, relay, { token: other.token });
    const client = await Client.connectWithId(t, relay, { token: made.token });
    await client.ask('May I go on?');
    await revoke(relay, made.id);
    const { code, reason } = await within(client.closed, 'the close');
    assert.equal(code, 3000);
    assert.match(reason, /revoked/);
    assert.equal((await client.event('error').catch(() => client.events.at(-1))).error.code, 'token_revoked');
    await assertRefused(relay, made);
    await bystander.ask('And I?');
    const fresh = await mint(relay, { user: 'ann', session_id: client.id }, lasting);
    const back = await Client.connectWithId(t, relay, { token: fresh.token });
    assert.equal(back.events[0].resumed, true);
    await back.ask('With another token?');
    await revoke(relay, made.id); // once more
    await back.ask('Still here?');
    // After the relay's next start it is still revoked.
    await relay.program.stop();
    const next = await startRelay(t, {
      simulator: relay.simulator, dataDir: relay.dataDir, key: relay.keyPair, set: goesOn });
    await assertRefused(next, made);
  });

  test('loses the connection that took over from another token [P10]', async (t) => {
    const relay = await start(t, ['server.threads=2']);
    const first = await mint(relay, { user: 'ann', session_id: 'ann-1' }, lasting);
    const second = await mint(relay, { user: 'ann', session_id: 'ann-1' }, lasting);
    const one = await Client.connectWithId(t, relay, { token: first.token });
    await one.ask('Am I first?');
    const two = await Client.connectWithId(t, relay, { token: second.token });
    assert.equal((await within(one.closed, 'its replacement')).code, 4000);
    await two.ask('Am I second?');
    await revoke(relay, first.id);
    await two.ask('Am I still there?');
    await revoke(relay, second.id);
    assert.equal((await within(two.closed, 'the close')).code, 3000);
  });

  test('loses its event stream and its long poll [P10]', async (t) => {
    const relay = await start(t);
    const made = await mint(relay, { user: 'ann' }, lasting);
    const client = await Client.connectWithId(t, relay, { token: made.token });
    await client.ask('Who watches?');
    const watcher = await Watcher.open(t, relay, client.id, { key: made.token });
    await watcher.text('Who watches?');
    const backEnds = await Watcher.open(t, relay, client.id);
    await backEnds.text('Who watches?');
    const poll = relay.request(`/v1/sessions/${client.id}/transcript?wait=60`, { key: made.token });
    await revoke(relay, made.id);
    await within(watcher.over, 'the end of the stream');
    assert.ok(!watcher.events.some(({ data }) => data.status === 'final'));
    assert.equal((await poll).status, 401);
    assert.ok(!backEnds.ended);
  });

  test('is revoked while it has expired, and while it waits to come back [P10]', async (t) => {
    const relay = await start(t);
    const it = await dropped(t, relay, { user: 'ann' });
    await revoke(relay, it.id);
    await assertRefused(relay, it);
  });

  test('made by the command line is listed and revoked like any other', async (t) => {
    const relay = await start(t);
    const made = await run(['token', '--user', 'ann', '--json', '--set', `server.data_dir=${relay.dataDir}`]);
    assert.equal(made.code, 0, made.stderr);
    const { value, token_id: id, session_id: session } = JSON.parse(made.stdout);
    assert.deepEqual((await listed(relay, '?user=ann')).map((one) => one.id), [id]);
    const client = await Client.connectWithId(t, relay, { token: value });
    await client.ask('Hello?');
    await revoke(relay, id);
    assert.equal((await within(client.closed, 'the close')).code, 3000);
    await assertRefused(relay, { token: value, session });
  });
});

test('valid tokens are listed, never with their value [P10]', async (t) => {
  const relay = await start(t);
  const ann = await mint(relay, { user: 'ann', session_id: 's1' }, lasting);
  const bob = await mint(relay, { user: 'bob' }, lasting);
  const short = await mint(relay, { user: 'ann' });
  const all = await listed(relay);
  assert.deepEqual(all.map(({ id }) => id), [short.id, bob.id, ann.id]);
  const [, , shown] = all;
  assert.equal(shown.user, 'ann');
  assert.equal(shown.session_id, 's1');
  assert.equal(shown.any_session_of_user, false);
  assert.equal(shown.expired, false);
  assert.equal(shown.expires_at - shown.created_at, 600);
  const text = JSON.stringify(all);
  for (const { token } of [ann, bob, short]) assert.ok(!text.includes(token.slice(3, 40)));
  assert.deepEqual((await listed(relay, '?user=ann&session=s1')).map(({ id }) => id), [ann.id]);
  await eventually(async () => (await listed(relay)).length === 2, 'the end of the short one');
  const page = await relay.request('/v1/client_secrets?limit=1');
  const rest = await listed(relay, `?limit=1&cursor=${page.json.next_cursor}`);
  assert.deepEqual([page.json.client_secrets[0].id, rest[0].id], [bob.id, ann.id]);
  for (const [path, options, status] of [
    ['/v1/client_secrets', { key: ann.token }, 403],
    ['/v1/client_secrets', { key: undefined }, 401],
    ['/v1/client_secrets?users=ann', {}, 400],
    [`/v1/client_secrets/${ann.id}`, { key: ann.token, method: 'DELETE' }, 403],
    ['/v1/client_secrets/cs_none', { method: 'DELETE' }, 404],
  ]) {
    const answer = await relay.request(path, options);
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
  }
});

describe('a token that is made can be used', { concurrency: 2 }, () => {
  // Private metadata with one-byte and longer characters, as one member and as many.
  const long = {
    'verbatim.metadata': (n) => ({ verbatim: { user: 'ann', metadata: { a: 'x'.repeat(n) } } }),
    'verbatim.metadata, of many members': (n) =>
      ({ verbatim: { user: 'ann', metadata: Object.fromEntries(Array.from({ length: n / 16 }, (_, i) => [`k${i}`, 'value'])) } }),
    'verbatim.metadata, in other letters': (n) => ({ verbatim: { user: 'ann', metadata: { a: '語'.repeat(n / 3) } } }),
    'verbatim.user': (n) => ({ verbatim: { user: 'u'.repeat(n) } }),
    'session.model': (n) => ({ session: { type: 'realtime', model: 'm'.repeat(n) } }),
  };
  for (const head of ['16KiB', '4KiB', '64KiB']) {
    test(`however long its parts are, with heads of ${head} [P11]`, async (t) => {
      const relay = await startRelay(t, { simulator: await startSimulator(t), set: [`server.header_bytes_max=${head}`] });
      for (const [name, body] of Object.entries(long)) {
        const seen = { 200: 0, 413: 0 };
        for (const n of [300, 1200, 2400, 6000, 9000, 9900, 10200, 10500, 12000, 16_000, 17_000, 44_000, 60_000]) {
          const made = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: body(n) });
          const place = `${name} of ${n}: ${made.text.slice(0, 200)}`;
          assert.ok(made.status in seen, place);
          ++seen[made.status];
          if (made.status === 413) {
            assert.ok(['token_too_long', 'too_large'].includes(made.json.error.code), place);
            assert.ok(made.json.error.message.includes(`'${name.split(',')[0]}' has `), place);
            continue;
          }
          const page = { protocols: ['realtime', `openai-insecure-api-key.${made.json.value}`], headers: { 'user-agent': 'M'.repeat(200) } };
          for (const options of [{ token: made.json.value }, page]) {
            const client = await Client.connect(t, relay, options).catch((error) => assert.fail(`${place}: ${error.message}`));
            client.socket.terminate();
          }
        }
        assert.ok(seen[200] > 0 && seen[413] > 0, `${name}: ${JSON.stringify(seen)}`);
      }
      const refused = await relay.request('/v1/realtime/sessions', { method: 'POST', body: { model: 'm'.repeat(60_000) } });
      assert.deepEqual([refused.status, refused.json.error.code], [413, 'token_too_long']);
    });
  }

  test('and the command line makes no other [P11]', async (t) => {
    const directory = temporaryDirectory(t);
    const make = (n) => run(['token', '--user', 'ann', '--metadata', JSON.stringify({ a: 'x'.repeat(n) }), '--set', `server.data_dir=${directory}`]);
    assert.equal((await make(9000)).code, 0);
    const refused = await make(12_000);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--metadata has 12008 bytes.*server\.header_bytes_max/);
    assert.equal(refused.stdout, '');
  });
});

describe('a back-end key that is taken away', { concurrency: 2 }, () => {
  const setting = (...keys) => `[auth]\napi_keys = [${keys.map(({ hash }) => `"${hash}"`).join(', ')}]\n`;
  const opened = async (t, relay, by) => {
    const made = await mint({ request: (path, options) => relay.request(path, { ...options, key: by.key }) }, { user: 'ada' }, lasting);
    return { ...made, client: await Client.connectWithId(t, relay, { token: made.token }) };
  };
  const refusedAs = async (relay, token) => (await refusal(relay, { token })).status;

  test('takes its tokens and their connections with it at SIGHUP, and no others [P10]', async (t) => {
    const file = join(temporaryDirectory(t), 'verbatim.toml');
    const [kept, gone] = [makeKey(), makeKey()];
    writeFileSync(file, setting(kept, gone));
    const relay = await startRelay(t, { simulator: await startSimulator(t), key: kept, config: file, set: goesOn });
    const theirs = await opened(t, relay, gone);
    const others = await opened(t, relay, kept);
    const unused = await mint({ request: (path, options) => relay.request(path, { ...options, key: gone.key }) }, { user: 'bob' }, lasting);
    writeFileSync(file, setting(kept));
    process.kill(relay.program.pid, 'SIGHUP');
    const { code, reason } = await within(theirs.client.closed, 'the end of a connection');
    assert.equal(code, 3000);
    assert.match(reason, /revoked/);
    for (const { token } of [theirs, unused]) assert.equal(await refusedAs(relay, token), 401);
    const read = await relay.request(`/v1/sessions/${theirs.session}/transcript`, { key: theirs.token });
    assert.deepEqual([read.status, read.json.error?.code ?? 'token_revoked'], [401, 'token_revoked']);
    await others.client.ask('Still there?');
    // The key returns; its tokens stay revoked.
    writeFileSync(file, setting(kept, gone));
    process.kill(relay.program.pid, 'SIGHUP');
    await eventually(async () => (await relay.request('/v1/sessions', { key: gone.key })).status === 200, 'the key');
    assert.equal(await refusedAs(relay, theirs.token), 401);
    await others.client.close();
  });

  test('ends sessions opened with the key itself, and none of a key that stays [P10]', async (t) => {
    const file = join(temporaryDirectory(t), 'verbatim.toml');
    const [kept, gone] = [makeKey(), makeKey()];
    writeFileSync(file, setting(kept, gone));
    const relay = await startRelay(t, { simulator: await startSimulator(t), key: kept, config: file, set: goesOn });
    const theirs = [];
    // In headers and in browsers' subprotocols, in both dialects; one resumes after a drop.
    for (const options of [
      { token: gone.key },
      { token: null, headers: { 'api-key': gone.key } },
      { token: null, protocols: ['realtime', `openai-insecure-api-key.${gone.key}`] },
      { token: gone.key, headers: { 'OpenAI-Beta': 'realtime=v1' } },
    ]) theirs.push(await Client.connectWithId(t, relay, options));
    const first = await Client.connectWithId(t, relay, { token: gone.key });
    await first.ask('Before the drop?');
    first.socket.terminate();
    const returned = await Client.connect(t, relay, { token: gone.key, query: { session: first.id, after: first.frames.length } });
    await returned.ask('And after it?');
    theirs.push(returned);
    const others = await Client.connectWithId(t, relay);
    const read = (key) => relay.request(`/v1/sessions/${others.id}/transcript?wait=60`, { key: key.key });
    const [poll, othersPoll] = [read(gone), read(kept)];
    const watcher = await Watcher.open(t, relay, others.id, { key: gone.key });
    const othersWatcher = await Watcher.open(t, relay, others.id);
    await others.ask('Who watches?');
    await Promise.all([watcher.text('Who watches?'), othersWatcher.text('Who watches?')]);
    writeFileSync(file, setting(kept));
    process.kill(relay.program.pid, 'SIGHUP');
    for (const client of theirs) {
      const { code, reason } = await within(client.closed, 'the end of a connection');
      assert.equal(code, 3000);
      assert.match(reason, /key has been revoked/);
      assert.equal(client.events.findLast(({ type }) => type === 'error').error.code, 'invalid_api_key');
    }
    await within(watcher.over, 'the end of the stream');
    assert.equal((await poll).status, 401);
    assert.equal((await refusal(relay, { token: gone.key })).status, 401);
    await others.ask('Still there?');
    await othersWatcher.text('Still there?');
    // Valid again, it opens conversations that stay open.
    writeFileSync(file, setting(kept, gone));
    process.kill(relay.program.pid, 'SIGHUP');
    await eventually(async () => (await relay.request('/v1/sessions', { key: gone.key })).status === 200, 'the key');
    const again = await Client.connectWithId(t, relay, { token: gone.key });
    await again.ask('Am I back?');
    await again.close();
    await others.close();
    assert.equal((await othersPoll).status, 200);
  });

  test('takes them with it at a restart, too, and one that stays keeps its own [P10]', async (t) => {
    const [kept, gone] = [makeKey(), makeKey()];
    const simulator = await startSimulator(t);
    const first = await startRelay(t, { simulator, key: kept, set: [...goesOn, `auth.api_keys=${kept.hash},${gone.hash}`] });
    const theirs = await opened(t, first, gone);
    const others = await opened(t, first, kept);
    await first.program.stop('SIGKILL');
    const next = await startRelay(t, { simulator, key: kept, dataDir: first.dataDir, set: goesOn });
    assert.equal(await refusedAs(next, theirs.token), 401);
    const back = await Client.connect(t, next, { token: others.token });
    await back.ask('Still there?');
    await back.close();
  });
});
