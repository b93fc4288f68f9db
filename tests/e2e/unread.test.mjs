// Responses that are requested and not read: they use only their owner's part of the memory for responses.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { eventually, sharedSimulator } from './support/cell.mjs';
import { Watcher } from './support/events.mjs';
import { Client, startRelay } from './support/verbatim.mjs';

const MiB = 1 << 20;
const simulator = sharedSimulator();
// No unread response may time out while a test checks.
const start = (t, set = []) =>
  startRelay(t, { simulator, set: ['tls.enabled=false', 'server.request_timeout=10m', 'events.write_timeout=1m', ...set] });

const resident = (relay) =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${relay.program.pid}/status`, 'utf8'))[1]) * 1024;
const metric = async (relay, name) =>
  Number(new RegExp(`^${name} (\\S+)`, 'm').exec((await relay.request('/metrics')).text)?.[1] ?? 0);
const held = (relay) => metric(relay, 'verbatim_answer_bytes');
const refused = (relay) => metric(relay, 'verbatim_answers_refused_total');

/**
 * An ended conversation of the user, with `turns` turns of a MiB, and the token for it. If a peer
 * does not read an answer, the system buffers about ten of them.
 */
async function sessionOf(t, relay, user, turns) {
  const token = await relay.mint({ user });
  const client = await Client.connectWithId(t, relay, { token });
  for (let n = 0; n < turns; ++n) {
    const content = [{ type: 'input_text', text: `${n} ${'z'.repeat(MiB)}` }];
    client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
    await eventually(() => client.events.filter(({ type }) => type === 'conversation.item.done').length > n, `turn ${n}`);
  }
  await client.close();
  await relay.transcript(client.id);
  return { id: client.id, token };
}

/** Asks on `count` connections, and reads none of the answers. */
function askAndReadNothing(t, relay, { path, token, count }) {
  const { hostname, port } = new URL(relay.url);
  return Array.from({ length: count }, () => {
    const socket = net.connect(Number(port), hostname);
    t.after(() => socket.destroy());
    socket.pause();
    socket.on('error', () => {});
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    return socket;
  });
}

describe('with the long conversation of one user, and the short one of another', () => {
  const cleanup = [];
  let relay, mallory, ann;
  before(async () => {
    const forAll = { after: (what) => cleanup.push(what) };
    relay = await start(forAll);
    mallory = await sessionOf(forAll, relay, 'mallory', 14);
    ann = await sessionOf(forAll, relay, 'ann', 3);
  });
  after(async () => {
    for (const what of cleanup.reverse()) await what();
  });

  for (const [what, query] of [
    ['the transcript', ''],
    ['all attempts', '?attempt=all'],
    ['plain text', '?format=text'],
  ]) {
    test(`one user who reads no responses (${what}) holds an eighth of their memory, and others are served [P11]`, async (t) => {
      const path = `/v1/sessions/${mallory.id}/transcript${query}`;
      await eventually(async () => (await held(relay)) === 0, 'it is read');
      const before = resident(relay);
      const refusedBefore = await refused(relay);
      const sockets = askAndReadNothing(t, relay, { path, token: mallory.token, count: 16 });
      await eventually(async () => (await refused(relay)) >= refusedBefore + 15, 'all but one are refused');
      assert.ok((await held(relay)) <= 16 * MiB, `${await held(relay)} bytes`);
      assert.ok(resident(relay) - before < 100 * MiB, `${resident(relay) - before} bytes more`);

      const more = await relay.request(path, { key: mallory.token });
      assert.equal(more.status, 503);
      assert.equal(more.json.title, 'too many answers');
      assert.ok(Number(more.headers['retry-after']) > 0);
      assert.equal((await relay.request(`/v1/sessions/${mallory.id}`, { key: mallory.token })).status, 200); // a short one
      const read = await relay.request(`/v1/sessions/${ann.id}/transcript`, { key: ann.token });
      assert.equal(read.status, 200);
      assert.equal(read.json.turns.length, 3);
      assert.equal((await relay.request(path)).status, 200); // a back end's own part
      assert.match(relay.program.stderr, /answers\.refused .*server\.answers_bytes_max/);

      for (const socket of sockets) socket.destroy();
      await eventually(async () => (await held(relay)) === 0, 'all given back');
      assert.equal((await relay.request(path, { key: mallory.token })).status, 200);
    });
  }

  test("streams of a conversation that is over, unread, hold their owner's part of the memory of answers [P11]", async (t) => {
    const { id, token } = mallory;
    const refusedBefore = await refused(relay);
    const path = `/v1/sessions/${id}/events`;
    const sockets = askAndReadNothing(t, relay, { path, token, count: 8 });
    await eventually(async () => (await refused(relay)) >= refusedBefore + 7, 'all but one are refused');
    assert.ok((await held(relay)) <= 16 * MiB);
    for (const socket of sockets) socket.destroy();
    await eventually(async () => (await held(relay)) === 0, 'all given back');
    const watcher = await Watcher.open(t, relay, id, { key: token });
    await watcher.session('final');
    assert.equal(watcher.turns.filter(Boolean).length, 14);
  });
});

test('a transcript larger than all that answers may take is read, one at a time [P11]', async (t) => {
  const relay = await start(t, ['server.answers_bytes_max=1MiB']);
  const { id, token } = await sessionOf(t, relay, 'ann', 14);
  for (const key of [token, relay.key, token]) {
    const read = await relay.request(`/v1/sessions/${id}/transcript`, { key });
    assert.equal(read.status, 200);
    assert.equal(read.json.turns.length, 14);
    await eventually(async () => (await held(relay)) === 0, 'it is read');
  }
  askAndReadNothing(t, relay, { path: `/v1/sessions/${id}/transcript`, token, count: 1 });
  await eventually(async () => (await held(relay)) > 13 * MiB, 'one that is not read');
  assert.equal((await relay.request(`/v1/sessions/${id}/transcript`, { key: token })).status, 503);
});

test('a turn longer than a piece of the stream comes whole [P3]', async (t) => {
  const relay = await start(t);
  const client = await Client.connectWithId(t, relay);
  const watcher = await Watcher.open(t, relay, client.id);
  const words = Array.from({ length: 40_000 }, (_, n) => `word ${n}`).join(' ');
  for (const text of ['Before.', words, 'Behind.'])
    client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } });
  await watcher.text('Behind.');
  await watcher.text(words);
  await watcher.text('Before.');
  await client.close();
  await watcher.session('final');
  assert.deepEqual(watcher.turns.filter(Boolean).map(({ text }) => text), ['Before.', words, 'Behind.']);
});
