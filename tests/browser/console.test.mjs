// The console in a real browser, with a real relay behind it: conversations, keys and health.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, startRelay } from '../e2e/support/verbatim.mjs';
import { startBrowser } from './support/browser.mjs';
import { go, openConsole, rows, tabTo, words } from './support/console.mjs';
import { open, relay, simulator, written } from './support/console-setup.mjs';

// In parallel, since most of the time they wait for pages.
describe('the console', { concurrency: 3 }, () => {
  test('a conversation is typed, ended and read again with the keyboard alone', async (t) => {
    const page = await open(t);
    await tabTo(page, page.getByLabel('Type instead of talking'));
    await page.keyboard.type('Who is there?');
    await page.keyboard.press('Enter');
    await page.locator('.turn.assistant.completed').waitFor();
    assert.match(await page.locator('.state').textContent(), /Connected, without a microphone/);
    const said = await words(page);
    assert.deepEqual(said, ['Who is there?', 'You said: Who is there?']);
    await tabTo(page, page.getByRole('button', { name: 'Stop' }));
    await page.keyboard.press('Space');
    await page.getByText('Ended: ended by the client.').waitFor();
    await tabTo(page, page.getByRole('link', { name: 'Open the stored transcript' }));
    await page.keyboard.press('Enter');
    await page.locator('.receipt').waitFor();
    assert.deepEqual(await words(page), said);
    const id = decodeURIComponent(new URL(page.url()).hash.split('/').at(-1));
    assert.deepEqual(
      (await relay.transcript(id)).turns.map(({ text }) => text),
      said,
    );
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a spoken conversation begins, is muted and goes on while another page is shown', async (t) => {
    const own = await startRelay(t, { key: null, simulator });
    const page = await open(t, '#/talk', {}, own);
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByText('Listening.').waitFor();
    const mute = page.getByRole('button', { name: 'Mute' });
    await mute.click();
    await page.getByText('Muted: you are not heard.').waitFor();
    assert.equal(await mute.getAttribute('aria-pressed'), 'true');
    await page
      .getByRole('combobox', { name: 'Microphone' })
      .locator('option')
      .nth(1)
      .waitFor({ state: 'attached' });
    await go(page, '#/health', 'Health');
    await page.getByText('Live: 1').first().waitFor();
    await go(page, '#/talk', 'Talk');
    await mute.click();
    await page.getByText('Listening.').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Ended: ended by the client.').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('without permission for the microphone the page says what to do, and typing still works', async (t) => {
    const refusing = await startBrowser(t, { microphone: 'refused' });
    const page = await openConsole(refusing, relay);
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').getByText('You can type instead').waitFor();
    await page.getByLabel('Type instead of talking').fill('Then I type.');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('.turn.assistant.completed').waitFor();
    assert.deepEqual(await words(page), ['Then I type.', 'You said: Then I type.']);
  });

  test('the end of a conversation is shown, with its reason in words', async (t) => {
    const set = ['session.max_duration=4s', 'session.ending_notice=3s'];
    const page = await open(t, '#/talk', {}, await startRelay(t, { key: null, simulator, set }));
    await page.getByLabel('Type instead of talking').fill('How long do we have?');
    await page.keyboard.press('Enter');
    await page.getByText(/^This conversation ends in \d.* s: it reaches its maximum duration\.$/).waitFor();
    await page.getByText('Ended: maximum duration reached.').waitFor();
    assert.equal(await page.getByText('This conversation ends').isVisible(), false);
    assert.deepEqual(await page.wrongs(), []);
  });

  test("a session is continued from its page, by a token of that session's own user [P10]", async (t) => {
    const closed = await startRelay(t, { simulator });
    await closed.request('/v1/sessions', { method: 'POST', body: { session_id: 'hers', user: 'ada' } });
    const page = await open(t, '#/sessions/hers', {}, closed);
    await page.getByRole('dialog').getByLabel('Key').fill(closed.key);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Continue this session' }).click();
    await page.getByLabel('Type instead of talking').fill('Here I am.');
    await page.keyboard.press('Enter');
    await page.locator('.turn.assistant.completed').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Ended: ended by the client.').waitFor();
    const { turns } = await closed.transcript('hers');
    assert.deepEqual(
      turns.map(({ text }) => text),
      ['Here I am.', 'You said: Here I am.'],
    );
    assert.equal((await closed.request('/v1/sessions/hers')).json.user, 'ada');
    assert.deepEqual(await page.wrongs(), []);
  });

  test('the page says so if the relay cannot be reached', async (t) => {
    const gone = await startRelay(t, { key: null, simulator });
    const page = await open(t, '#/talk', {}, gone);
    await page.getByRole('button', { name: 'Start' }).waitFor();
    await gone.program.stop('SIGKILL');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').getByText('The relay cannot be reached').waitFor();
    await go(page, '#/sessions', 'Sessions');
    await page.getByRole('alert').getByText('The relay cannot be reached').first().waitFor();
  });

  test('spoken markup stays text, and an injected script would not run [P10]', async (t) => {
    const said = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>bold</b>';
    await written('markup', [{ role: 'user', text: said, status: 'completed' }], {
      user: said,
      metadata: { [said]: said },
    });
    const page = await open(t, '#/sessions/markup');
    await page.locator('.turn .words').waitFor();
    assert.deepEqual(await words(page), [said]);
    assert.equal(await page.locator('main').locator('img, script, b').count(), 0);
    await go(page, '#/sessions', 'Sessions');
    await rows(page).getByText(said, { exact: true }).first().waitFor();
    assert.equal(await page.locator('main').locator('img, script, b').count(), 0);
    assert.deepEqual(await page.wrongs(), []);
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "run"';
      document.body.append(script);
    });
    assert.notEqual(await page.title(), 'run');
    await page.waitForFunction(() => window.stopped.length > 0);
    assert.match((await page.wrongs())[0], /^script-src/);
  });

  test('a key is asked for, kept in the tab only, and a conversation has its own token [P10]', async (t) => {
    const closed = await startRelay(t, { simulator });
    const page = await open(t, '#/sessions', {}, closed);
    const handshakes = [];
    const inspector = await page.context().newCDPSession(page);
    await inspector.send('Network.enable');
    inspector.on('Network.webSocketWillSendHandshakeRequest', ({ request }) =>
      handshakes.push(JSON.stringify(request)),
    );
    const dialog = page.getByRole('dialog');
    await dialog.getByText('This relay requires a back-end key.').waitFor();
    await dialog.getByLabel('Key').fill('vk_wrong');
    await page.keyboard.press('Enter');
    await dialog.getByText('The relay rejected this key.').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('alert').getByText('The relay requires a back-end key.').waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await dialog.getByLabel('Key').fill(closed.key);
    await dialog.getByRole('button', { name: 'Use this key' }).click();
    await page.getByText('No sessions yet.').waitFor();

    await go(page, '#/talk', 'Talk');
    await page.getByLabel('Type instead of talking').fill('By token.');
    await page.keyboard.press('Enter');
    await page.locator('.turn.assistant.completed').waitFor();
    assert.equal(handshakes.length, 1);
    assert.match(handshakes[0], /openai-insecure-api-key\.ek_/);
    assert.ok(!handshakes[0].includes(closed.key));
    const kept = await page.evaluate(async () => ({
      local: Object.values(localStorage).join(),
      session: Object.values(sessionStorage),
      cookies: document.cookie,
      page: document.documentElement.outerHTML,
    }));
    assert.deepEqual([kept.local, kept.session, kept.cookies], ['', [closed.key], '']);
    assert.ok(!kept.page.includes(closed.key));
    assert.ok(!page.url().includes(closed.key));

    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('link', { name: 'Open the stored transcript' }).click();
    await page.locator('.receipt').waitFor();
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('the health page says so if metrics have an address of their own', async (t) => {
    const apart = await startRelay(t, { key: null, simulator, set: ['metrics.listen=127.0.0.1:0'] });
    const page = await open(t, '#/health', {}, apart);
    await page.getByText('Metrics have an address of their own').waitFor();
    assert.equal(await page.getByRole('alert').count(), 0);
    assert.equal(await page.getByText('Current conversations').isVisible(), false);
    await page.locator('.facts dt').getByText('Version').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('the health page describes its charts in words', async (t) => {
    const well = await startRelay(t, { key: null, simulator });
    const page = await open(t, '#/health', {}, well);
    await page.getByText('Ready', { exact: true }).waitFor();
    await page.getByText('None since the relay started.').waitFor();
    const client = await Client.connectWithId(t, well, { token: null });
    await client.ask('One.');
    const live = page.getByRole('img', { name: /^Live: 1, between 0 and 1\./ });
    await live.waitFor();
    const waited = page
      .getByRole('figure', { name: 'Wait for a journal commit' })
      .getByRole('img', { name: /^Median: [\d.]+ ms.* 99th percentile: [\d.]+ ms/ });
    await waited.waitFor();
    const heights = await waited
      .locator('.line')
      .evaluateAll((lines) => lines.map((line) => line.getBBox().y));
    assert.ok(heights[1] <= heights[0], `the 99th percentile is drawn below the median: ${heights}`);
    await client.close();
    await page.getByRole('img', { name: /client closed: 1\./ }).waitFor();
    assert.ok((await page.locator('.event').count()) >= 1);
    const { version } = (await well.request('/version')).json;
    await page.locator('.facts').getByText(version).waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('while the relay cannot be reached, the health page shows nothing as being well', async (t) => {
    const gone = await startRelay(t, { key: null, simulator });
    const page = await open(t, '#/health', {}, gone);
    await page.locator('.checks .good').nth(3).waitFor();
    await page.locator('.present').first().waitFor();
    await gone.program.stop('SIGKILL');
    await page.getByRole('alert').getByText('The relay cannot be reached').waitFor();
    await page.locator('.verdict').getByText('Not reachable').waitFor();
    assert.equal(await page.locator('.checks').count(), 0);
    assert.equal(await page.locator('.panels.stale').count(), 1);
    await page.evaluate(() => (location.hash = '#/sessions'));
    await page.getByRole('heading', { level: 1, name: 'Sessions' }).waitFor();
    await page.getByRole('alert').getByText('The relay cannot be reached').first().waitFor();
  });
});
