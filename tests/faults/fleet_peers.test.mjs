// Clients that come to the wrong node of a fleet: the node passes them on to the one that runs their session, and
// they do not notice (P14). Two relays, real TLS between them; where sessions live is a file.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test as run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually, sharedSimulator } from '../e2e/support/cell.mjs';
import { Watcher } from '../e2e/support/events.mjs';
import { membership } from '../e2e/support/fleet.mjs';
import { Client, binary, makeKey, refusal, request, startRelay, temporaryDirectory, within } from '../e2e/support/verbatim.mjs';

const node = join(dirname(binary), 'tests', 'verbatim_static_fleet');
const skip = existsSync(node) ? false : `${node} is not built`;
const test = (name, body) => run(name, { skip }, body);
const simulator = sharedSimulator();
const sdk = fileURLToPath(new URL('../e2e/support/sdk.mjs', import.meta.url));

/** Two nodes, `a` and `b`. `moves(id, 'a')` puts a session on one; `unknown(id)` hides it. */
async function fleet(t, set = []) {
  const directory = temporaryDirectory(t);
  const { certificate, shared } = membership(t);
  const key = makeKey();
  const state = { homes: {}, unknown: [] };
  const incarnations = { a: 11, b: 12 };
  const file = (name) => join(directory, `${name}.json`);
  const write = () => {
    for (const [name, incarnation] of Object.entries(incarnations))
      writeFileSync(file(name), JSON.stringify({ incarnation, ...state }));
  };
  write();
  const start = (name) =>
    startRelay(t, {
      simulator,
      key,
      through: node,
      env: { FLEET: file(name) },
      set: [...shared, 'session.resume_window=30s', 'fleet.peer_timeout=10s', ...set],
    });
  const [a, b] = await Promise.all([start('a'), start('b')]);
  for (const relay of [a, b]) relay.certificate = certificate;
  return {
    a,
    b,
    moves: (id, name) => {
      const url = (name === 'a' ? a : b).url;
      state.homes[id] = { incarnation: incarnations[name], url };
      write();
    },
    wrong: (id) => {
      for (const [name, other, relay] of [['a', 'b', b], ['b', 'a', a]])
        writeFileSync(
          file(name),
          JSON.stringify({
            incarnation: incarnations[name],
            homes: { [id]: { incarnation: incarnations[other], url: relay.url } },
          }),
        );
    },
    unknown: (id) => {
      state.unknown.push(id);
      write();
    },
  };
}

/** A session that node `a` runs. Its client has gone. */
async function detached(t, nodes, id) {
  nodes.moves(id, 'a');
  const token = await nodes.a.mint({ user: 'ann', session_id: id });
  const client = await Client.connectWithId(t, nodes.a, { token });
  await client.ask('Are you there?');
  client.socket.terminate();
  await eventually(async () => (await nodes.a.request(`/v1/sessions/${id}`)).json.status === 'detached', 'detached');
  return { token, heard: client.frames.length };
}

const metric = async (relay, name) => {
  const { text } = await relay.request('/metrics');
  return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\d+)`, 'm').exec(text)?.[1]);
};

test('a public SDK at the wrong node holds its conversation on the node of its session [P9][P14]', async (t) => {
  const nodes = await fleet(t);
  nodes.moves('sess_sdk', 'a');
  const token = await nodes.a.mint({ user: 'sdk', session_id: 'sess_sdk' });
  const { stdout } = await promisify(execFile)(process.execPath, [sdk, 'ws', nodes.b.url, token], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: nodes.a.certificate },
    timeout: 20_000,
  });
  assert.deepEqual(JSON.parse(stdout), { first: 'session.created', answers: ['completed', 'completed', 'completed'] });
  const own = (await nodes.a.request('/v1/sessions/sess_sdk')).json;
  assert.equal(own.user, 'sdk');
  assert.equal((await nodes.b.request('/v1/sessions?user=sdk')).json.sessions.length, 0, 'b has stored it');
  assert.equal(await metric(nodes.b, 'verbatim_fleet_proxied_total{outcome="websocket"}'), 1);
});

test('a client resumes at the wrong node by number, in the same attempt, with the same provider [P8][P14]', async (t) => {
  const nodes = await fleet(t);
  const { token, heard } = await detached(t, nodes, 'sess_back');
  const client = await Client.connect(t, nodes.b, {
    token,
    query: { session: 'sess_back', after: String(heard), events: 'verbatim' },
  });
  await client.ask('And now?');
  assert.equal(client.events.filter(({ type }) => type === 'session.created').length, 0, 'the state came again');
  const { json } = await nodes.b.request('/v1/sessions/sess_back');
  assert.equal(json.attempts.length, 1);
  assert.equal(await metric(nodes.b, 'verbatim_fleet_proxied'), 1);
  client.send({ type: 'verbatim.end' });
  const { code } = await within(client.closed, 'the end');
  assert.equal(code, 1000);
  const { turns, status } = await nodes.b.transcript('sess_back');
  assert.equal(status, 'final');
  assert.deepEqual(turns.filter(({ role }) => role === 'user').map(({ text }) => text), ['Are you there?', 'And now?']);
  await eventually(async () => (await metric(nodes.b, 'verbatim_fleet_proxied')) === 0, 'the end of the hop');
});

test('a client at the wrong node gets the refusals of the session’s node as they are [P9][P14]', async (t) => {
  const nodes = await fleet(t);
  await detached(t, nodes, 'sess_ann');
  const query = { session: 'sess_ann' };
  const foreign = await nodes.a.mint({ user: 'bob' });
  for (const options of [{ query, token: foreign }, { query, token: 'ek_none' }, { query, token: 'vk_none' }]) {
    const [there, here] = [await refusal(nodes.a, options), await refusal(nodes.b, options)];
    assert.equal(here.status, there.status);
    assert.deepEqual(here.json, there.json);
    assert.ok(here.status === 401 || here.status === 404);
  }
  const other = await nodes.b.request('/v1/sessions/sess_ann', { key: foreign });
  assert.equal(other.status, 404);
});

test('the API at the wrong node answers as the session’s node does [P14]', async (t) => {
  const nodes = await fleet(t);
  const { token } = await detached(t, nodes, 'sess_api');
  const same = async (path, options = {}) => {
    const [there, here] = [await nodes.a.request(path, options), await nodes.b.request(path, options)];
    assert.equal(here.status, there.status, path);
    assert.equal(here.type, there.type, path);
    assert.equal(here.text, there.text, path);
    for (const name of ['etag', 'cache-control', 'content-encoding', 'strict-transport-security'])
      assert.equal(here.headers[name], there.headers[name], `${path}: ${name}`);
    return here;
  };
  for (const path of ['', '/transcript', '/transcript?format=markdown', '/transcript?attempt=9', '/transcript?format=odd'])
    await same(`/v1/sessions/sess_api${path}`);
  await same('/v1/sessions/sess_api', { key: token });
  await same('/v1/sessions/sess_api', { key: 'vk_wrong' });
  await same('/v1/sessions/sess_api/transcript', { headers: { 'accept-encoding': 'gzip' } });
  const { headers } = await same('/v1/sessions/sess_api');
  assert.equal((await same('/v1/sessions/sess_api', { headers: { 'if-none-match': headers.etag } })).status, 304);

  const posted = await nodes.b.request('/v1/sessions/sess_api/transcript', {
    method: 'POST',
    body: { writer: 'agent', attempt: 1, turns: [{ role: 'user', text: 'Only the agent heard this.' }] },
  });
  assert.equal(posted.status, 200, posted.text);
  const patched = await nodes.b.request('/v1/sessions/sess_api', { method: 'PATCH', body: { metadata: { room: '7' } } });
  assert.deepEqual(patched.json.metadata, { room: '7' });
  const ended = await nodes.b.request('/v1/sessions/sess_api/end', { method: 'POST', body: {} });
  assert.equal(ended.json.status, 'final');
  await same('/v1/sessions/sess_api/transcript');
  assert.match((await nodes.a.request('/v1/sessions/sess_api/transcript')).text, /Only the agent heard this/);
  assert.equal((await nodes.b.request('/v1/sessions/sess_api', { method: 'DELETE' })).status, 204);
  assert.equal((await nodes.a.request('/v1/sessions/sess_api')).status, 404);
});

test('a session is watched live at the wrong node, to its end [P14]', async (t) => {
  const nodes = await fleet(t);
  nodes.moves('sess_seen', 'a');
  const token = await nodes.a.mint({ user: 'ann', session_id: 'sess_seen' });
  const client = await Client.connectWithId(t, nodes.a, { token });
  const watcher = await Watcher.open(t, nodes.b, 'sess_seen');
  assert.match(watcher.answer.headers['content-type'], /^text\/event-stream/);
  await client.ask('Who is watching?');
  await watcher.text('Who is watching?');
  await nodes.b.request('/v1/sessions/sess_seen/end', { method: 'POST', body: {} });
  await watcher.session('final');
  await within(watcher.over, 'the end of the stream');
  assert.ok(watcher.answer.complete, 'it was cut');
});

test('a client whose node is killed is asked to come back, and a request gets 503 [P14]', async (t) => {
  const nodes = await fleet(t);
  const { token } = await detached(t, nodes, 'sess_lost');
  const client = await Client.connect(t, nodes.b, { token, query: { session: 'sess_lost' } });
  await client.event('session.created');
  await nodes.a.program.stop('SIGKILL');
  assert.equal((await within(client.closed, 'a close')).code, 1012);
  const refused = await refusal(nodes.b, { token, query: { session: 'sess_lost' } });
  assert.equal(refused.status, 503);
  assert.equal(refused.json.error.code, 'node_unreachable');
  assert.equal(refused.headers['retry-after'], '1');
  const read = await nodes.b.request('/v1/sessions/sess_lost');
  assert.equal(read.status, 503);
  assert.match(read.type, /problem\+json/);
  assert.ok((await metric(nodes.b, 'verbatim_fleet_proxied_total{outcome="unreachable"}')) >= 2);
});

test('a node that stops asks the clients of other nodes to come back, and their sessions wait [P14]', async (t) => {
  const nodes = await fleet(t);
  const { token } = await detached(t, nodes, 'sess_on');
  const client = await Client.connect(t, nodes.b, { token, query: { session: 'sess_on' } });
  await client.event('session.created');
  const watcher = await Watcher.open(t, nodes.b, 'sess_on');
  const stopped = nodes.b.program.stop('SIGTERM');
  assert.equal((await within(client.closed, 'a close')).code, 1012);
  await within(watcher.over, 'the end of the stream');
  assert.equal((await stopped).code, 0);
  const again = await Client.connect(t, nodes.a, { token, query: { session: 'sess_on' } });
  await again.event('session.created');
  assert.equal((await nodes.a.request('/v1/sessions/sess_on')).json.attempts.length, 1);
});

test('while a session’s node cannot be known, the answer is 503, but at the node that made it [P14]', async (t) => {
  const nodes = await fleet(t);
  const token = await nodes.a.mint({ user: 'ann', session_id: 'sess_dark' });
  nodes.unknown('sess_dark');
  const refused = await refusal(nodes.b, { token, query: { session: 'sess_dark' } });
  assert.equal(refused.status, 503);
  assert.equal(refused.json.error.code, 'session_node_unknown');
  assert.ok(Number(refused.headers['retry-after']) > 0);
  const read = await nodes.b.request('/v1/sessions/sess_dark');
  assert.equal(read.status, 503, 'a 404 would be a guess');
  const own = await Client.connect(t, nodes.a, { token, query: { session: 'sess_dark' } });
  await own.ask('Do I go on?');
  assert.equal((await nodes.a.request('/v1/sessions/sess_dark')).status, 200);
});

test('requests are passed on once: nodes that name each other do not pass them in a circle [P14]', async (t) => {
  const nodes = await fleet(t);
  nodes.wrong('sess_round'); // a names b, and b names a
  for (const relay of [nodes.a, nodes.b]) {
    const token = await relay.mint({ user: 'ann', session_id: 'sess_round' });
    assert.equal((await refusal(relay, { token, query: { session: 'sess_round' } })).status, 503);
    assert.equal((await relay.request('/v1/sessions/sess_round')).status, 503);
  }
});

test('a stranger finds nothing between the nodes [P10][P14]', async (t) => {
  const nodes = await fleet(t);
  await detached(t, nodes, 'sess_priv');
  const paths = ['/fleet', '/fleet/v1/sessions/sess_priv', '/fleet/v1/sessions', '/fleet/readyz'];
  for (const headers of [{}, { 'verbatim-peer': 'e30.e30' }, { 'verbatim-peer': nodes.a.key }]) {
    for (const path of paths) {
      const { status, json } = await nodes.a.request(path, { headers });
      assert.equal(status, 404, path);
      assert.equal(json.detail, `There is nothing at ${path}.`);
    }
    const upgrade = await refusal({ wsUrl: `${nodes.a.url.replace(/^http/, 'ws')}/fleet/v1/realtime` }, { headers, token: nodes.a.key });
    assert.equal(upgrade.status, 404);
  }
  const alone = await startRelay(t, { simulator });
  assert.equal((await request(`${alone.url}/fleet/readyz`, { headers: { 'verbatim-peer': 'e30.e30' } })).status, 404);
});
