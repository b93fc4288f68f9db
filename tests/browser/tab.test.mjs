// End to end: a page of the console, a voice, a tab that is closed.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { sentence, startBrowser } from './support/browser.mjs';
import { openConsole } from './support/console.mjs';

test('after the tab is closed in mid-sentence, the session is in the list with every word and the reason [P1][P2]', async (t) => {
  const relay = await startRelay(t, {
    key: null,
    simulator: await startSimulator(t, [], '1'),
    set: ['session.resume_window=1s', `capture.dir=${temporaryDirectory(t)}`],
  });
  const browser = await startBrowser(t, { microphone: sentence });
  const page = await openConsole(browser, relay);
  await page.getByRole('button', { name: 'Start' }).click();
  const words = (text) => text.match(/[A-Za-z']+/g) ?? [];
  // The part of the answer that the page shows when it is closed.
  const answer = page.locator('.turn.assistant .words:not(.none)').first();
  await answer.filter({ hasText: /\w+ \w+ \w+/ }).waitFor();
  const seen = words(await answer.evaluate((said) => [...said.querySelectorAll('.unseen')].map((mark) => mark.remove()) && said.textContent));
  const [{ id }] = (await relay.request('/v1/sessions')).json.sessions;
  await page.close();

  const kept = await relay.transcript(id);
  assert.equal(kept.status, 'final');
  assert.ok(['client_closed', 'client_lost'].includes(kept.close_reason), kept.close_reason);
  assert.ok(kept.turns.some(({ role }) => role === 'user'));
  assert.ok(seen.length > 2);
  const said = kept.turns.find(({ role, text }) =>
    role === 'assistant' && words(text).join(' ').startsWith(seen.slice(0, -1).join(' ')));
  assert.ok(said, `${seen} / ${JSON.stringify(kept.turns)}`);

  const later = await openConsole(browser, relay, '#/sessions');
  const row = later.locator('main').getByRole('row').or(later.locator('main li')).filter({ hasText: id }).first();
  await row.getByText(/client (closed|lost)/).waitFor();
  await row.getByRole('link').first().click();
  await later.locator('.turn.assistant').getByText(said.text).waitFor();
  const coming = later.waitForEvent('download');
  await later.getByText('Export', { exact: true }).click();
  await later.getByRole('button', { name: 'Raw events' }).click();
  const raw = await readFile(await (await coming).path(), 'utf8');
  assert.ok(raw.split('\n').filter(Boolean).map(JSON.parse).some(({ event }) => event.type === 'session.created'));
  assert.deepEqual(await later.wrongs(), []);
});
