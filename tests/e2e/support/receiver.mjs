// A receiver of webhooks. It checks every call with the public package.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { eventually } from './cell.mjs';
import { temporaryDirectory } from './verbatim.mjs';

export const newSecret = () => `whsec_${randomBytes(24).toString('base64')}`;

/**
 * Answers what `answer(call)` says: a status, a list of status, headers and body, a function that gets the
 * response, or undefined for never. A promise of one of these holds the call open until then.
 */
export class Receiver {
  calls = [];
  answer = () => 204;
  open = 0; // calls without an answer, now
  openMost = 0;

  static async start(t, secret = newSecret()) {
    const receiver = new Receiver();
    receiver.secret = secret;
    const server = (receiver.server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      // Throws if the signature is wrong.
      const event = new Webhook(receiver.secret).verify(body, request.headers);
      const call = { id: request.headers['webhook-id'], path: request.url, ...event };
      receiver.calls.push(call);
      receiver.openMost = Math.max(receiver.openMost, ++receiver.open);
      response.on('close', () => --receiver.open);
      const answer = await receiver.answer(call);
      if (!answer) return;
      if (typeof answer === 'function') return answer(response);
      const [status, headers, text] = [answer].flat();
      response.writeHead(status, { location: '/elsewhere', ...headers });
      if (receiver.endless) response.write(Buffer.alloc(1024 * 1024));
      else response.end(text ?? 'thanks');
    }));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    receiver.url = `http://127.0.0.1:${server.address().port}/hook`;
    return receiver;
  }

  target(t, more = '') {
    this.file ??= join(temporaryDirectory(t), 'secret');
    writeFileSync(this.file, this.secret);
    return `{url='${this.url}', secret_file='${this.file}', allow_private=true${more}}`;
  }

  of(type) {
    return this.calls.filter((call) => call.type === type);
  }

  until(type, count = 1) {
    return eventually(() => this.of(type).length >= count, `${count} calls of ${type}`);
  }
}

/** Settings for a test that waits for several tries. */
export const quick = [
  'webhook.settle=0s',
  'webhook.retry_min=20ms',
  'webhook.retry_max=50ms',
  'webhook.timeout=1s',
];
export const targets = (...list) => `webhook.targets=[${list.join(',')}]`;
