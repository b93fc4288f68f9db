// Clients in trouble, or clients that cause it: each ends only its own session. In every case another client on
// the same thread keeps getting answers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { within } from './support/verbatim.mjs';
import { Cell, eventually, sharedSimulator } from './support/cell.mjs';
import { WireClient, close, closing, frame, ping, pong, text } from './support/wire.mjs';

const simulator = sharedSimulator();

const question = (words) => [
  { type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: words }] } },
  { type: 'response.create' },
];

/** A client that has been answered once. */
async function answered(cell) {
  const client = await WireClient.connect(cell.t, cell.relay);
  for (const event of question('Before?')) client.send(event);
  await client.event('response.done');
  return client;
}

async function ends(cell, client, reason, turns = 2) {
  const transcript = await cell.ending(client);
  assert.equal(transcript.close_reason, reason);
  assert.equal(transcript.turns.length, turns);
  await cell.end();
}

/** One byte of it after the other, for as long as the other side listens. */
async function trickle(socket, bytes) {
  for (const byte of bytes) {
    if (socket.destroyed || socket.readableEnded) return;
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function* forever(bytes) {
  for (;;) yield* bytes;
}

describe('clients in trouble', { concurrency: 4 }, () => {
  test('a client whose process hangs is detected; its words are kept [P2][P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.ping_interval=2s'] });
    const { relay } = cell;
    const script = fileURLToPath(new URL('./support/lonely.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, relay.wsUrl, await relay.mint()], {
      stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const id = await within(new Promise((resolve) => child.stdout.once('data', resolve)), 'an answer');
    child.kill('SIGSTOP');
    await ends(cell, { id: id.toString().trim() }, 'client_lost');
  });

  test('a client that resets its connection is gone at once [P2]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const client = await answered(cell);
    client.reset();
    const { close_reason, turns } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'client_lost');
    assert.equal(turns.length, 2);
    await cell.end();
  });

  test('a client that closes its half without a word is gone [P2]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const client = await answered(cell);
    client.socket.end();
    await cell.meanwhile(client.over, 'the other half to close');
    const { close_reason, turns } = await cell.relay.transcript(client.id);
    assert.equal(close_reason, 'client_lost');
    assert.equal(turns.length, 2);
    await cell.end();
  });

  test('a close frame ends a session at once, though its connection stays [P2]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const client = await answered(cell);
    client.socket.on('end', () => {}); // it never closes its own half
    client.write(frame(close, closing(1000, 'bye'), { mask: true }));
    const { close_reason } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'client_closed');
    await cell.end();
  });

  test('an upgrade request that trickles in is cut at server.handshake_timeout [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['server.handshake_timeout=800ms'] });
    const client = await WireClient.open(t, cell.relay);
    trickle(client.socket, forever(Buffer.from('GET /')));
    await cell.during(client.over, 'the cut');
    await cell.end();
  });

  test('bytes after an upgrade request are never read as another request', async (t) => {
    const cell = await Cell.start(t, simulator);
    const client = await WireClient.open(t, cell.relay);
    const smuggled = 'GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n';
    const upgrade = WireClient.upgrade(await cell.relay.mint());
    client.write(upgrade.replace(/\r\n\r\n$/, `\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`));
    let answers = '';
    client.socket.on('data', (data) => (answers += data));
    await cell.meanwhile(client.over, 'the end of the connection');
    assert.match(answers, /^HTTP\/1.1 400 /);
    assert.equal(answers.match(/HTTP\/1.1/g).length, 1);
    await cell.end();
  });

  test('a TLS handshake that trickles in is cut at server.handshake_timeout [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['server.handshake_timeout=800ms'] });
    const { hostname: host, port } = new URL(cell.relay.url);
    const socket = net.connect({ host, port: Number(port) });
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    trickle(socket, [0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3, ...Buffer.alloc(10_000)]);
    await cell.during(new Promise((resolve) => socket.on('close', resolve)), 'the cut');
    await cell.end();
  });

  test('a conversation that trickles in byte by byte is a conversation like any other', async (t) => {
    const cell = await Cell.start(t, simulator);
    const client = await WireClient.connect(t, cell.relay);
    const bytes = question('Slowly?').map((event) => frame(text, JSON.stringify(event), { mask: true }));
    trickle(client.socket, Buffer.concat(bytes));
    await cell.during(client.event('response.done'), 'the answer to a trickle');
    client.write(frame(close, closing(1000), { mask: true }));
    await cell.meanwhile(client.over, 'its close');
    const { turns } = await cell.relay.transcript(client.id);
    assert.equal(turns[0].text, 'Slowly?');
    assert.equal(turns.length, 2);
    await cell.end();
  });

  test('a message that trickles in for ever does not count as activity [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.idle_timeout=1200ms'] });
    const client = await answered(cell);
    client.write(frame(text, '', { mask: true, length: 1_000_000 }));
    trickle(client.socket, forever([32]));
    await ends(cell, client, 'idle_timeout');
  });

  test('a thousand silent connections keep no client out, and are closed [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, {
      set: ['server.handshake_timeout=2s', 'server.connections_max=1100'] });
    const crowd = await Crowd.connect(cell, 1000);
    await eventually(() => cell.descriptors() > cell.baseline.length + 1000, 'a thousand connections');
    const client = await answered(cell);
    await cell.during(crowd.over, 'the end of a thousand connections');
    client.write(frame(close, closing(1000), { mask: true }));
    await cell.meanwhile(client.over, 'its close');
    await cell.end();
  });

  test('no connection beyond server.connections_max is kept, and an active one replaces a silent one [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, {
      set: ['server.handshake_timeout=1500ms', 'server.connections_max=100'] });
    const crowd = await Crowd.connect(cell, 1000);
    await cell.meanwhile(crowd.fewerThan(101), 'the closing of the connections beyond the limit');
    assert.ok(cell.descriptors() <= cell.baseline.length + 110, `${cell.descriptors()} descriptors`);
    const client = await answered(cell); // one of the silent connections was closed to make room
    await cell.during(crowd.over, 'the end of the crowd');
    const later = await answered(cell);
    later.write(frame(close, closing(1000), { mask: true }));
    await cell.meanwhile(later.over, 'its close');
    client.write(frame(close, closing(1000), { mask: true }));
    await cell.meanwhile(client.over, 'its close');
    await cell.end();
  });

  test('a client that never reads takes bounded memory and is ended as slow [P2][P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.slow_client_timeout=1500ms'] });
    const { client, provider } = await cell.wired();
    provider.says('item_1', 'It speaks');
    await client.event('response.output_text.delta');
    client.socket.pause();
    const start = cell.memory();
    let sent = 0;
    const audio = JSON.stringify({ type: 'response.output_audio.delta', item_id: 'item_1',
      response_id: 'resp_item_1', output_index: 0, content_index: 0, delta: 'A'.repeat(64 * 1024) });
    let peak = 0;
    const stream = () => {
      while (sent < 1e9 && provider.closeCode === undefined) {
        sent += audio.length;
        if (provider.socket.destroyed || !provider.socket.write(frame(text, audio))) break;
      }
      peak = Math.max(peak, cell.memory());
    };
    provider.socket.on('drain', stream);
    stream();
    const transcript = await cell.ending(client);
    assert.equal(transcript.close_reason, 'slow_client');
    assert.equal(transcript.turns[0].text, 'It speaks');
    peak = Math.max(peak, cell.memory());
    assert.ok(sent < 32 << 20, `${sent} bytes were taken from the provider`);
    assert.ok(peak - start < 32 << 20, `${peak - start} bytes of memory more`);
    t.diagnostic(`${(sent / 2 ** 20).toFixed(1)} MiB taken, ${((peak - start) / 2 ** 20).toFixed(1)} MiB more memory`);
    await cell.end();
  });

  test('a client that sends refused messages and reads no answer takes bounded memory [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.slow_client_timeout=1500ms'] });
    const client = await WireClient.connect(t, cell.relay);
    await client.event('session.created');
    client.socket.pause();
    const start = cell.memory();
    let peak = 0;
    let sent = 0;
    const bad = Buffer.concat(Array(2000).fill(frame(text, '{}', { mask: true })));
    const flood = () => {
      while (sent < 2e8 && !client.socket.destroyed) {
        sent += bad.length;
        if (!client.socket.write(bad)) break;
      }
      peak = Math.max(peak, cell.memory());
    };
    client.socket.on('drain', flood);
    flood();
    const transcript = await cell.ending(client);
    assert.equal(transcript.close_reason, 'slow_client');
    peak = Math.max(peak, cell.memory());
    assert.ok(peak - start < 48 << 20, `${peak - start} bytes of memory more`);
    t.diagnostic(`${(sent / 2 ** 20).toFixed(1)} MiB sent, ${((peak - start) / 2 ** 20).toFixed(1)} MiB more memory`);
    await cell.end();
  });

  test('a flood of pings is answered and affects no other client [P11]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const client = await WireClient.connect(t, cell.relay);
    const many = 20_000;
    const pings = Array.from({ length: 1000 }, () => frame(ping, 'flood', { mask: true }));
    for (let i = 0; i < many / 1000; ++i) client.write(Buffer.concat(pings));
    await cell.meanwhile(
      client.until(({ controls }) => controls.length >= many, 'every pong'), 'the flood');
    assert.ok(client.controls.every(({ opcode, payload }) => opcode === pong && payload.equals(Buffer.from('flood'))));
    for (const event of question('Still there?')) client.send(event);
    await cell.meanwhile(client.event('response.done'), 'an answer behind the flood');
    client.reset();
    await cell.end();
  });

  test('a flood of pings from a client that reads no pong ends it [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.ping_interval=2s'] });
    const client = await answered(cell);
    client.socket.pause();
    const pings = Buffer.concat(Array(1000).fill(frame(ping, 'x'.repeat(125), { mask: true })));
    const start = cell.memory();
    const flood = () => {
      while (!client.socket.destroyed && client.socket.write(pings));
    };
    client.socket.on('drain', flood);
    flood();
    await ends(cell, client, 'client_lost');
    assert.ok(cell.memory() - start < 32 << 20);
  });

  test('a message over the limit closes with 1009 where resuming is off [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.resume_window=0s'] });
    const client = await answered(cell);
    client.write(frame(text, 'x'.repeat((24 << 20) + 1), { mask: true }));
    const { close_reason, turns } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'policy');
    assert.equal(turns.length, 2);
    await cell.meanwhile(client.over, 'its close');
    assert.equal(client.closeCode, 1009);
    await cell.end();
  });

  test('a message that only claims to be large ends its sender with 1009, at once [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.resume_window=0s'] });
    const client = await answered(cell);
    client.write(frame(text, '', { mask: true, length: (24 << 20) + 1 }));
    // Then it stops: it sends nothing more and closes nothing.
    const { close_reason } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'policy');
    await cell.meanwhile(client.until(({ closeCode }) => closeCode === 1009, '1009'), 'the close frame');
    await cell.end();
  });
});

/** Connections without a word. */
class Crowd {
  open = new Set();
  #changed = () => {};

  static async connect(cell, size) {
    const crowd = new Crowd();
    const { hostname: host, port } = new URL(cell.relay.url);
    await within(Promise.all(Array.from({ length: size }, () => new Promise((resolve) => {
      const socket = net.connect({ host, port: Number(port) }, resolve);
      crowd.open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        crowd.open.delete(socket);
        resolve();
        crowd.#changed();
      });
      socket.resume();
      cell.t.after(() => socket.destroy());
    }))), 'a crowd');
    return crowd;
  }

  fewerThan(limit) {
    return new Promise((resolve) => {
      this.#changed = () => this.open.size < limit && resolve();
      this.#changed();
    });
  }

  get over() {
    return this.fewerThan(1);
  }
}
