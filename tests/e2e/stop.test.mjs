// SIGTERM ends the program within server.shutdown_grace, even if clients, providers, receivers or callers do not
// answer, and every word is kept.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import tls from 'node:tls';
import { Watcher } from './support/events.mjs';
import { Provider } from './support/provider.mjs';
import { Client, startRelay, temporaryDirectory } from './support/verbatim.mjs';

/** The least time that supervisors allow (Docker 10 s), minus the delay of a loaded machine. */
const allowed = 9_000;

const said = (id, text) => ({ type: 'conversation.item.added', previous_item_id: null, item: { id, type: 'message', role: 'user', content: [{ type: 'input_text', text }] } });
const audio = { type: 'response.output_audio.delta', response_id: 'r1', item_id: 'a1', output_index: 0, content_index: 0 };

/** A conversation with one kept turn, and a turn that is being spoken. */
async function talk(t, set = [], options = {}) {
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, ...set], ...options });
  const [client, line] = await Promise.all([
    Client.connectWithId(t, relay, { query: { model: 'one' } }),
    provider.line('one'),
  ]);
  line.say({ type: 'session.created', session: { type: 'realtime' } });
  await client.event('session.created');
  line.say(said('u1', 'Stop.'));
  line.say({ type: 'response.created', response: { id: 'r1', status: 'in_progress' } });
  line.say({ type: 'conversation.item.added', previous_item_id: 'u1', item: { id: 'a1', type: 'message', role: 'assistant', content: [] } });
  line.say({ type: 'response.output_audio_transcript.delta', response_id: 'r1', item_id: 'a1', output_index: 0, content_index: 0, delta: 'In a mom' });
  await client.event('response.output_audio_transcript.delta');
  return { relay, client, line };
}

/** The words of the session, as the next process on the same data has them. */
async function kept(t, relay, id) {
  const next = await startRelay(t, { dataDir: relay.dataDir, key: relay.keyPair });
  return (await next.transcript(id)).turns.map(({ text }) => text);
}

async function stopsInTime(relay) {
  const { code } = await relay.program.stop('SIGTERM', allowed);
  assert.equal(code, 0);
  assert.match(relay.program.stderr, /server\.stopped sessions_left=0/);
  assert.doesNotMatch(relay.program.stderr, /server\.cut_off|journal\.not_closed/);
}

// At once: they mostly wait.
describe('SIGTERM', { concurrency: 4 }, () => {
  for (const [what, set] of [
    ['takes nothing', []],
    ['takes nothing, if a close may take a minute', ['session.close_timeout=1m']],
    ['takes nothing of a long backlog', []],
    ['takes nothing of a long backlog, and is left to the next process', ['server.restart=handover', 'session.resume_window=30s']],
  ]) {
    test(`a client that ${what} does not hold up SIGTERM [P2][stop]`, async (t) => {
      const { relay, client, line } = await talk(t, set);
      client.socket.pause();
      for (let i = 0; what.includes('backlog') && i < 120; ++i) line.say({ ...audio, delta: 'A'.repeat(64_000) });
      await stopsInTime(relay);
      assert.deepEqual(await kept(t, relay, client.id), ['Stop.', 'In a mom']);
    });
  }

  for (const set of [[], ['session.close_timeout=1m']]) {
    test(`a provider that answers no close does not hold up SIGTERM ${set} [P2][stop]`, async (t) => {
      const { relay, client, line } = await talk(t, set);
      line.socket._socket.pause();
      await stopsInTime(relay);
      assert.deepEqual(await kept(t, relay, client.id), ['Stop.', 'In a mom']);
    });
  }

  test('a provider that takes no upgrade does not hold up SIGTERM [P2][stop]', async (t) => {
    const silent = createServer(() => {}).on('upgrade', () => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.after(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const asked = once(silent, 'upgrade');
    const relay = await startRelay(t, { set: [`upstream.url=ws://127.0.0.1:${silent.address().port}/v1/realtime`, 'upstream.connect_timeout=5m'] });
    await Client.connectWithId(t, relay);
    const [, socket] = await asked;
    t.after(() => socket.destroy());
    await stopsInTime(relay);
  });

  test('a webhook target that hangs does not hold up SIGTERM, and its message is sent by the next process [P2][stop]', async (t) => {
    const file = join(temporaryDirectory(t), 'secret');
    writeFileSync(file, `whsec_${Buffer.alloc(24, 7).toString('base64')}`);
    const calls = [];
    let answers = false;
    const receiver = createServer((request, response) => {
      calls.push(request.headers['webhook-id']);
      receiver.emit('called');
      request.resume();
      if (answers) response.end();
    });
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    t.after(() => {
      receiver.closeAllConnections();
      receiver.close();
    });
    const target = `webhook.targets=[{url='http://127.0.0.1:${receiver.address().port}/hook', secret_file='${file}', allow_private=true, events=['session.started']}]`;
    const called = once(receiver, 'called');
    const { relay } = await talk(t, [target, 'webhook.timeout=5m', 'webhook.retry_min=20ms']);
    await called;
    await stopsInTime(relay);
    answers = true;
    const again = once(receiver, 'called');
    await startRelay(t, { dataDir: relay.dataDir, key: relay.keyPair, set: [target] });
    await again;
    assert.equal(calls.at(-1), calls[0]);
  });

  for (const restart of ['end', 'handover']) {
    test(`a request that waits for a transcript is answered before the end (${restart}) [P2][stop]`, async (t) => {
      const { relay, client } = await talk(t, [`server.restart=${restart}`, 'session.resume_window=30s']);
      const answer = relay.request(`/v1/sessions/${client.id}/transcript?wait=60`);
      // The wait has begun when a later request on another connection is answered.
      await relay.request(`/v1/sessions/${client.id}/transcript`);
      await stopsInTime(relay);
      const { status, json } = await answer;
      assert.equal(status, 200);
      assert.equal(json.status, restart === 'end' ? 'final' : json.status);
      assert.deepEqual(json.turns.map(({ text }) => text), ['Stop.', 'In a mom']);
    });
  }

  test('a reader of events gets the end of the session before the end of the program [P2][stop]', async (t) => {
    const { relay, client } = await talk(t);
    const watcher = await Watcher.open(t, relay, client.id);
    await watcher.text('Stop.');
    const ended = watcher.session('final');
    await stopsInTime(relay);
    assert.equal((await ended).data.close_reason, 'server_shutdown');
  });

  test('a reader of events that takes nothing does not hold up SIGTERM [P2][stop]', async (t) => {
    const { relay, client } = await talk(t);
    const watcher = await Watcher.open(t, relay, client.id);
    watcher.answer.socket.pause();
    await stopsInTime(relay);
    assert.deepEqual(await kept(t, relay, client.id), ['Stop.', 'In a mom']);
  });

  for (const [what, lines] of [
    ['an upload that does not end', (id, key) => [`POST /v1/sessions/${id}/transcript HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${key}`, 'Content-Type: application/json', 'Content-Length: 100000', '', '{"turns":[']],
    ['an upgrade that does not end', () => ['GET /v1/realtime HTTP/1.1', 'Host: localhost', 'Upgrade: websocket']],
    ['a connection that says nothing', () => []],
  ]) {
    test(`${what} does not hold up SIGTERM [P2][stop]`, async (t) => {
      const { relay, client } = await talk(t);
      const socket = tls.connect({ host: '127.0.0.1', port: Number(new URL(relay.url).port), rejectUnauthorized: false });
      t.after(() => socket.destroy());
      socket.on('error', () => {}); // it is cut
      await once(socket, 'secureConnect');
      await new Promise((resolve) => socket.write(lines(client.id, relay.key).join('\r\n'), resolve));
      await relay.request('/healthz');
      await stopsInTime(relay);
      assert.deepEqual(await kept(t, relay, client.id), ['Stop.', 'In a mom']);
    });
  }

  test('a request that is being answered gets its answer [stop]', async (t) => {
    const { relay, client } = await talk(t);
    const posts = Array.from({ length: 8 }, (_, n) =>
      relay.request(`/v1/sessions/${client.id}/transcript`, { method: 'POST', body: { writer: 'agent', turns: [{ role: 'user', text: `Copy ${n}.`, item_id: `c${n}` }] } }));
    // The first answer shows that the others are under way.
    await Promise.race(posts);
    await stopsInTime(relay);
    const answers = await Promise.allSettled(posts);
    const texts = await kept(t, relay, client.id);
    for (const [n, { value }] of answers.entries())
      if (value?.status === 200) assert.ok(texts.includes(`Copy ${n}.`), `the copy ${n} was acknowledged and is lost`);
  });
});
