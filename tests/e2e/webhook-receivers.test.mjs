// Receivers of webhooks that are odd, broken or hostile. Each takes its first call in its own way and every later
// one properly: a message that counts as delivered comes once, any other comes twice.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { eventually, sharedSimulator } from './support/cell.mjs';
import { Receiver, targets } from './support/receiver.mjs';
import { Client, startRelay } from './support/verbatim.mjs';

const simulator = sharedSimulator();
const proper = 'HTTP/1.1 204 No Content\r\n\r\n';
const long = Buffer.alloc(1024 * 1024, 'x');
/** More than fits into the buffers of a connection; in the time that a call may take, a flood sends far more. */
const flood_bytes_max = 32 * 1024 * 1024;

/** Sends forever, until the other end closes. */
const flood = (socket, piece) => {
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
};

const taken = {
  'HTTP/1.0 without a length': (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nok'),
  'a status without a reason': (socket) => socket.end('HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n'),
  'a chunked answer': (socket) => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
  'a chunked answer with trailers': (socket) =>
    socket.write('HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nretry-after: 9\r\n\r\n'),
  '100 first': (socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${proper}`),
  '102 and 103 first': (socket) =>
    socket.write(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${proper}`),
  'an answer byte by byte': async (socket) => {
    for (const byte of proper) {
      socket.write(byte);
      await new Promise(setImmediate);
    }
  },
  'an answer before the body was read': (socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'),
  'a body that breaks off': (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok'),
  'a reset within the body': (socket) =>
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok', () => setImmediate(() => socket.resetAndDestroy())),
  'a body that hangs': (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok'),
  'a body without end': (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n');
    flood(socket, long);
  },
  'bad chunks': (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok'),
  'a body that claims to be gzip': (socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope'),
  'a body with 204': (socket) => socket.end('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok'),
  'two answers': (socket) => socket.end(`${proper}HTTP/1.1 500 Oops\r\n\r\n`),
  '200 with a Location': (socket) => socket.end('HTTP/1.1 200 OK\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n'),
};

// An answer before a close has `connection: close`: otherwise the next try may be sent on that connection, and
// comes twice.
const repeated = {
  'a close without an answer': (socket) => socket.end(),
  'a reset without an answer': (socket) => socket.resetAndDestroy(),
  'half a status line': (socket) => socket.end('HTTP/1.1 20'),
  'half a header': (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'),
  'no answer at all': () => {},
  '100 and nothing more': (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'),
  'a switch of protocols': (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'),
  'another protocol': (socket) => socket.end('220 mail.example.com ESMTP\r\n'),
  'a header without end': (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    flood(socket, `x-filler: ${'x'.repeat(1000)}\r\n`);
  },
  'interim answers without end': (socket) => flood(socket, 'HTTP/1.1 102 Processing\r\n\r\n'),
  'a permanent redirect': (socket) => socket.end('HTTP/1.1 308 Permanent Redirect\r\nlocation: /elsewhere\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  'a redirect to another scheme': (socket) => socket.end('HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  '304': (socket) => socket.end('HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n'),
  '401 with a challenge': (socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm="x"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  '407': (socket) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  '417': (socket) => socket.end('HTTP/1.1 417 Expectation Failed\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  '429 without Retry-After': (socket) => socket.end('HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  '429 with a senseless Retry-After': (socket) =>
    socket.end('HTTP/1.1 429 Too Many Requests\r\nretry-after: soon\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  '503 with a Retry-After that is past': (socket) =>
    socket.end('HTTP/1.1 503 Service Unavailable\r\nretry-after: Mon, 01 Jan 2001 00:00:00 GMT\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  '500 with a body without end': (socket) => {
    socket.write('HTTP/1.1 500 Oops\r\n\r\n');
    flood(socket, long);
  },
  '599': (socket) => socket.end('HTTP/1.1 599 Whatever\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
};

/** The reasons of some failures, as the list of deliveries has them. */
const reasons = {
  'a header without end': /longer than 64 KiB/,
  'interim answers without end': /longer than 64 KiB/,
  'a permanent redirect': /^status 308$/,
  'no answer at all': /timed out/i,
};

/** Counts the calls by their webhook-id, and answers each when its body is whole. */
async function rawReceiver(t, first) {
  const receiver = { calls: [], paths: new Set(), written: () => sockets.reduce((sum, one) => sum + one.bytesWritten, 0) };
  const sockets = [];
  const server = net.createServer((socket) => {
    let text = '';
    sockets.push(socket);
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    socket.on('data', (data) => {
      text += data;
      for (let end; (end = text.indexOf('\r\n\r\n')) >= 0; ) {
        const head = text.slice(0, end);
        const length = Number(/content-length: (\d+)/i.exec(head)[1]);
        if (Buffer.byteLength(text.slice(end + 4)) < length) return;
        text = Buffer.from(text.slice(end + 4)).subarray(length).toString();
        receiver.paths.add(head.split(' ')[1]);
        receiver.calls.push(/webhook-id: (\S+)/i.exec(head)[1]);
        if (receiver.calls.length === 1) first(socket);
        else socket.write(proper);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  receiver.port = server.address().port;
  return receiver;
}

async function conversation(t, relay) {
  const client = await Client.connectWithId(t, relay);
  await client.ask('What time is it?');
  await client.close();
  return client.id;
}

const quick = ['webhook.settle=0s', 'webhook.retry_min=20ms', 'webhook.retry_max=50ms', 'webhook.timeout=2s'];
const deliveryOf = async (relay, id, target) =>
  (await relay.request(`/v1/webhooks/deliveries?session=${id}&target=${encodeURIComponent(target)}`)).json.deliveries[0];
const stateOf = async (relay, id, target) => (await deliveryOf(relay, id, target))?.state;

for (const [what, cases, calls] of [
  ['answers that count as delivered, once', taken, 1],
  ['answers after which the message comes again', repeated, 2],
]) {
  test(`${what}`, async (t) => {
    const good = await Receiver.start(t);
    const receivers = new Map();
    for (const [name, first] of Object.entries(cases)) receivers.set(name, await rawReceiver(t, first));
    const named = [...receivers].map(([name, { port }]) =>
      good.target(t, `, name='${name}', events=['session.ended']`).replace(good.url, `http://127.0.0.1:${port}/hook`));
    const relay = await startRelay(t, { simulator, set: [...quick, targets(...named)] });
    const id = await conversation(t, relay);
    for (const [name, receiver] of receivers) {
      await t.test(name, async () => {
        await eventually(async () => (await stateOf(relay, id, name)) === 'delivered', 'the delivery');
        assert.equal(receiver.calls.length, calls);
        assert.equal(new Set(receiver.calls).size, 1, 'one id');
        assert.deepEqual([...receiver.paths], ['/hook']);
        assert.ok(receiver.written() < flood_bytes_max, `it could send ${receiver.written()} bytes`);
        const { attempts } = await deliveryOf(relay, id, name);
        assert.equal(attempts.length, calls);
        if (reasons[name]) assert.match(attempts[0].error, reasons[name]);
      });
    }
    assert.equal((await relay.request('/readyz')).status, 200);
  });
}

test('a receiver that closes an idle connection still gets the next message', async (t) => {
  const receiver = await rawReceiver(t, (socket) => socket.write(proper, () => setImmediate(() => socket.resetAndDestroy())));
  const good = await Receiver.start(t);
  const target = good.target(t, ", name='crm'").replace(good.url, `http://127.0.0.1:${receiver.port}/hook`);
  const relay = await startRelay(t, { simulator, set: [...quick, targets(target)] });
  const id = await conversation(t, relay);
  await eventually(async () => new Set(receiver.calls).size === 2, 'both messages');
  await eventually(async () => (await stateOf(relay, id, 'crm')) === 'delivered', 'the delivery');
});

test('a target whose TLS fails delays no other, and says why', async (t) => {
  const good = await Receiver.start(t);
  const plain = good.target(t, ", name='plain'");
  const broken = good.target(t, ", name='broken'").replace('http:', 'https:');
  const relay = await startRelay(t, { simulator, set: [...quick, targets(broken, plain)] });
  const id = await conversation(t, relay);
  await good.until('session.ended');
  let failed;
  await eventually(async () => {
    const { json } = await relay.request(`/v1/webhooks/deliveries?session=${id}&target=broken&state=waiting`);
    failed = json.deliveries.find(({ attempts }) => attempts.length > 0);
    return failed;
  }, 'a failed try');
  assert.equal(failed.attempts[0].status, null);
  assert.match(failed.attempts[0].error, /SSL|TLS|wrong version/i);
});
