// The API at any node of a fleet: lists, sessions, transcripts, event streams and posts, also of a node that has died (P14).
import assert from 'node:assert/strict';
import { test as run } from 'node:test';
import { eventually, sharedSimulator } from '../e2e/support/cell.mjs';
import { Watcher } from '../e2e/support/events.mjs';
import { Postgres, missing } from '../e2e/support/postgres.mjs';
import { Client, run as command, within } from '../e2e/support/verbatim.mjs';
import { Fleet } from './fleet/nodes.mjs';

const test = (name, body) => run(name, { skip: missing ?? false }, body);
const simulator = sharedSimulator();
const formats = ['json', 'jsonl', 'text', 'markdown', 'vtt', 'srt'];

/** Everything that the API shows of a session, as text. */
async function shown(relay, id) {
  const pages = ['', ...formats.map((format) => `/transcript?format=${format}`), '/transcript?attempt=all'];
  const answers = await Promise.all(pages.map((page) => relay.request(`/v1/sessions/${id}${page}`)));
  for (const { status, text } of answers) assert.equal(status, 200, text);
  return answers.map(({ text, headers }) => [headers.etag, text]);
}

/** All that an event stream of an attempt sends until it ends. */
async function watched(t, relay, id) {
  const watcher = await Watcher.open(t, relay, id);
  await within(watcher.over, 'the end of the stream');
  return watcher.events.map(({ event, data }) => [event, data]);
}

async function conversation(t, relay, user, id, words) {
  const client = await Client.connect(t, relay, { token: await relay.mint({ user, session_id: id }) });
  for (const one of words) await client.ask(one);
  return client;
}

test('a session of a node that died is shown by the others as that node showed it, and takes posts [P3][P13][P14]', async (t) => {
  const postgres = await Postgres.start(t);
  const { nodes: { a, b }, url, sql, again } = await Fleet.start(t, { simulator, postgres, names: ['a', 'b'], set: ['fleet.peer_timeout=10s'] });
  const done = await conversation(t, a, 'ann', 'sess_done', ['Who keeps me?', 'And then?']);
  await done.close();
  await a.transcript('sess_done');
  const mine = await a.mint({ user: 'ann', session_id: 'sess_done' });
  const copy = { writer: 'agent', turns: [{ role: 'user', text: 'A word that the agent alone has heard.' }] };
  assert.equal((await a.request('/v1/sessions/sess_done/transcript', { method: 'POST', body: copy })).json.added, 1);
  await a.request('/v1/sessions', { method: 'POST', body: { session_id: 'sess_made', user: 'bob', metadata: { course: 7 } } });
  await conversation(t, a, 'ann', 'sess_live', ['Do you hear me?']);
  await (await conversation(t, b, 'eve', 'sess_b', ['Hello?'])).close();
  await b.transcript('sess_b');
  const answer = (await a.request('/v1/sessions/sess_live/transcript')).json.turns;

  // Lists are the same at both, and have the sessions of both.
  for (const query of ['', '?sort=user', '?sort=ended_at&total=true', '?user=ann&limit=1', '?metadata.course=7', '?status=final', '?status=live']) {
    await Promise.all([a, b].map((relay) => relay.request('/v1/sessions?limit=1'))); // each waits for its own shipping
    const [here, there] = [await a.request(`/v1/sessions${query}`), await b.request(`/v1/sessions${query}`)];
    assert.equal(here.text, there.text, query);
    assert.equal(here.headers.etag, there.headers.etag, query);
  }
  const ids = (await b.request('/v1/sessions')).json.sessions.map(({ id }) => id);
  assert.deepEqual(ids, ['sess_b', 'sess_live', 'sess_made', 'sess_done']);
  assert.equal((await b.request('/v1/sessions?cursor=3')).status, 400, 'a cursor of a relay that is alone');
  assert.equal((await b.request('/v1/sessions?q=word')).status, 501);
  assert.equal((await b.request('/v1/sessions/sess_live')).json.tail_pending, undefined, 'its node answers');

  const before = { session: await shown(a, 'sess_done'), events: await watched(t, a, 'sess_done') };
  assert.deepEqual(await shown(b, 'sess_done'), before.session, 'through its node');
  await eventually(() => sql("SELECT count(*) FROM copy WHERE session = 'sess_done'") === '1', 'its copy');
  await eventually(() => sql("SELECT count(*) FROM turn WHERE session = 'sess_live'") === String(answer.length), 'its turns');
  await a.program.stop('SIGKILL');

  assert.deepEqual(await shown(b, 'sess_done'), before.session);
  assert.deepEqual(await watched(t, b, 'sess_done'), before.events);
  assert.equal((await b.request('/v1/sessions/sess_done/transcript', { key: mine })).status, 200, 'its own client reads it');
  assert.equal((await b.request('/v1/sessions/sess_made')).json.metadata.course, 7);
  const running = (await b.request('/v1/sessions/sess_live/transcript')).json;
  assert.deepEqual(running.turns, answer, 'the words that it had shipped');
  assert.deepEqual(running.gaps, [{ item_id: '', kind: 'tail_pending' }]);
  assert.equal(running.complete, false);
  assert.match((await b.request('/v1/sessions/sess_live/transcript?format=text')).text, /\[missing: tail_pending\]/);
  assert.equal((await b.request('/v1/sessions/sess_live')).json.tail_pending, 'node');
  const [, state] = (await watched(t, b, 'sess_live')).findLast(([event]) => event === 'session');
  assert.equal(state.tail_pending, 'node');
  await eventually(async () => (await b.request('/v1/sessions?status=live')).json.sessions[0].tail_pending === 'node', 'the end of its lease');
  // A call for that node alone is refused, as before.
  for (const [method, path] of [['GET', '/transcript?attempt=7'], ['POST', '/end'], ['PATCH', '']]) {
    const refused = await b.request(`/v1/sessions/sess_done${path}`, { method, ...(method === 'GET' ? {} : { body: {} }) });
    assert.equal(refused.status, 503, `${method} ${path}`);
    assert.ok(refused.headers['retry-after']);
  }

  const post = (key, body) => b.request('/v1/sessions/sess_done/transcript', { method: 'POST', body, key });
  const later = { turns: [{ role: 'user', text: 'What the page has kept meanwhile.' }] };
  const posted = await post(mine, later);
  assert.equal(posted.status, 200, posted.text);
  assert.equal(posted.json.added, 1);
  assert.equal((await post(mine, later)).json.unchanged, 1);
  assert.equal((await post(b.key, copy)).json.added, 0, 'a copy that the dead node had');
  assert.equal((await b.request('/v1/sessions/sess_made/transcript', { method: 'POST', body: copy })).json.attempt, 1);
  const merged = await shown(b, 'sess_done');
  assert.match(merged[1][1], /What the page has kept meanwhile/);

  // The operator looks, and decides.
  const at = (...words) => command(['fleet', ...words, '--set', `fleet.url=${url}`]);
  const nodes = async () => JSON.parse((await at('status', '--json')).stdout).nodes;
  const [first, second] = await nodes();
  assert.deepEqual([first.state, second.state, first.sessions, first.left_copies], ['silent', 'alive', 1, 2]);
  assert.deepEqual((await b.request('/v1/fleet')).json.nodes.map(({ node_id: id, this: own }) => [id, own]), [[first.node_id, false], [second.node_id, true]]);
  assert.match((await at('status')).stdout, new RegExp(`^${first.incarnation}  ${first.node_id}  silent  lease=over for \\d+s  lag=.*  sessions=1 `, 'm'));
  const held = await at('fence', second.node_id);
  assert.equal(held.code, 1);
  assert.match(held.stderr, /holds its lease/);
  assert.equal((await at('fence', 'none')).code, 3);
  assert.match((await at('fence', first.node_id.slice(0, 8))).stdout, /is now fenced/);
  assert.match((await at('fence', String(first.incarnation))).stdout, /was already fenced/);
  assert.equal((await nodes())[0].state, 'fenced');
  assert.deepEqual(JSON.parse((await at('forget', first.url, '--json')).stdout), { node_id: first.node_id, incarnation: first.incarnation, forgotten: true, changed: true });
  assert.equal((await nodes())[0].state, 'forgotten');
  assert.deepEqual((await b.request('/v1/sessions/sess_live/transcript')).json.gaps, []);
  assert.equal((await command(['fleet', 'status'])).code, 1, 'without a fleet');

  const back = await again('a');
  await eventually(() => sql('SELECT count(*) FROM copy WHERE untaken') === '0', 'its node takes the copies');
  assert.deepEqual(await shown(back, 'sess_done'), merged);
  assert.deepEqual(await shown(b, 'sess_made'), await shown(back, 'sess_made'));

  postgres.kill();
  const away = await b.request('/v1/sessions');
  assert.equal(away.status, 503, away.text);
  assert.equal(away.json.title, 'fleet database unavailable');
  assert.ok(Number(away.headers['retry-after']) > 0);
  assert.equal((await b.request('/v1/sessions/sess_b')).status, 200, 'its own sessions');
});
