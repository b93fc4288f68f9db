// A TCP proxy between a relay and its provider that a test can cut. It passes bytes unchanged.
import { once } from 'node:events';
import net from 'node:net';

export class Line {
  #pairs = new Set();

  /** `url` of the provider; the relay dials `line.url`. */
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
    const far = net.connect({ host: hostname, port: Number(port), noDelay: true });
    const pair = { near, far };
    this.#pairs.add(pair);
    const over = () => {
      near.destroy();
      far.destroy();
      this.#pairs.delete(pair);
    };
    for (const end of [near, far]) end.on('error', () => {}).on('close', over);
    near.pipe(far).pipe(near);
  }

  /** Every connection is gone, without a word. The next ones go through. */
  cut() {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }
}
