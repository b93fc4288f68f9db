// A browser, a simulated provider and a relay that the tests of one file share.
// Importing this module registers the hooks that start and end them.
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { wholeFile } from '../../e2e/support/file.mjs';
import { play, read } from '../../e2e/support/recording.mjs';
import { Client, startRelay, startSimulator } from '../../e2e/support/verbatim.mjs';
import { startBrowser } from './browser.mjs';
import { openConsole } from './console.mjs';

const file = wholeFile();

export let browser;
export let simulator;
export let relay;
export let talkedOver; // a session of two attempts; in the second an answer was talked over

before(async () => {
  browser = await startBrowser(file);
  simulator = await startSimulator(file);
  relay = await startRelay(file, { key: null, simulator });
  talkedOver = await recorded('synthetic-01-simple-turn');
  await recorded('synthetic-04-barge-in-truncate', { session: talkedOver });
});

/** Acts out a recording, to its end. */
export async function recorded(name, query = {}) {
  const client = await Client.connectWithId(file, relay, { token: null, query: { model: name, ...query } });
  await play(client, read(name));
  await client.close();
  await relay.transcript(client.id);
  return client.id;
}

/** A session that has been made ahead, with what a writer has of it. */
export async function written(session_id, turns, { user = 'ada', metadata = {} } = {}) {
  await relay.request('/v1/sessions', { method: 'POST', body: { session_id, user, metadata } });
  if (turns.length === 0) return;
  const answer = await relay.request(`/v1/sessions/${session_id}/transcript`, {
    method: 'POST',
    body: { writer: 'agent', turns },
  });
  assert.equal(answer.status, 200, answer.text);
}

export async function open(t, hash, options, from = relay) {
  const page = await openConsole(browser, from, hash, options);
  t.after(() => page.context().close());
  return page;
}
