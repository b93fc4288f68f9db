// A TCP proxy before a relay or its provider that a test can cut. It passes bytes unchanged.
import { once } from 'node:events';
import net from 'node:net';

export class Line {
  down = false; // new connections are cut too
  silent = false; // new connections are taken, and nothing passes
  unanswered = 0; // connections taken while it was silent
  cuts = 0;
  #sockets = new Set();

  /** `url` of the far end; the near end dials `line.url`. */
  static async open(t, url) {
    const line = new Line();
    const far = new URL(url);
    const server = net.createServer({ noDelay: true }, (near) => line.#carry(near, far));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      line.cut();
      server.close();
    });
    const here = new URL(url);
    here.port = String(server.address().port);
    return Object.assign(line, { url: here.href });
  }

  #carry(near, { hostname, port }) {
    if (this.down) return near.resetAndDestroy();
    if (this.silent) {
      this.unanswered += 1;
      return this.#keep(near);
    }
    const far = net.connect({ host: hostname, port: Number(port), noDelay: true });
    const over = () => {
      near.destroy();
      far.destroy();
    };
    for (const end of [near, far]) this.#keep(end).on('close', over);
    near.pipe(far).pipe(near);
  }

  #keep(socket) {
    this.#sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
  }

  /** Every connection is gone, without a word. The next ones go through, unless the line is down or silent. */
  cut() {
    this.cuts += 1;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}
