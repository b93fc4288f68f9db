// Bad network lines: TCP through this process, so no privilege is needed. A fault of one connection does not
// affect the others.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A lost packet comes later, and everything behind it with it: TCP sends it again. */
const resent_ms = 60;

export class Proxy {
  #lines = new Set();

  /** To the port of this machine that the URL names. */
  static async open(scope, url, random) {
    const proxy = new Proxy();
    const { port } = new URL(url);
    const server = createServer({ noDelay: true }, (near) => {
      const far = connect({ port, host: '127.0.0.1', noDelay: true });
      proxy.#lines.add(new Line(near, far, random));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    scope.after(() => {
      for (const line of proxy.#lines) line.close();
      server.close();
    });
    proxy.url = url.replace(port, String(server.address().port));
    return proxy;
  }

  /** The line that has an end at this port. */
  line(port) {
    return [...this.#lines].find(
      ({ near, far }) => near.remotePort === port || far.localPort === port,
    );
  }
}

class Line {
  lossy = false; // every tenth piece is delayed
  dark = false; // nothing arrives any more, and neither side is notified
  rate = Infinity; // bytes a second, each way

  constructor(near, far, random) {
    Object.assign(this, { near, far, random });
    for (const end of [near, far]) end.on('error', () => {}); // a close event follows
    this.#carry(near, far);
    this.#carry(far, near);
  }

  async #carry(from, to) {
    try {
      for await (const bytes of from.iterator({ destroyOnReturn: false })) {
        if (this.lossy && this.random.chance(0.1)) await sleep(resent_ms);
        const share = Math.min(bytes.length, Math.ceil(this.rate / 20));
        for (let at = 0; at < bytes.length; at += share) {
          if (this.rate < Infinity) await sleep((share / this.rate) * 1000);
          if (this.dark) return;
          if (!to.destroyed && !to.write(bytes.subarray(at, at + share)))
            await Promise.race([once(to, 'drain'), once(to, 'close')]);
        }
      }
      if (!this.dark) to.end();
    } catch {
      if (!this.dark) to.resetAndDestroy();
    }
  }

  reset() {
    this.near.resetAndDestroy();
    this.far.resetAndDestroy();
  }

  close() {
    this.near.destroy();
    this.far.destroy();
  }
}
