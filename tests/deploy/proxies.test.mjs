// Conversations through the proxies of deploy/proxies/: Debian's nginx, HAProxy and Caddy with the files that
// are shipped.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, refusal, within } from '../e2e/support/verbatim.mjs';
import { eventually } from './support/programs.mjs';
import { proxyNames } from './support/proxies.mjs';
import { comesBack, liveTurns, scene } from './support/scene.mjs';

for (const name of proxyNames) {
  test(`${name}: a conversation, its live events and its transcript`, async (t) => {
    const { through } = await scene(t, name);
    const client = await Client.connectWithId(t, through);
    const live = liveTurns(through, client.id, 2);
    await client.ask('Do you hear me through the proxy?');
    // The conversation is still open: no buffer holds its events back.
    const { type, text } = await live;
    assert.match(type, /^text\/event-stream/);
    assert.match(text, /Do you hear me through the proxy\?/);
    await client.close();
    await within(client.closed, 'the close');
    assert.equal((await through.request(`/v1/sessions/${client.id}/transcript`)).json.turns.length, 2);
  });

  test(`${name}: an upgrade as long as the relay takes, its token in a header or as a subprotocol`, async (t) => {
    const { through } = await scene(t, name);
    const token = await through.mint({ user: 'ann', metadata: { course: 'x'.repeat(7500) } });
    const cookie = `other=${'x'.repeat(15_700 - token.length)}`; // server.header_bytes_max is 16 KiB
    const byHeader = await Client.connect(t, through, { token, headers: { cookie } });
    await byHeader.event('session.created');
    const byProtocol = await Client.connect(t, through, { protocols: ['realtime', `openai-insecure-api-key.${token}`], headers: { cookie, origin: new URL(through.url).origin } });
    await byProtocol.event('session.created');
  });

  test(`${name}: the relay learns the client's own address, and the client cannot name another`, async (t) => {
    const { relay, through } = await scene(t, name);
    const from = (localAddress, headers) =>
      refusal(through, { token: 'ek_none', headers, socket: { localAddress, family: 4 } });
    assert.equal((await from('127.0.0.2')).status, 401);
    assert.equal((await from('127.0.0.3', { 'X-Forwarded-For': '203.0.113.9' })).status, 401);
    const addresses = () => [...relay.program.stderr.matchAll(/upgrade\.refused.* remote=(\S+)/g)].map(([, address]) => address);
    await eventually(() => addresses().length === 2, 'two log lines');
    assert.deepEqual(addresses(), ['127.0.0.2', '127.0.0.3']);
  });

  test(`${name}: a relay below a path`, async (t) => {
    const { through } = await scene(t, name, { prefix: '/voice' });
    const client = await Client.connectWithId(t, through);
    await client.ask('Where are you?');
    await client.close();
    assert.equal((await through.transcript(client.id, '')).turns.length, 2);
    const page = await through.request('/');
    assert.match(page.text, /<title>/);
    const [, script] = /src="([^"]+\.js)"/.exec(page.text);
    assert.equal((await through.request(new URL(script, `${through.url}/`).pathname.replace(/^\/voice/, ''))).status, 200);
  });

  test(`${name}: a new certificate while a conversation goes on`, async (t) => {
    const { proxy, through } = await scene(t, name);
    const client = await Client.connectWithId(t, through);
    await client.ask('Which certificate?');
    const before = await proxy.certificate();
    proxy.renew();
    await eventually(async () => (await proxy.certificate().catch(() => before)) !== before, 'the new certificate');
    await client.ask('And now?');
    await client.close();
    const { turns, attempt } = await through.transcript(client.id);
    assert.deepEqual([turns.length, attempt], [4, 1]);
  });

  test(`${name}: a deploy of the relay loses no conversation`, async (t) => {
    const { relay, next, through } = await scene(t, name);
    const token = await through.mint({ user: 'ann' });
    const client = await Client.connectWithId(t, through, { token });
    await client.ask('Before the deploy?');
    const stopped = relay.program.stop('SIGTERM');
    assert.equal((await within(client.closed, 'the close')).code, 1012);
    const returning = comesBack(t, through, token, { session: client.id }); // while no relay is there
    assert.equal((await stopped).code, 0);
    await next();
    const again = await returning;
    await again.ask('After the deploy?');
    await again.close();
    const { turns, attempt, complete } = await through.transcript(client.id);
    assert.deepEqual(turns.filter(({ role }) => role === 'user').map(({ text }) => text), ['Before the deploy?', 'After the deploy?']);
    assert.deepEqual([attempt, complete], [1, true]);
  });
}
