// The client library in a real browser: its page, the relay and a simulated provider.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { sentence, startBrowser } from './support/browser.mjs';
import { PageConversation } from './support/conversation.mjs';

test('what is spoken into the page is heard, answered, played and kept [P1][P8]', async (t) => {
  const relay = await startRelay(t, { key: null, simulator: await startSimulator(t, [], '1') });
  const browser = await startBrowser(t, { microphone: sentence });
  const talk = await PageConversation.open(browser, relay);
  const { session } = await talk.connect();
  await talk.event('response.done');
  const heard = await talk.until(() => seen.find((one) => one.type === 'heard' && one.detail.audioMs > 500)?.detail);
  await talk.until(() => talk.turns.length === 2 && talk.turns.every(({ status }) => status === 'completed'));
  const turns = await talk.turns();
  assert.deepEqual(turns.map(({ role }) => role), ['user', 'assistant']);
  assert.equal(heard.itemId, turns[1].itemId);
  await talk.run(() => talk.close());
  assert.deepEqual(await talk.told('ended'), { reason: 'client_ended', sessionId: session });
  const kept = await relay.transcript(session);
  assert.deepEqual(
    kept.turns.map(({ item_id: itemId, role, text }) => ({ itemId, role, text })),
    turns.map(({ itemId, role, text }) => ({ itemId, role, text })),
  );
  assert.deepEqual(talk.page.problems, []);
});
