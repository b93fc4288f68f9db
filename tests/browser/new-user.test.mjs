// The console as a new user meets it, alone with it: from the first conversation to a webhook that failed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Receiver, quick, targets } from '../e2e/support/receiver.mjs';
import { Client, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { sentence, startBrowser } from './support/browser.mjs';
import { go, openConsole, rows } from './support/console.mjs';
import { open, simulator } from './support/console-setup.mjs';

describe('a new user', { concurrency: 2 }, () => {
  test('talks to an agent with own instructions and a tool, and finds that call again by a word that was said', async (t) => {
    const provider = await startSimulator(t, [], '1');
    const own = await startRelay(t, { key: null, simulator: provider });
    const browser = await startBrowser(t, { microphone: sentence });
    const page = await openConsole(browser, own);
    await page.getByLabel('Instructions').fill('You are a weather service. Be brief.');
    await page.getByRole('button', { name: 'Insert an example' }).click();
    await page.getByRole('button', { name: 'Start' }).click();
    await page.locator('.turn.user.completed').waitFor(); // spoken into the microphone
    await page.locator('.turn.assistant').first().waitFor();
    await page.getByLabel('Type instead of talking').fill('What is the get_weather of Winterthur?');
    await page.keyboard.press('Enter');
    await page.locator('.turn.tool.completed').getByText('"celsius":21').first().waitFor();
    // The answer after the tool's output.
    await page.locator('.turn.tool.completed ~ .turn.assistant').first().waitFor();
    // The provider has the instructions: the event pane shows what it said.
    await page.getByRole('combobox', { name: 'Type', exact: true }).selectOption('session.updated');
    await page.getByLabel('Search in events').fill('You are a weather service');
    await page.locator('.events > li').first().waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Ended: ended by the client.').waitFor();

    await go(page, '#/sessions', 'Sessions');
    // A conversation is found a moment after its end.
    for (;;) {
      await page.getByLabel('Words, user, id or metadata').fill('winterthur');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.getByText(/^(1 session: .*|No session matches\.)$/).waitFor();
      if (await rows(page).count()) break;
      await page.getByRole('link', { name: 'Show all' }).click();
      await rows(page).first().waitFor();
    }
    await rows(page).locator('.snippet').getByText('Winterthur').waitFor();
    await rows(page).getByRole('link').first().click();
    await page.locator('.turn.tool').getByText('"celsius":21').first().waitFor();
    await page.locator('.turn.user .words').getByText('Winterthur').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('sees a live call in the list, follows it and ends it', async (t) => {
    const own = await startRelay(t, { key: null, simulator });
    const client = await Client.connectWithId(t, own, { token: null });
    await client.ask('Am I live?');
    const page = await open(t, '#/sessions', {}, own);
    await rows(page).getByRole('link', { name: 'Am I live?' }).click();
    await page.locator('.turn.assistant.completed').waitFor();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('the lesson is over');
    await page.getByRole('button', { name: 'End the conversation' }).click();
    await page.getByText('The conversation has ended.').waitFor();
    assert.equal((await client.closed).code, 1000);
    await page.locator('.side').getByText('ended by the operator').waitFor();
    await page.getByText('This page computed the same digest').waitFor();
    assert.equal((await own.request(`/v1/sessions/${client.id}`)).json.close_reason, 'operator');
    assert.deepEqual(await page.wrongs(), []);
  });

  test('sends a failed webhook again', async (t) => {
    const receiver = await Receiver.start(t);
    receiver.answer = () => [500, {}, 'the database is down'];
    const own = await startRelay(t, { key: null, simulator, set: [...quick, targets(receiver.target(t)), 'webhook.tries_max=1'] });
    const client = await Client.connectWithId(t, own, { token: null });
    await client.close();
    const page = await open(t, '#/webhooks', {}, own);
    const started = page.locator('.delivery.dead', { hasText: 'session.started' });
    await started.locator('summary').first().click();
    await started.getByText('the database is down').waitFor();
    receiver.answer = () => 204;
    await started.getByRole('button', { name: 'Send again' }).click();
    await page.locator('.delivery.delivered', { hasText: 'session.started' }).waitFor();
    await page.locator('.found').getByText(/given up/).waitFor({ state: 'visible' });
    await page.getByLabel('State').selectOption('dead');
    await page.locator('.delivery.dead', { hasText: 'session.ended' }).waitFor();
    assert.equal(await page.locator('.delivery.delivered').count(), 0);
    assert.deepEqual(await page.wrongs(), []);
  });
});
