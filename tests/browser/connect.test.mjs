// connect() always ends, says why it failed, and leaves no connection open.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { before, test } from 'node:test';
import { wholeFile } from '../e2e/support/file.mjs';
import { Line } from '../e2e/support/line.mjs';
import { eventually, within } from '../e2e/support/process.mjs';
import { startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { silence, startBrowser } from './support/browser.mjs';
import { PageConversation } from './support/conversation.mjs';
import { buildPackage, serve } from './support/package.mjs';

// One browser, provider and relay for the file; each test has a page of its own.
const file = wholeFile();
let browser;
let relay;
const origins = new Map(); // policy -> origin of a page with it

before(async () => {
  browser = await startBrowser(file, { microphone: silence });
  for (const [name, policy] of Object.entries({
    free: undefined,
    strict: "default-src 'none'; script-src 'self'; connect-src wss://127.0.0.1:* https://127.0.0.1:*",
    forbids: "connect-src 'self'",
  })) {
    origins.set(name, await serve(file, buildPackage(), { '/': '<!doctype html><title>page</title>' }, policy));
  }
  relay = await startRelay(file, {
    key: null,
    simulator: await startSimulator(file),
    set: [`server.allowed_origins=["${origins.get('free')}","${origins.get('strict')}"]`],
  });
});

/** A page of another origin than the relay's, with the library from its own server. */
function pageOf(policy, options) {
  return PageConversation.at(browser, `${origins.get(policy)}/`, '/verbatim.js', { url: relay.wsUrl, microphone: false, backup: false, ...options });
}

/** A server that takes TCP connections and upgrades them, or not, and then says nothing. */
async function silentServer(t, { upgrades }) {
  const server = createServer(() => {});
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket));
  server.on('upgrade', ({ headers }, socket) => {
    if (!upgrades) return;
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: realtime\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `ws://127.0.0.1:${server.address().port}/v1/realtime`;
}

/** After a failure nothing runs: no socket, no audio, and one can try again. */
async function assertClosed(talk) {
  assert.equal(await talk.run(() => talk.state), 'closed');
  await talk.until(() => sockets.every(({ readyState }) => readyState >= WebSocket.CLOSING));
}

test('a page whose policy forbids the relay gets blocked_by_policy', async () => {
  const talk = await pageOf('forbids', { connectTimeout: 15_000 });
  const { code, reason, advice } = await talk.connect();
  assert.deepEqual([code, reason], ['blocked_by_policy', 'connect-src']);
  assert.match(advice, /connect-src/);
  await assertClosed(talk);
});

test('a peer that says nothing costs the time limit, before the upgrade and after it', async (t) => {
  for (const upgrades of [false, true]) {
    const talk = await pageOf('free', { url: await silentServer(t, { upgrades }), connectTimeout: 600 });
    const { code, reason, message } = await talk.connect();
    assert.deepEqual([code, reason], ['timeout', 'relay'], `upgrades: ${upgrades}`);
    assert.match(message, /600 ms.*the relay did not answer/);
    await assertClosed(talk);
  }
});

test('a token that never comes, or cannot be had, ends connect() too', async () => {
  const stuck = await pageOf('free', { connectTimeout: 400, token: 'never' });
  assert.deepEqual(await stuck.connect().then(({ code, reason }) => [code, reason]), ['timeout', 'token']);
  await assertClosed(stuck);
  const failing = await pageOf('free', { token: 'fails' });
  const { code, message } = await failing.connect();
  assert.equal(code, 'no_token');
  assert.match(message, /the back end is down/);
  await assertClosed(failing);
  const odd = await pageOf('free', { token: 'no token (at all)' });
  assert.equal((await odd.connect()).code, 'invalid_options');
  await assertClosed(odd);
});

test('the relay says that it does not know the origin, and the page gets origin_not_allowed [P10]', async () => {
  const page = await PageConversation.at(browser, `${await serve(file, buildPackage(), { '/': '<!doctype html>' })}/`, '/verbatim.js', {
    url: relay.wsUrl, microphone: false, backup: false,
  });
  const { code, reason, message, advice } = await page.connect();
  assert.deepEqual([code, reason], ['origin_not_allowed', 'origin_not_allowed']);
  assert.match(message, /origin/i);
  assert.match(advice, /server\.allowed_origins/);
  await assertClosed(page);
});

test('a relay that is not there is unreachable', async () => {
  const talk = await pageOf('free', { url: 'wss://127.0.0.1:9/v1/realtime' });
  assert.equal((await talk.connect()).code, 'unreachable');
  await assertClosed(talk);
});

test('worklets that cannot be loaded close the line: no conversation goes on without sound [P2]', async () => {
  for (const part of ['playback', 'microphone']) {
    const session = `worklet_${part}`;
    const talk = await pageOf('free', { playback: false, [part]: true, workletUrl: '/none.js', session });
    const { code, advice } = await talk.connect();
    assert.equal(code, 'worklet_failed', part);
    assert.match(advice, /workletUrl/);
    await assertClosed(talk);
    assert.ok(await talk.run(() => tracks.every(({ readyState }) => readyState === 'ended')));
    const { json, status } = await relay.request(`/v1/sessions/${session}/transcript?wait=10`);
    // The loudspeaker may fail before the connection is open.
    if (part === 'microphone' || status === 200) assert.equal(json.status, 'final', part);
  }
});

test('a strict policy without blob: plays sound with the worklets of the relay, or of the page', async () => {
  // This policy allows the page's own file, and not that of the relay.
  const own = await pageOf('strict', { workletUrl: '/worklets.js' });
  assert.ok((await own.connect()).session);
  await own.run(() => talk.sendText('one two three'));
  await own.until(() => seen.some(({ type, detail }) => type === 'heard' && detail.audioMs > 50));
  await own.run(() => talk.close());
  const relays = await pageOf('strict', {});
  assert.equal((await relays.connect()).code, 'worklet_failed');
});

test('close() while it connects ends connect(), and one can connect again', async (t) => {
  const talk = await pageOf('free', { url: await silentServer(t, { upgrades: false }) });
  const code = await talk.run(async () => {
    const connecting = talk.connect().catch((error) => error.code);
    await talk.close();
    return connecting;
  });
  assert.equal(code, 'aborted');
  await assertClosed(talk);
  const again = await pageOf('free', {});
  await again.connect();
  await again.run(() => talk.close());
  assert.ok((await again.connect()).session);
});

test('a conversation that reaches a limit ends with limit_reached and the limit as the reason [P2]', async (t) => {
  const short = await startRelay(t, {
    key: null, simulator: { url: (await startSimulator(t)).url },
    set: ['session.max_duration=1s', `server.allowed_origins=["${origins.get('free')}"]`],
  });
  const talk = await pageOf('free', { url: short.wsUrl });
  await talk.connect();
  const { code, reason, source } = await talk.detailOf('problem');
  assert.deepEqual([code, reason, source], ['limit_reached', 'max_duration', 'client']);
  assert.equal((await talk.detailOf('ended')).reason, 'max_duration');
});

test('a question about the microphone that stays open does not hold connect()', async () => {
  const talk = await pageOf('free', { microphone: true });
  await talk.run(() => {
    navigator.mediaDevices.getUserMedia = () => new Promise(() => (window.asked = true));
  });
  await talk.page.clock.install();
  const connected = talk.connect();
  await talk.until(() => window.asked);
  await talk.page.clock.fastForward(8000); // the page's patience
  assert.ok((await within(connected, 'the end of connect()')).session);
  assert.equal((await talk.detailOf('problem')).code, 'microphone_waiting');
  assert.equal(await talk.run(() => talk.state), 'open');
});

test('a peer that is silent when one reconnects costs a time limit too, and the conversation goes on [P8]', async (t) => {
  const far = await startRelay(t, {
    key: null, simulator: await startSimulator(t), set: ['session.resume_window=60s', `server.allowed_origins=["${origins.get('free')}"]`],
  });
  const line = await Line.open(t, far.url);
  const talk = await pageOf('free', { url: `${line.url.replace(/^http/, 'ws')}v1/realtime` });
  await talk.page.clock.install();
  const { session } = await talk.connect();
  line.silent = true;
  line.cut();
  await eventually(() => line.unanswered > 0, 'a try that gets no answer');
  line.silent = false;
  await talk.page.clock.fastForward(15_000); // the page's patience: it is given up
  await talk.until(() => sockets.length >= 3 && talk.state === 'open');
  await talk.run(() => talk.sendText('Still there?'));
  await talk.event('response.done');
  await talk.run(() => talk.close());
  assert.equal((await far.transcript(session)).attempt, 1);
});

test('a network that comes back while the page asks why it was refused makes one connection, not two [P8]', async (t) => {
  const far = await startRelay(t, {
    key: null, simulator: await startSimulator(t), set: ['session.resume_window=60s', `server.allowed_origins=["${origins.get('free')}"]`],
  });
  const line = await Line.open(t, far.url);
  const talk = await pageOf('free', { url: `${line.url.replace(/^http/, 'ws')}v1/realtime` });
  await talk.connect();
  await talk.run(() => {
    window.fetch = () => new Promise((_, reject) => (window.refuse = reject));
  });
  line.down = true;
  line.cut();
  await talk.until(() => window.refuse); // the redial was refused, and the page asks why
  line.down = false;
  await talk.run(() => dispatchEvent(new Event('online')));
  await talk.until(() => talk.state === 'open');
  const dials = await talk.run(() => {
    refuse(new TypeError('no answer'));
    return sockets.length;
  });
  await talk.run(() => talk.sendText('One connection?'));
  await talk.event('response.done');
  assert.deepEqual(await talk.run(() => [talk.state, sockets.length]), ['open', dials]);
  await talk.run(() => talk.close());
});

test('a conversation that is closed before its surroundings are ready starts no microphone', async () => {
  const talk = await pageOf('free', { microphone: true, backup: true });
  await talk.run(() => {
    const open = indexedDB.open.bind(indexedDB);
    indexedDB.open = (...args) => {
      const request = open(...args);
      return new Proxy(request, {
        get: (target, name) => (typeof target[name] === 'function' ? target[name].bind(target) : target[name]),
        set: (target, name, value) => {
          target[name] = name === 'onsuccess' ? (event) => (window.go = () => value(event)) : value;
          return true;
        },
      });
    };
  });
  const connected = talk.connect();
  await talk.until(() => talk.state === 'open' && window.go);
  await talk.run(() => talk.close());
  await talk.run(() => go());
  assert.equal((await connected).code, 'aborted');
  assert.deepEqual(await talk.run(() => [talk.state, tracks.length]), ['closed', 0]);
});
