// Tests that need a network of their own: lost packets, and names that no server answers for.
// network-loss.test.mjs runs them in a namespace that ends with this process; never run them elsewhere.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { Cell, sharedSimulator } from './cell.mjs';
import { WireClient } from './wire.mjs';

const simulator = sharedSimulator();

const nft = (...rule) => execFileSync('nft', [rule.join(' ')]);

/** From now on no packet of this connection arrives, from either end. */
function blackhole({ localPort, remotePort }) {
  nft(`add element inet verbatim dead { ${localPort} . ${remotePort}, ${remotePort} . ${localPort} }`);
}

/** Answers for every name with loopback, unless configured otherwise. */
const names = {
  mode: 'answer', // or nxdomain, servfail, silent
  socket: dgram.createSocket('udp4'),
  reply(query, from) {
    this.asked?.();
    if (this.mode === 'silent') return;
    const end = query.indexOf(0, 12) + 5;
    const question = query.subarray(12, end);
    const v4 = question.readUInt16BE(question.length - 4) === 1;
    const answer = this.mode === 'answer' && v4;
    const code = { answer: 0, nxdomain: 3, servfail: 2 }[this.mode];
    const header = Buffer.from([query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, answer ? 1 : 0, 0, 0, 0, 0]);
    const record = answer ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1] : [];
    this.socket.send(Buffer.concat([header, question, Buffer.from(record)]), from.port, from.address);
  },
};

before(async () => {
  nft('add table inet verbatim');
  nft('add chain inet verbatim in { type filter hook input priority 0; }');
  nft('add set inet verbatim dead { type inet_service . inet_service; }');
  nft('add rule inet verbatim in tcp sport . tcp dport @dead drop');
  nft('add set inet verbatim deaf { type inet_service; }');
  nft('add rule inet verbatim in tcp dport @deaf tcp flags syn drop');
  names.socket.on('message', (query, from) => names.reply(query, from));
  names.socket.bind(53, '127.0.0.1');
  await once(names.socket, 'listening');
});
after(() => names.socket.close());

describe('lost packets', { concurrency: 3 }, () => {
  test('a client whose packets are lost is detected; its words are kept [P2][P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.ping_interval=2s'] });
    const { client, provider } = await cell.wired();
    provider.says('item_1', 'It was');
    await client.event('response.output_text.delta');
    blackhole(client.tcp);
    const { close_reason, turns } = await cell.during(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'client_lost');
    assert.equal(turns[0].text, 'It was');
    await cell.end();
  });

  test('a provider whose packets are lost is given up; its words are kept [P2][P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['session.ping_interval=2s'] });
    const { client, provider } = await cell.wired();
    provider.says('item_1', 'It was');
    await client.event('response.output_text.delta');
    blackhole(provider.tcp);
    const { close_reason, turns } = await cell.during(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'upstream_lost');
    assert.equal(turns[0].text, 'It was');
    await client.until(({ closeCode }) => closeCode === 1011, 'the close frame');
    client.socket.end();
    await cell.end();
  });

  test('a provider that no packet reaches is given up [P11]', async (t) => {
    const cell = await Cell.start(t, simulator, { set: ['upstream.connect_timeout=1s'] });
    // Existing connections stay: only new ones are lost.
    const port = new URL(cell.door.url).port;
    nft(`add element inet verbatim deaf { ${port} }`);
    t.after(() => nft(`delete element inet verbatim deaf { ${port} }`));
    const client = await WireClient.connect(t, cell.relay);
    const { close_reason } = await cell.during(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'upstream_lost');
    assert.match((await client.event('error')).error.message, /upstream\.connect_timeout/);
    client.socket.end();
    await cell.end();
  });
});

describe('names', () => {
  for (const [mode, message] of [
    ['nxdomain', 'cannot resolve provider.test'],
    ['servfail', 'cannot resolve provider.test'],
    ['silent', 'upstream.connect_timeout'],
  ]) {
    test(`a provider's name that ends in ${mode} ends the session that asked [P11]`, async (t) => {
      names.mode = 'answer';
      const cell = await Cell.start(t, simulator, {
        host: 'provider.test', set: ['upstream.connect_timeout=1s'] });
      names.mode = mode;
      const client = await WireClient.connect(t, cell.relay);
      const { close_reason } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
      assert.equal(close_reason, 'upstream_lost');
      assert.match((await client.event('error')).error.message, new RegExp(message));
      client.socket.end();
      await cell.end();
    });
  }

  test('a name that does not resolve delays no other session [P11]', async (t) => {
    names.mode = 'answer';
    const cell = await Cell.start(t, simulator, { host: 'provider.test' });
    names.mode = 'silent';
    const asked = new Promise((resolve) => (names.asked = resolve));
    const victim = await WireClient.connect(t, cell.relay);
    await asked;
    names.mode = 'answer';
    const other = await WireClient.connect(t, cell.relay);
    await cell.meanwhile(other.event('session.created'), 'a conversation that asked later');
    assert.ok(!victim.events.some(({ type }) => type === 'session.created'));
    for (const client of [victim, other]) client.reset();
    await cell.end();
  });

  test('a client that leaves while a name does not resolve leaves nothing behind [P11]', async (t) => {
    names.mode = 'answer';
    const cell = await Cell.start(t, simulator, { host: 'provider.test' });
    names.mode = 'silent';
    const asked = new Promise((resolve) => (names.asked = resolve));
    const client = await WireClient.connect(t, cell.relay);
    await asked;
    client.reset();
    const { close_reason } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
    assert.equal(close_reason, 'client_lost');
    await cell.end();
    assert.equal((await cell.relay.program.stop()).code, 0, cell.relay.program.stderr);
  });
});

test('with every twentieth packet lost, conversations are whole', async (t) => {
  // After a lost SYN, Linux waits 3 s and then 6 s before it sends the first bytes again: more than the default.
  const cell = await Cell.start(t, simulator, { set: ['server.handshake_timeout=60s'] });
  nft('add rule inet verbatim in meta l4proto tcp numgen random mod 100 < 5 drop');
  const { client, provider } = await cell.wired();
  const words = Array.from({ length: 50 }, (_, i) => `word ${i} `);
  words.forEach((word, i) => provider.says('item_1', word, i));
  await cell.meanwhile(
    client.until(({ messages }) => messages.some((m) => m.includes(words.at(-1))), 'the last word'), 'loss');
  client.reset();
  const { turns } = await cell.meanwhile(cell.relay.transcript(client.id), 'its end');
  assert.equal(turns[0].text, words.join(''));
  await cell.end();
});
