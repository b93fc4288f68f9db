// HTTP by hand, byte for byte: requests that no library would send.
import net from 'node:net';
import { within } from './process.mjs';

/** A plain connection to a relay with tls.enabled=false. */
export class Raw {
  text = '';
  #looks = new Set();

  constructor(t, relay) {
    const { hostname: host, port } = new URL(relay.url);
    this.socket = net.connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    t.after(() => this.socket.destroy());
    this.socket.on('error', () => {}); // a refused body may end in a reset
    this.socket.on('data', (data) => {
      this.text += data.toString('latin1');
      this.#look();
    });
    this.over = new Promise((resolve) => {
      this.socket.on('end', resolve);
      this.socket.on('close', resolve);
    });
    this.connected = new Promise((resolve) => this.socket.on('connect', resolve));
  }

  #look() {
    for (const look of this.#looks) look();
  }

  /** Resolves once it has been handed to the system. */
  write(bytes) {
    return within(new Promise((resolve) => this.socket.write(bytes, resolve)), 'a write');
  }

  /** Until this has come. */
  until(pattern) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => pattern.test(this.text) && resolve();
      this.#looks.add(look);
      this.over.then(() => reject(new Error(`ended before ${pattern}: ${this.text}`)));
      look();
    });
    return within(found, String(pattern)).finally(() => this.#looks.delete(look));
  }

  /** Until the other side ends the connection: all that came. */
  async end() {
    await within(this.over, 'the end of the connection');
    return this.text;
  }

  get statuses() {
    return [...this.text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
  }
}

/** The relay's answer to these pieces, each sent once the system has taken the one before. */
export async function raw(t, relay, ...pieces) {
  const wire = new Raw(t, relay);
  for (const piece of pieces) await wire.write(piece);
  wire.socket.end();
  await wire.end();
  const [head, ...rest] = wire.text.split('\r\n\r\n');
  const body = rest.join('\r\n\r\n');
  return {
    status: wire.statuses[0],
    statuses: wire.statuses,
    head,
    body,
    text: wire.text,
    json: /^content-type: application\/(problem\+)?json\b/im.test(head) && body ? JSON.parse(body) : undefined,
  };
}
