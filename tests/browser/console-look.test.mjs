// How every page looks: accessible, as wide as its window, still while it loads, and small.
// PICTURES=FOLDER writes a picture of each page and state, at each width.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Receiver, quick, targets } from '../e2e/support/receiver.mjs';
import { temporaryDirectory } from '../e2e/support/process.mjs';
import { Client, startRelay } from '../e2e/support/verbatim.mjs';
import { accessibility, go, looksWell, rows, tabTo } from './support/console.mjs';
import { open, relay, simulator, talkedOver } from './support/console-setup.mjs';

describe('the look of the console', { concurrency: 2 }, () => {
  for (const colorScheme of ['light', 'dark']) {
    test(`axe finds nothing on any page, at 360 and 1200 px, and none is wider than its window: ${colorScheme}`, async (t) => {
      const receiver = await Receiver.start(t);
      receiver.answer = () => [500, {}, 'down'];
      const own = await startRelay(t, {
        key: null,
        simulator,
        set: [...quick, 'webhook.tries_max=1', targets(receiver.target(t)), `capture.dir=${temporaryDirectory(t)}`],
      });
      const client = await Client.connectWithId(t, own, { token: null });
      await client.ask('Where is the station?');
      await client.ask('And the bus stop?'); // the wait for the first answer is recorded by now
      await own.request(`/v1/sessions/${client.id}`, { method: 'PATCH', body: { metadata: { course: '7' } } });
      const page = await open(t, '#/talk', { bypassCSP: true, colorScheme, reducedMotion: 'reduce' }, own);
      await page.getByRole('button', { name: 'Start' }).waitFor();
      await page.getByText('Session and token').click();
      await looksWell(page, 'talk, before it begins');
      await page.getByRole('button', { name: 'Insert an example' }).click();
      await page.getByLabel('Type instead of talking').fill('What is the get_weather of Bern?');
      await page.keyboard.press('Enter');
      await page.locator('.turn.tool.completed').waitFor();
      await page.locator('.turn.assistant.completed').first().waitFor();
      await looksWell(page, 'talk, a conversation');
      await page.getByRole('button', { name: 'Copy as code' }).click();
      await looksWell(page, 'talk, as code');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Stop' }).click();
      await go(page, '#/sessions', 'Sessions');
      await rows(page).nth(1).waitFor();
      await looksWell(page, 'sessions');
      await page.getByRole('checkbox', { name: /^Select sess/ }).first().check();
      await page.getByText('Columns', { exact: true }).click();
      await looksWell(page, 'sessions, one selected');
      await page.evaluate(() => (location.hash = '#/sessions?user=stranger'));
      await page.getByText('No session matches.').waitFor();
      await looksWell(page, 'sessions, none', { axeAt: [360] });
      await page.evaluate((id) => (location.hash = `#/sessions/${id}`), client.id);
      await page.locator('.turn.assistant.completed').nth(1).waitFor();
      await page.getByRole('button', { name: /^first audio/ }).first().click();
      await page.locator('.breakdown').waitFor();
      await looksWell(page, 'a live session');
      await page.getByRole('tab', { name: 'Raw events' }).click();
      await page.locator('.events > li').first().locator('summary').first().click();
      await looksWell(page, 'raw events');
      await page.getByRole('button', { name: 'End', exact: true }).click();
      await looksWell(page, 'the dialog of an end', { axeAt: [360] });
      await page.getByRole('button', { name: 'End the conversation' }).click();
      await page.locator('.side').getByText('ended by the operator').waitFor();
      await go(page, '#/webhooks', 'Webhooks');
      await page.locator('.delivery.dead summary').first().click();
      await looksWell(page, 'webhooks');
      await go(page, '#/tokens', 'Tokens');
      await page.getByLabel('User', { exact: true }).fill('ada');
      await page.getByRole('button', { name: 'Mint a token' }).click();
      await page.getByText('The token is shown once.').waitFor();
      await looksWell(page, 'tokens');
      await go(page, '#/health', 'Health');
      await page.getByText('Ready', { exact: true }).waitFor();
      await page.getByText('The numbers').first().click();
      await looksWell(page, 'health');
      await go(page, '#/settings', 'Settings');
      await page.getByText('server.listen', { exact: true }).waitFor();
      await looksWell(page, 'settings');
      await page.evaluate(async () => {
        const { ask } = await import('/console/key.js');
        ask('For a look at it.');
      });
      await page.getByRole('dialog').waitFor();
      await looksWell(page, 'the dialog of the key', { axeAt: [360] });
    });
  }

  test('two attempts beside each other look well', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}?attempt=1,2`, { bypassCSP: true, reducedMotion: 'reduce' });
    await page.locator('.receipt').nth(1).waitFor();
    for (const table of await page.getByText('Show as a table').all()) await table.click();
    await looksWell(page, 'two attempts');
  });

  test('a page that waits for its data says so, and nothing moves when the data comes', async (t) => {
    for (const hash of ['#/talk', '#/sessions', '#/health', '#/settings']) {
      const page = await open(t, 'docs/api', { reducedMotion: 'reduce', viewport: { width: 1200, height: 800 } });
      await page.addInitScript(() => {
        window.shifts = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await page.goto(`${relay.url}/${hash}`);
      await page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('.skeleton'));
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const shifts = await page.evaluate(() => window.shifts);
      assert.ok(shifts <= 0.02, `${hash} moves by ${shifts}`);
      await page.context().close();
    }
  });

  test('the first page loads at most 120 kB, and only from the relay', async (t) => {
    const page = await open(t, 'docs/api');
    const inspector = await page.context().newCDPSession(page);
    await inspector.send('Network.enable');
    await inspector.send('Network.setCacheDisabled', { cacheDisabled: true });
    const urls = new Map();
    let bytes = 0;
    inspector.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
    inspector.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
    await page.goto(`${relay.url}/`, { waitUntil: 'networkidle' });
    await page.getByRole('button', { name: 'Start' }).waitFor();
    assert.ok(bytes > 10_000 && bytes <= 120_000, `${bytes} bytes`);
    for (const url of urls.values()) assert.ok(url.startsWith(relay.url) || url.startsWith('data:'), url);
    t.diagnostic(`${urls.size} files, ${bytes} bytes`);
  });

  test('with reduced motion nothing is animated', async (t) => {
    const page = await open(t, '#/health', { reducedMotion: 'reduce' });
    await page.locator('.verdict').waitFor();
    const animated = await page.evaluate(() => document.getAnimations().length);
    assert.equal(animated, 0);
  });

  test('menus, tabs and dialogs are used by keyboard alone', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`, { bypassCSP: true });
    await page.locator('.receipt').waitFor();
    await tabTo(page, page.locator('.menu > summary').first());
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Markdown', exact: true }).waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('.menu[open]').count(), 0);
    assert.ok(await page.locator('.menu > summary').first().evaluate((summary) => summary === document.activeElement));
    await tabTo(page, page.getByRole('button', { name: 'Erase' }));
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    // The button that destroys nothing has the focus.
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await tabTo(page, page.getByRole('tab', { name: 'Conversation' }));
    await page.keyboard.press('ArrowRight');
    await page.getByText('No raw events').waitFor();
    assert.match(page.url(), /view=raw/);
    assert.deepEqual(await accessibility(page), []);
  });
});
