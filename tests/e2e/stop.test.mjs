// With default settings SIGTERM ends the program in time, even if clients and providers do not answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Provider } from './support/provider.mjs';
import { Client, startRelay } from './support/verbatim.mjs';

/** The least time that supervisors allow (Docker 10 s), minus the delay of a loaded machine. */
const allowed = 9_000;

for (const [what, set] of [
  ['takes nothing', []],
  ['takes nothing of a long backlog', []],
  ['takes nothing of a long backlog, and is left to the next process', ['server.restart=handover', 'session.resume_window=30s']],
]) {
  test(`a client that ${what} does not hold up SIGTERM [P2]`, async (t) => {
    const provider = await Provider.start(t);
    const relay = await startRelay(t, { set: [`upstream.url=${provider.url}`, ...set] });
    const [client, line] = await Promise.all([
      Client.connectWithId(t, relay, { query: { model: 'one' } }),
      provider.line('one'),
    ]);
    line.say({ type: 'session.created', session: { type: 'realtime' } });
    await client.event('session.created');
    client.socket.pause();
    const audio = { type: 'response.output_audio.delta', response_id: 'r1', item_id: 'a1', output_index: 0, content_index: 0 };
    for (let i = 0; what.includes('backlog') && i < 120; ++i) line.say({ ...audio, delta: 'A'.repeat(64_000) });
    line.say({ type: 'conversation.item.added', previous_item_id: null, item: { id: 'u1', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Stop.' }] } });
    const { code } = await relay.program.stop('SIGTERM', allowed);
    assert.equal(code, 0);
  });
}
