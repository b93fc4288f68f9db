// A proxy before the provider: counts connections and passes bytes. For one model it is itself a provider that
// repeats what it was sent. A process of its own: see apart.mjs.
import { once } from 'node:events';
import net from 'node:net';
import { serve } from './apart.mjs';

let connections = 0;

/** A refusal that repeats the request, key included. */
function refusal(head) {
  const said = /authorization: bearer (\S+)/i.exec(head.toString())?.[1];
  const body = JSON.stringify({ error: { code: 'invalid_api_key', message: `Incorrect API key provided: ${said}.` } });
  return `HTTP/1.1 401 Key ${said} refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

serve({
  /** Listens before the provider at `url`; the address for `upstream.url`. */
  async open(url, leakyModel) {
    const { hostname, port } = new URL(url);
    const server = net.createServer({ noDelay: true }, (near) => {
      ++connections;
      near.on('error', () => {});
      near.once('data', (head) => {
        if (head.includes(leakyModel)) {
          near.end(refusal(head));
          return;
        }
        const far = net.connect({ host: hostname, port: Number(port), noDelay: true });
        far.on('error', () => near.destroy());
        far.on('close', () => near.destroy());
        near.on('close', () => far.destroy());
        far.write(head);
        near.pipe(far).pipe(near);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `ws://127.0.0.1:${server.address().port}/v1/realtime`;
  },
  connections: () => connections,
});
