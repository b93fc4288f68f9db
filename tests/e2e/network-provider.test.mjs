// A provider in trouble, on one connection: its session ends with the text that had come. Another client on the
// same thread keeps getting answers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startSimulator } from './support/verbatim.mjs';
import { Cell, sharedSimulator } from './support/cell.mjs';
import { WireClient, WireProvider, closing, close, frame, ping, pong, text } from './support/wire.mjs';

const simulator = sharedSimulator();

/** A session in which the provider has begun to answer. */
async function begun(cell) {
  const { client, provider } = await cell.wired();
  provider.says('item_1', 'It was');
  await client.event('response.output_text.delta');
  return { client, provider };
}

/** It has ended for this reason, with the words that had come; the client got an error event. */
async function ends(cell, client, reason, waiting = cell.meanwhile.bind(cell)) {
  const transcript = await waiting(cell.relay.transcript(client.id), `its end: ${reason}`);
  assert.equal(transcript.close_reason, reason);
  assert.deepEqual(
    transcript.turns.map(({ text: words, status }) => [words, status]),
    [['It was', 'interrupted']],
  );
  await client.until(({ closeCode }) => closeCode === 1011, 'the close frame');
  assert.ok(client.events.some(({ error }) => error?.code === reason));
  client.socket.end();
  await cell.end();
}

/** Nothing came of it: no connection, no words. */
async function failsToBegin(cell, client, message) {
  const { close_reason, turns } = await cell.during(cell.relay.transcript(client.id), message);
  assert.equal(close_reason, 'upstream_lost');
  assert.deepEqual(turns, []);
  const { error } = await client.event('error');
  assert.match(error.message, new RegExp(message));
  client.socket.end();
  await cell.end();
}

describe('a provider in trouble', { concurrency: 4 }, () => {
  test('a provider that resets its connection is lost at once; its words are kept [P2]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const { client, provider } = await begun(cell);
    provider.reset();
    await ends(cell, client, 'upstream_lost');
  });

  test('a provider that closes its half without a close frame is lost [P2]', async (t) => {
    const cell = await Cell.start(t, simulator, { secure: true });
    const { client, provider } = await begun(cell);
    provider.socket.end();
    await ends(cell, client, 'upstream_lost');
  });

  test('a provider that closes and keeps its connection has closed [P2]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const { client, provider } = await begun(cell);
    provider.write(frame(close, closing(1011, 'oops')));
    await ends(cell, client, 'upstream_error');
  });

  test('a provider whose process hangs is given up [P2]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.ping_interval=2s'] });
    const other = await startSimulator(t);
    const taken = cell.door.take();
    const client = await WireClient.connect(t, cell.relay);
    cell.door.forward(await taken, other);
    await client.event('session.created');
    process.kill(other.program.pid, 'SIGSTOP');
    const { close_reason } = await cell.during(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'upstream_lost');
    client.socket.end();
    await cell.end();
  });

  test('a provider that accepts and sends nothing in TLS is given up [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, {
      secure: true, set: ['upstream.connect_timeout=800ms'] });
    const taken = cell.door.take();
    const client = await WireClient.connect(t, cell.relay);
    await taken;
    await failsToBegin(cell, client, 'upstream.connect_timeout');
  });

  test('a provider that does not answer the upgrade is given up [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, {
      secure: true, set: ['upstream.connect_timeout=800ms'] });
    const taken = cell.door.take();
    const client = await WireClient.connect(t, cell.relay);
    const provider = new WireProvider(cell.door.secured(await taken));
    await provider.asked;
    await failsToBegin(cell, client, 'upstream.connect_timeout');
  });

  test('a provider whose answer to the upgrade trickles is given up [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['upstream.connect_timeout=800ms'] });
    const taken = cell.door.take();
    const client = await WireClient.connect(t, cell.relay);
    const provider = new WireProvider(await taken);
    await provider.asked;
    const drip = setInterval(() => provider.write(provider.ended ? '' : 'H'), 20);
    t.after(() => clearInterval(drip));
    provider.write('HTTP/1.1 101 Switching Protocols\r\nX-Slow: ');
    await failsToBegin(cell, client, 'upstream.connect_timeout');
  });

  test('a provider whose refusal ends in pieces, or never, refuses that session only [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['upstream.connect_timeout=800ms'] });
    const refusal = (headers) => `HTTP/1.1 403 Forbidden\r\n${headers}\r\n`;
    const line = Buffer.from('X:\r\n');
    for (const [head, pieces] of [
      // The last chunk of an empty body, cut where a parser may not expect it.
      [refusal('Transfer-Encoding: chunked\r\n'), ['0\r\n', '\r', '\n']],
      [refusal('Transfer-Encoding: chunked\r\n'), [...'2\r\nno\r\n0\r\n\r\n']],
      ['HTTP/1.1 101 Switching Protocols\r\n', Array(200).fill(Buffer.alloc(1024, line))],
    ]) {
      const taken = cell.door.take();
      const client = await WireClient.connect(t, cell.relay);
      const socket = await taken;
      socket.write(head);
      for (const piece of pieces) {
        await cell.live(); // one turn of the relay's only thread: earlier bytes have been read
        socket.write(piece);
      }
      const { close_reason } = await cell.meanwhile(cell.relay.transcript(client.id), 'the end');
      assert.match(close_reason, /^upstream_(error|lost)$/);
      client.socket.end();
    }
    await cell.end();
  });

  test('a provider that sends nothing after the upgrade is given up [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['upstream.created_timeout=800ms'] });
    const taken = cell.door.take();
    const client = await WireClient.connect(t, cell.relay);
    await new WireProvider(await taken).accept();
    await failsToBegin(cell, client, 'said nothing');
  });

  test('a client that leaves while the provider is silent leaves nothing behind [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { secure: true });
    const taken = cell.door.take();
    const client = await WireClient.connect(t, cell.relay);
    await taken;
    client.reset();
    const { close_reason } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'client_lost');
    await cell.end();
  });

  test('a message of 16 MB from the provider arrives whole [P9]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const { client, provider } = await begun(cell);
    const large = JSON.stringify({ type: 'vendor.large', data: 'x'.repeat(16 << 20) });
    provider.send(large);
    await cell.meanwhile(client.until(({ messages }) => messages.includes(large), 'it'), '16 MB');
    provider.says('item_1', ' so.', 1);
    await client.until(({ messages }) => messages.some((m) => m.includes(' so.')), 'more behind it');
    client.reset();
    const { turns } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(turns[0].text, 'It was so.');
    await cell.end();
  });

  test('a message over upstream.message_bytes_max is left out, and affects no other session [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['upstream.message_bytes_max=1MiB'] });
    const { client, provider } = await begun(cell);
    const start = cell.memory();
    provider.send(JSON.stringify({ type: 'vendor.large', data: 'x'.repeat(16 << 20) }));
    provider.says('item_1', ' so.', 1);
    await cell.meanwhile(
      client.until(({ messages }) => messages.some((m) => m.includes(' so.')), 'words'), 'the message behind it');
    assert.ok(cell.memory() - start < 8 << 20);
    client.reset();
    const { turns, complete } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(turns[0].text, 'It was so.');
    assert.equal(complete, false);
    await cell.end();
  });

  test('a flood of pings from the provider affects no session [P11]', async (t) => {
    const cell = await Cell.start(t, simulator);
    const { client, provider } = await begun(cell);
    const pings = Buffer.concat(Array(1000).fill(frame(ping, 'flood')));
    for (let i = 0; i < 20; ++i) provider.write(pings);
    provider.says('item_1', ' so.', 1);
    await cell.meanwhile(
      client.until(({ messages }) => messages.some((m) => m.includes(' so.')), 'words'), 'the flood');
    assert.ok(provider.controls.every(({ opcode }) => opcode === pong));
    client.reset();
    await cell.end();
  });

  for (const [what, bytes] of [
    ['masked frame', frame(text, '{"type":"x"}', { mask: true })],
    ['reserved bit', frame(text, '{}', { head: 0xc1 })],
    ['unknown opcode', frame(3, 'x')],
    ['oversize control frame', frame(ping, 'x'.repeat(126))],
    ['invalid UTF-8', frame(text, Buffer.from([0x22, 0xff, 0x22]))],
  ]) {
    test(`a provider that sends this ends its session: ${what} [P2]`, async (t) => {
      const cell = await Cell.start(t, simulator);
      const { client, provider } = await begun(cell);
      provider.write(bytes);
      await ends(cell, client, 'upstream_lost');
    });
  }
});
