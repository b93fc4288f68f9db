// A back end's webhook receiver that can be out of order, and the messages that it got.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Receiver {
  mode = 'up';
  fired = 0; // calls while it was out of order
  #ends = new Map(); // by session and attempt: the ids of the messages about its end

  static async start(scope) {
    const receiver = new Receiver();
    const server = createServer((request, response) => receiver.#hear(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const directory = mkdtempSync(join(tmpdir(), 'verbatim-hook-'));
    const secret = join(directory, 'secret');
    writeFileSync(secret, `whsec_${randomBytes(24).toString('base64')}`);
    scope.after(() => {
      server.closeAllConnections();
      server.close();
      rmSync(directory, { recursive: true, force: true });
    });
    const url = `http://127.0.0.1:${server.address().port}`;
    receiver.set = [
      `webhook.targets=[{url='${url}', secret_file='${secret}', allow_private=true}]`,
      ...['webhook.settle=0s', 'webhook.timeout=500ms'],
      ...['webhook.retry_min=10ms', 'webhook.retry_max=100ms', 'webhook.tries_max=1000'],
    ];
    return receiver;
  }

  async #hear(request, response) {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (this.mode !== 'up') ++this.fired;
    if (this.mode === 'down') return request.socket.destroy();
    if (this.mode === 'hangs') return;
    if (this.mode === 'redirects') return response.writeHead(302, { location: '/' }).end();
    const { type, data } = JSON.parse(body);
    if (type === 'session.ended') {
      const ids = this.#ends.get(data.session_id) ?? new Set();
      this.#ends.set(data.session_id, ids.add(request.headers['webhook-id']));
    }
    response.writeHead(204).end();
  }

  /** Under how many ids the end of a session of one attempt was reported: one, if nothing is wrong. */
  endsOf(session) {
    return this.#ends.get(session)?.size ?? 0;
  }
}
