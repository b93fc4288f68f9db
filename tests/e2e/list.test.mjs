// The list of sessions: its order, its pages, its members, its totals; ETag and gzip of lists, sessions and transcripts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { eventually } from './support/cell.mjs';
import { Client, startRelay, startSimulator } from './support/verbatim.mjs';

const list = (relay, query = {}, options) =>
  relay.request(`/v1/sessions?${new URLSearchParams(query)}`, options);

const ids = async (relay, query) => {
  const answer = await list(relay, query);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.sessions.map(({ id }) => id);
};

async function make(relay, id, user = 'ada') {
  const made = await relay.request('/v1/sessions', { method: 'POST', body: { id, user } });
  assert.equal(made.status, 201, made.text);
}

/** All pages, one after the other. */
async function walk(relay, query, between = () => {}) {
  const seen = [];
  for (let cursor = ''; cursor !== null; ) {
    const answer = await list(relay, { ...query, ...(cursor && { cursor }) });
    assert.equal(answer.status, 200, answer.text);
    seen.push(...answer.json.sessions.map(({ id }) => id));
    cursor = answer.json.next_cursor;
    await between(seen.length);
  }
  return seen;
}

test('each order lists every session once, page by page, in both directions', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const users = ['zoë', 'ada', 'mia', 'ada', 'Bob', 'ada'];
  for (const [n, user] of users.entries()) await make(relay, `s-${n}`, user);
  const ended = [];
  for (const n of [4, 1, 2]) {
    const client = await Client.connect(t, relay, { token: await relay.mint({ user: users[n], session_id: `s-${n}` }) });
    await client.event('session.created');
    await client.close();
    await relay.transcript(`s-${n}`);
    ended.push(`s-${n}`);
  }
  const created = users.map((_, n) => `s-${n}`);
  const open = ['s-0', 's-3', 's-5']; // a session that has not ended counts as the last to end
  const byUser = ['s-4', 's-1', 's-3', 's-5', 's-2', 's-0'];
  const orders = {
    created_at: created,
    '-created_at': [...created].reverse(),
    ended_at: [...ended, ...open],
    '-ended_at': [...ended, ...open].reverse(),
    user: byUser,
    '-user': [...byUser].reverse(),
  };
  for (const [sort, expected] of Object.entries(orders)) {
    assert.deepEqual(await ids(relay, { sort }), expected, sort);
    for (const limit of ['1', '2', '4']) assert.deepEqual(await walk(relay, { sort, limit }), expected, `${sort} by ${limit}`);
  }
  assert.deepEqual(await ids(relay), orders['-created_at'], 'newest first by itself');
  assert.deepEqual(await ids(relay, { sort: 'user', user: 'ada', status: 'final' }), ['s-1']);
});

test('pages stay stable while sessions begin and are erased between them', async (t) => {
  const relay = await startRelay(t);
  const before = Array.from({ length: 12 }, (_, n) => `s-${String(n).padStart(2, '0')}`);
  for (const id of before) await make(relay, id, id);
  for (const sort of ['-created_at', 'user', '-user']) {
    let made = 0;
    const seen = await walk(relay, { sort, limit: '3' }, async () => {
      await make(relay, `${sort}-${++made}`, `s-0${made}-new`);
      await relay.request(`/v1/sessions/${sort}-${made - 1}`, { method: 'DELETE' });
    });
    const old = seen.filter((id) => before.includes(id));
    assert.deepEqual([...old].sort(), before, sort);
    assert.equal(new Set(seen).size, seen.length, `${sort}: each once`);
    for (const id of seen) if (!before.includes(id)) await relay.request(`/v1/sessions/${id}`, { method: 'DELETE' });
    await relay.request(`/v1/sessions/${sort}-${made}`, { method: 'DELETE' });
  }
});

test('a total counts what the filters admit, and fields choose the members', async (t) => {
  const relay = await startRelay(t);
  for (let n = 0; n < 7; ++n) await make(relay, `s-${n}`, n < 5 ? 'ada' : 'grace');
  const { json } = await list(relay, { user: 'ada', total: 'true', limit: '2', fields: 'id, status,user' });
  assert.equal(json.total, 5);
  assert.equal(json.total_is_exact, true);
  assert.deepEqual(json.sessions, [{ id: 's-4', status: 'created', user: 'ada' }, { id: 's-3', status: 'created', user: 'ada' }]);
  assert.ok(!('total' in (await list(relay)).json));
  const [whole] = (await list(relay)).json.sessions;
  const named = await list(relay, { fields: Object.keys(whole).join(','), limit: '1' });
  assert.deepEqual(named.json?.sessions, [whole], 'each member of a listed session can be named');
  for (const query of [{ fields: 'id,secret' }, { fields: '' }, { sort: 'turns' }, { total: '1' }, { sort: 'user', cursor: '41' },
    { cursor: '4.x' }, { sort: 'ended_at', cursor: '4.x' }, { sort: 'user', cursor: '4.!' }]) {
    const answer = await list(relay, query);
    assert.equal(answer.status, 400, JSON.stringify(query));
    assert.match(answer.json.detail, /must be/);
  }
});

test('an unchanged list, session or transcript answers 304, and a changed one does not', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Is this cached?');
  await client.close();
  await relay.transcript(client.id);
  for (const path of ['/v1/sessions?limit=5', `/v1/sessions/${client.id}`, `/v1/sessions/${client.id}/transcript`]) {
    for (const headers of [{}, { 'accept-encoding': 'gzip' }]) {
      const { etag } = (await relay.request(path, { headers })).headers;
      assert.ok(etag, path);
      const again = await relay.request(path, { headers: { ...headers, 'if-none-match': etag } });
      assert.equal(again.status, 304, path);
      assert.equal(again.text, '');
    }
  }
  const { etag } = (await list(relay)).headers;
  await make(relay, 'another');
  assert.equal((await list(relay, {}, { headers: { 'if-none-match': etag } })).status, 200);
});

test('long answers are compressed for a client that accepts gzip, and only for that one', async (t) => {
  const relay = await startRelay(t);
  for (let n = 0; n < 20; ++n) await make(relay, `s-${n}`);
  const turns = Array.from({ length: 400 }, (_, n) => ({ role: 'user', text: `Sentence number ${n} of a long conversation.` }));
  await relay.request('/v1/sessions/s-1/transcript', { method: 'POST', body: { writer: 'agent', turns } });
  const raw = (path, encoding) =>
    relay.request(path, { headers: encoding ? { 'accept-encoding': encoding } : {} });
  for (const path of ['/v1/sessions', '/v1/sessions/s-1/transcript', '/v1/sessions/s-1/transcript?format=text']) {
    const plain = await raw(path);
    assert.equal(plain.headers['content-encoding'], undefined, path);
    assert.match(plain.headers.vary, /Accept-Encoding/);
    for (const encoding of ['gzip', 'br, gzip;q=0.5', '*', 'GZIP']) {
      const packed = await raw(path, encoding);
      assert.equal(packed.headers['content-encoding'], 'gzip', `${path} ${encoding}`);
      assert.match(packed.headers.vary, /Accept-Encoding/);
      assert.equal(gunzipSync(packed.bytes).toString(), plain.bytes.toString(), path);
      assert.ok(packed.bytes.length < plain.bytes.length / 2);
    }
    for (const encoding of ['identity', 'br', 'gzip;q=0', '*;q=0', 'gzip;q=0, *'])
      assert.equal((await raw(path, encoding)).headers['content-encoding'], undefined, encoding);
  }
  // A short answer, an error and an answer with a token stay as they are.
  for (const path of ['/v1/sessions?limit=1&fields=id', '/v1/sessions?limit=none'])
    assert.equal((await raw(path, 'gzip')).headers['content-encoding'], undefined, path);
  const minted = await relay.request('/v1/realtime/client_secrets', {
    method: 'POST', headers: { 'accept-encoding': 'gzip' }, body: { session: { type: 'realtime', instructions: 'x'.repeat(4000) }, verbatim: { user: 'ada' } },
  });
  assert.equal(minted.headers['content-encoding'], undefined);
});

test('metadata that is a number or a word of JSON is found by its text, an object by nothing', async (t) => {
  const relay = await startRelay(t);
  const metadata = { level: 3, share: 0.5, paid: true, late: false, grade: null, course: '7', list: [3], more: { level: 3 } };
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada', metadata } });
  await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada', metadata: { level: 4, paid: false, share: '0.25' } } });
  const found = async (query) => (await relay.request(`/v1/sessions?${query}`)).json.sessions.map(({ id }) => id);
  for (const query of ['level=3', 'share=0.5', 'paid=true', 'late=false', 'grade=null', 'course=7', 'level=3&metadata.paid=true'])
    assert.deepEqual(await found(`metadata.${query}`), [json.id], query);
  for (const query of ['level=33', 'paid=1', 'late=0', 'list=[3]', 'list=3', 'more=3', 'level=', 'missing=null'])
    assert.deepEqual(await found(`metadata.${query}`), [], query);
});
