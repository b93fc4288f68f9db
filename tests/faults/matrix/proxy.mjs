// The network between a client and the relay, as bad as wanted: a TCP proxy on loopback.
import net from 'node:net';

export class Proxy {
  #links = new Set();

  static async open(scope, url) {
    const proxy = new Proxy();
    const { hostname, port } = new URL(url);
    proxy.server = net.createServer((client) => proxy.#link(client, net.connect(port, hostname)));
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    scope.after(() => {
      proxy.server.close();
      for (const socket of proxy.#links) socket.destroy();
    });
    proxy.wsUrl = url.replace(port, String(proxy.server.address().port));
    return proxy;
  }

  mode = 'pass';
  random = Math.random;

  #link(client, relay) {
    for (const [from, to] of [
      [client, relay],
      [relay, client],
    ]) {
      this.#links.add(from);
      from.on('error', () => {});
      from.on('close', () => this.#links.delete(from) && this.mode !== 'blackhole' && to.end());
      from.on('data', (data) => this.#pass(from, to, data));
    }
  }

  #pass(from, to, data) {
    if (this.mode === 'blackhole' || to.destroyed) return;
    const wait = this.#delay(data.length);
    if (wait === 0)
      return void (to.write(data) || (from.pause(), to.once('drain', () => from.resume())));
    from.pause();
    setTimeout(() => {
      if (this.mode !== 'blackhole' && !to.destroyed) to.write(data);
      from.resume();
    }, wait);
  }

  #delay(bytes) {
    // TCP makes of a lost packet one that comes later, and everything behind it with it.
    if (this.mode === 'loss') return this.random() < 0.1 ? 200 : 0;
    if (this.mode === 'slow') return (bytes * 8 * 1000) / 256_000;
    return 0;
  }

  reset() {
    for (const socket of this.#links) socket.resetAndDestroy();
  }
}
