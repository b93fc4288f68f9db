// Webhooks while the disk is slow: messages and stored data stay consistent.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../e2e/support/cell.mjs';
import { Client, startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { Shim } from './shim.mjs';

/** A relay with a shim before it and one webhook, and the calls that it gets. */
async function start(t, set, answer = () => 204) {
  const bodies = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    response.writeHead(answer()).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const secret = join(temporaryDirectory(t), 'secret');
  writeFileSync(secret, `whsec_${randomBytes(24).toString('base64')}`);
  const target = `{url='http://127.0.0.1:${server.address().port}', secret_file='${secret}', allow_private=true}`;
  const shim = new Shim(t);
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, {
    simulator,
    env: shim.env,
    set: [...set, `webhook.targets=[${target}]`],
  });
  const client = await Client.connectWithId(t, relay);
  await client.ask('What time is it?');
  await client.close();
  await relay.transcript(client.id);
  return { bodies, shim, relay, id: client.id };
}

test('a post that is being committed when the end is due is sent with it or after it [P1][P3]', async (t) => {
  const { bodies, shim, relay, id } = await start(t, ['webhook.settle=1s']);
  // The sync of the post's commit ends long after the session was due to end.
  const slow = shim.arm({ calls: ['fsync', 'fdatasync'], file: '*.db-wal', action: 'delay', ms: 2500 });
  const post = relay.request(`/v1/sessions/${id}/transcript`, {
    method: 'POST',
    body: { turns: [{ role: 'user', text: 'Heard by nobody else.' }] },
  });
  await slow.struck();
  slow.disarm();
  assert.ok((await post).status < 300);
  await eventually(() => bodies.some((body) => body.includes('session.ended')), 'the end');
  await eventually(() => bodies.some((body) => body.includes('Heard by nobody else.')), 'the post');
});

test('a clock that is set back a day holds no message back for a day', async (t) => {
  let status = 500;
  const { bodies, shim } = await start(t, ['webhook.settle=0s'], () => status);
  await eventually(() => bodies.length > 0, 'the first try');
  shim.moveClock(-24 * 3_600_000);
  status = 204;
  await eventually(() => bodies.some((body) => body.includes('session.ended')), 'the end');
});
