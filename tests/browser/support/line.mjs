// A line between page and relay that a test can cut: TCP, passed on as it comes.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export async function startLine(t, relay) {
  const sockets = new Set();
  const to = Number(new URL(relay.url).port);
  const line = {
    down: false,
    cuts: 0,
    /** All connections at once; new ones too while it is `down`. */
    cut() {
      line.cuts += 1;
      for (const socket of sockets) socket.resetAndDestroy();
    },
  };
  const server = createServer((near) => {
    if (line.down) return near.resetAndDestroy();
    const far = connect(to, '127.0.0.1');
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    line.cut();
    server.close();
  });
  line.url = `https://127.0.0.1:${server.address().port}`;
  return line;
}
