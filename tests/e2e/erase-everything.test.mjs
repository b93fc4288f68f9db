// After an erasure no file holds any text of the session, however it got there. Meanwhile five other people talk.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from './support/cell.mjs';
import { holders, unnamedHolders } from './support/holders.mjs';
import { Client, makeKey, run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

/** At ten times the pace of speech: the crowd writes all the time, but does not fill the processor and the disk. */
const brisk = (t) => startSimulator(t, [], '0.1');

/** Five conversations that go on, a little at a time, until they are stopped or cut off. */
async function crowd(t, relay) {
  const people = await Promise.all(Array.from({ length: 5 }, () => Client.connectWithId(t, relay)));
  let over = false;
  const talking = people.map(async (one) => {
    try {
      while (!over) await one.ask('And then?');
    } catch (error) {
      if (!one.ended) throw error;
    }
  });
  return async () => {
    over = true;
    await Promise.all(talking);
  };
}

/** A receiver of webhooks that takes none. */
async function refusingReceiver(t) {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(500).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const file = join(temporaryDirectory(t), 'secret');
  writeFileSync(file, `whsec_${Buffer.alloc(24, 'w').toString('base64')}`, { mode: 0o600 });
  return `{url='http://127.0.0.1:${server.address().port}/', secret_file='${file}', allow_private=true, events=['session.started','session.ended','transcript.updated','turn.completed']}`;
}

const instructed = (planted) => ({ type: 'realtime', instructions: `Speak of ${planted}.` });
const all = (planted) => ({ metadata: { note: planted }, private: { note: planted, more: [planted] } });

/** A conversation with this token, to its end. */
async function talk(t, relay, token, planted, { session, times = 3 } = {}) {
  const client = await Client.connectWithId(t, relay, { token, query: session ? { session } : {} });
  for (let i = 0; i < times; i += 1) await client.ask(`${planted} ${i}?`);
  client.send({ type: 'verbatim.end' });
  await client.closed;
  await relay.transcript(client.id);
  return client;
}

const post = async (relay, id, writer, planted, turns = 40) => {
  const answer = await relay.request(`/v1/sessions/${id}/transcript`, {
    method: 'POST',
    body: {
      writer,
      turns: Array.from({ length: turns }, (_, i) => ({
        role: i % 2 ? 'assistant' : 'user',
        text: `${writer} ${planted} ${i}`,
      })),
    },
  });
  assert.equal(answer.status, 200, answer.text);
};

/** Things that may be left of a session. Each returns the ids of the sessions to erase. */
const ways = {
  'a token for any session of its user, whose first connection made the session': async (t, relay, planted) => {
    const token = await relay.mint({ user: 'ann', ...all(planted) }, instructed(planted));
    return [(await talk(t, relay, token, planted, { session: `s-${planted.slice(0, 8)}` })).id];
  },
  'the session that such a token itself names': async (t, relay, planted) => {
    const token = await relay.mint({ user: 'ann', ...all(planted) }, instructed(planted));
    return [(await talk(t, relay, token, planted)).id];
  },
  'several sessions of one such token': async (t, relay, planted) => {
    const token = await relay.mint({ user: 'ann', ...all(planted) }, instructed(planted));
    const ids = [1, 2, 3].map((n) => `s${n}-${planted.slice(0, 8)}`);
    for (const session of ids) await talk(t, relay, token, planted, { session, times: 1 });
    return ids;
  },
  'a token for this session alone': async (t, relay, planted) => {
    const session_id = `b-${planted.slice(0, 8)}`;
    const token = await relay.mint({ user: 'ann', session_id, ...all(planted) }, instructed(planted));
    await relay.mint({ user: 'ann', session_id, ...all(planted) }, instructed(planted)); // never used
    return [(await talk(t, relay, token, planted)).id];
  },
  'a token of no user': async (t, relay, planted) => {
    const token = await relay.mint(all(planted), instructed(planted));
    return [(await talk(t, relay, token, planted)).id];
  },
  'a session made ahead, and changed metadata': async (t, relay, planted) => {
    const made = await relay.request('/v1/sessions', {
      method: 'POST',
      headers: { 'idempotency-key': `k-${planted}` },
      body: { user: 'ann', ...all(planted) },
    });
    assert.equal(made.status, 201, made.text);
    const path = `/v1/sessions/${made.json.id}`;
    const patch = { metadata: { note: null, later: `${planted} later` }, private: { note: 'none' } };
    assert.equal((await relay.request(path, { method: 'PATCH', body: patch })).status, 200);
    return [made.json.id];
  },
  'copies that writers posted, while it went on and afterwards': async (t, relay, planted) => {
    const client = await Client.connectWithId(t, relay);
    await client.ask(planted);
    await Promise.all(['a', 'b', 'c'].map((writer) => post(relay, client.id, writer, planted)));
    await client.close();
    await relay.transcript(client.id);
    await Promise.all(['c', 'd', 'e'].map((writer) => post(relay, client.id, writer, planted, 60)));
    return [client.id];
  },
  'attempts, and a connection that was lost and came back': async (t, relay, planted) => {
    const session = `a-${planted.slice(0, 8)}`;
    const token = await relay.mint({ user: 'ann' });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const lost = await Client.connectWithId(t, relay, { token, query: { session } });
      await lost.ask(`${planted} before`);
      lost.socket.terminate();
      await talk(t, relay, token, planted, { session, times: 1 });
    }
    return [session];
  },
  'items so many that they were moved to a file without a name': async (t, relay, planted) => {
    const token = await relay.mint({ user: 'ann' });
    const client = await Client.connectWithId(t, relay, { token });
    for (let i = 0; i < 30; i += 1) await client.ask(`${planted} ${i}`);
    assert.notDeepEqual(unnamedHolders(relay.program.pid, planted), [], 'it was in that file');
    await client.close();
    await relay.transcript(client.id);
    return [client.id];
  },
  'one long item': async (t, relay, planted) => {
    const token = await relay.mint({ user: 'ann' });
    return [(await talk(t, relay, token, `${planted} `.repeat(20_000), { times: 1 })).id];
  },
};

describe('is in no file after an erasure, while five others talk [P10]:', () => {
  const cleanup = [];
  const forAll = { after: (what) => cleanup.push(what) };
  let relay, quiet, capture;
  before(async () => {
    capture = temporaryDirectory(forAll);
    relay = await startRelay(forAll, {
      simulator: await brisk(forAll),
      set: [
        `webhook.targets=[${await refusingReceiver(forAll)}]`,
        'webhook.settle=0s',
        'session.resume_window=500ms',
        'session.items_in_memory=4',
        'server.core_dumps=true', // otherwise this process could not look at the relay's open files
        `capture.dir=${capture}`,
      ],
    });
    quiet = await crowd(forAll, relay);
  });
  after(async () => {
    await quiet();
    for (const what of cleanup.reverse()) await what();
  });

  for (const [what, plant] of Object.entries(ways)) {
    test(what, async (t) => {
      const planted = randomUUID();
      const ids = await plant(t, relay, planted);
      assert.notDeepEqual(holders([relay.dataDir], planted), [], 'it was in the data directory');
      for (const id of ids) {
        const gone = await relay.request(`/v1/sessions/${id}`, { method: 'DELETE' });
        assert.equal(gone.status, 204, gone.text);
      }
      const left = () => [
        ...holders([relay.dataDir, capture], planted),
        ...unnamedHolders(relay.program.pid, planted),
      ];
      await eventually(() => left().length === 0, 'no trace in any file');
      // Later writes next to the erased rows do not bring the text back.
      for (let i = 0; i < 5; i += 1) {
        await relay.request('/v1/sessions');
        assert.deepEqual(left(), []);
      }
    });
  }
});

test('the token of an erased session that may open others opens them as before [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t), set: ['session.resume_window=60s'] });
  const planted = randomUUID();
  const token = await relay.mint({ user: 'ann', private: { note: planted } }, instructed(planted));
  assert.deepEqual(holders([relay.dataDir], planted), [], 'the token\'s data is not kept in the clear');
  await talk(t, relay, token, 'Hello', { session: 'ann-1' });
  const other = await Client.connectWithId(t, relay, { token, query: { session: 'ann-2' } });
  await other.ask('Is this another conversation?');
  assert.equal((await relay.request('/v1/sessions/ann-1', { method: 'DELETE' })).status, 204);

  // A session that continues is not disturbed, and can be resumed.
  await other.ask('Do I go on?');
  other.socket.terminate();
  const back = await Client.connectWithId(t, relay, { token, query: { session: 'ann-2' } });
  assert.equal(back.events[0].resumed, true);
  await back.ask('And now?');
  // A new session gets everything that the token holds.
  const third = await Client.connectWithId(t, relay, { token, query: { session: 'ann-3' } });
  assert.equal((await third.event('session.created')).session.instructions, `Speak of ${planted}.`);
  const { json } = await relay.request('/v1/sessions/ann-3');
  assert.deepEqual(json.private, { note: planted });
});

test('text erased a moment before a crash is in no file of the next process [P10]', async (t) => {
  const setup = { simulator: await brisk(t), dataDir: temporaryDirectory(t), key: makeKey() };
  const relay = await startRelay(t, setup);
  const quiet = await crowd(t, relay);
  const planted = randomUUID();
  const token = await relay.mint({ user: 'ann', ...all(planted) }, instructed(planted));
  const { id } = await talk(t, relay, token, planted, { session: 'ann-1', times: 10 });
  await post(relay, id, 'agent', planted);
  assert.equal((await relay.request(`/v1/sessions/${id}`, { method: 'DELETE' })).status, 204);
  await relay.program.stop('SIGKILL');
  await quiet();

  const next = await startRelay(t, setup);
  assert.deepEqual(holders([setup.dataDir], planted), []);
  assert.equal((await next.request(`/v1/sessions/${id}`)).status, 404);
  await next.program.stop();
  assert.deepEqual(holders([setup.dataDir], planted), []);
});

test('the command line erases as thoroughly, beside a relay where five talk [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await brisk(t) });
  const quiet = await crowd(t, relay);
  const planted = randomUUID();
  const token = await relay.mint({ user: 'ann', ...all(planted) }, instructed(planted));
  const { id } = await talk(t, relay, token, planted, { session: 'ann-1' });
  await post(relay, id, 'agent', planted);
  const erased = await run(['sessions', 'delete', id, '--set', `server.data_dir=${relay.dataDir}`]);
  assert.equal(erased.code, 0, erased.stderr);
  assert.deepEqual(holders([relay.dataDir], planted), []);
  await quiet();
  assert.deepEqual(holders([relay.dataDir], planted), []);
});

for (const by of ['a request', 'the command line']) {
  test(`nothing is erased by ${by} as long as a capture cannot be removed [P10]`, async (t) => {
    const capture = temporaryDirectory(t);
    const relay = await startRelay(t, { simulator: await startSimulator(t), set: [`capture.dir=${capture}`] });
    const client = await talk(t, relay, await relay.mint({ user: 'ann' }), 'Hello');
    const name = () => readdirSync(capture).find((one) => one.startsWith(client.id));
    await eventually(() => name() !== undefined, 'the capture');
    const file = join(capture, name());
    rmSync(file);
    mkdirSync(join(file, 'in the way'), { recursive: true }); // a directory with content cannot be removed

    const path = `/v1/sessions/${client.id}`;
    const settings = ['--set', `server.data_dir=${relay.dataDir}`, '--set', `capture.dir=${capture}`];
    const erase = async () =>
      by === 'a request'
        ? (await relay.request(path, { method: 'DELETE' })).status
        : (await run(['sessions', 'delete', client.id, ...settings])).code;
    assert.equal(await erase(), by === 'a request' ? 503 : 1);
    assert.equal((await relay.request(path)).status, 200);
    rmSync(file, { recursive: true });
    assert.equal(await erase(), by === 'a request' ? 204 : 0);
    assert.equal((await relay.request(path)).status, 404);
  });
}
