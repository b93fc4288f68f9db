// The console's page of a fleet, with two relays behind it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missing } from '../e2e/support/postgres.mjs';
import { startFleet, startRelay } from '../e2e/support/verbatim.mjs';
import { startBrowser } from './support/browser.mjs';
import { accessibility, openConsole } from './support/console.mjs';

test('the page Fleet shows each relay with its lease and its conversations, and the loss of one [P14]', { skip: missing ?? false }, async (t) => {
  const relay = await startFleet(t);
  const browser = await startBrowser(t);
  const page = await openConsole(browser, relay, '#/fleet', { bypassCSP: true });
  await page.getByLabel('Key', { exact: true }).fill(relay.key);
  await page.getByRole('button', { name: 'Use this key' }).click();
  const rows = page.locator('.nodes tbody tr');
  await rows.nth(1).waitFor();
  assert.equal(await rows.count(), 2);
  const [first, second] = await rows.allTextContents();
  assert.match(first, new RegExp(`^${new URL(relay.first.url).host}alive`));
  assert.match(second, new RegExp(`^${new URL(relay.url).host} \\(this one\\)aliveheld`));
  await page.getByText('2 of 2 relays alive, 0 conversations').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Fleet' }).isVisible(), true);
  for (const width of [1200, 360]) {
    await page.setViewportSize({ width, height: 800 });
    assert.deepEqual(await accessibility(page), [], `${width} px`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `it is ${wide} px wide at ${width}`);
    if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/fleet-${width}.png` });
  }
  await relay.first.program.stop('SIGKILL');
  await page.getByText('does not answer').waitFor();
  await page.getByText('1 of 2 relays alive').waitFor();
  assert.deepEqual(await page.wrongs(), []);
  const alone = await openConsole(browser, await startRelay(t, { key: null }), '#/fleet');
  await alone.getByText('This relay is alone').waitFor();
  assert.equal(await alone.getByRole('link', { name: 'Fleet' }).isVisible(), false);
});
