// The pages of an operator: tokens, settings, webhooks.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Receiver, quick, targets } from '../e2e/support/receiver.mjs';
import { Client, startRelay } from '../e2e/support/verbatim.mjs';
import { open, simulator } from './support/console-setup.mjs';

/** A page of a relay that asks for keys, with one entered. */
async function withKey(t, hash, set = []) {
  const closed = await startRelay(t, { simulator, set });
  const page = await open(t, hash, { permissions: ['clipboard-read', 'clipboard-write'] }, closed);
  await page.getByRole('dialog').getByLabel('Key').fill(closed.key);
  await page.keyboard.press('Enter');
  return { closed, page };
}

describe('an operator', { concurrency: 3 }, () => {
  test('mints a token that works, sees it listed, and revokes it [P10]', async (t) => {
    const { closed, page } = await withKey(t, '#/tokens');
    await page.getByText('No tokens.').waitFor();
    await page.getByLabel('User', { exact: true }).fill('ada');
    await page.getByLabel('Instructions').fill("Don't hurry.");
    await page.getByLabel('More terms').fill('{"metadata": 7');
    await page.getByRole('button', { name: 'Mint a token' }).click();
    await page.getByRole('alert').getByText('The terms are not JSON').waitFor();
    await page.getByLabel('More terms').fill('{"metadata": {"course": "7"}}');
    await page.getByRole('button', { name: 'Mint a token' }).click();
    await page.getByText('The token is shown once.').waitFor();
    await page.getByRole('button', { name: 'Copy the token' }).click();
    const token = await page.evaluate(() => navigator.clipboard.readText());
    await page.getByRole('tab', { name: 'Mint by curl' }).click();
    assert.match(await page.locator('.code-box pre').textContent(), /Don'\\''t hurry\./);
    const client = await Client.connectWithId(t, closed, { token });
    assert.deepEqual((await closed.request(`/v1/sessions/${client.id}`)).json.metadata, { course: '7' });
    const row = page.locator('.tokens tbody tr');
    await row.getByText('ada').waitFor();
    await row.getByRole('button', { name: /^Revoke/ }).click();
    await page.getByRole('button', { name: 'Revoke the token' }).click();
    assert.equal((await client.closed).code, 3000);
    await page.getByText('No tokens.').waitFor();
    assert.ok(!(await page.evaluate(() => JSON.stringify([localStorage, sessionStorage]))).includes(token));
    assert.deepEqual(await page.wrongs(), []);
  });

  test('reads the settings in force, finds one, and sees no secret [P10]', async (t) => {
    const { closed, page } = await withKey(t, '#/settings', ['session.idle_timeout=7m']);
    await page.getByText('session.idle_timeout', { exact: true }).waitFor();
    await page.getByLabel('Find a setting').fill('idle_tim');
    await page.locator('.found').getByText(/^1 of \d+ settings$/).waitFor();
    await page.locator('.settings-list').getByText('7m').waitFor();
    await page.getByLabel('Find a setting').fill('upstream.api_key');
    await page.locator('.settings-list').getByText('***').waitFor();
    const page2 = await page.content();
    assert.ok(!page2.includes('sk-simulated-provider') && !page2.includes(closed.key));
    await page.getByLabel('Find a setting').fill('no such');
    await page.getByText(/^0 of \d+ settings$/).waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('sees deliveries as they happen, and an opened one stays open [P2]', async (t) => {
    const receiver = await Receiver.start(t);
    let release;
    receiver.answer = ({ type }) => (type === 'session.started' ? new Promise((done) => (release = () => done(204))) : 204);
    const { closed, page } = await withKey(t, '#/webhooks', [...quick, 'webhook.timeout=60s', targets(receiver.target(t))]);
    await page.getByText('No deliveries.').waitFor();
    const client = await Client.connectWithId(t, closed);
    const started = page.locator('.delivery', { hasText: 'session.started' });
    await started.locator('summary').first().click();
    await started.getByText('It has not been sent yet.').waitFor();
    await receiver.until('session.started');
    release();
    await started.and(page.locator('.delivered')).waitFor();
    await started.getByText('delivered in').or(started.getByRole('cell', { name: /^delivered/ })).first().waitFor();
    await client.close();
    await page.locator('.delivery', { hasText: 'session.ended' }).waitFor();
    await started.getByRole('link', { name: 'The session' }).click();
    await page.getByText(client.id).first().waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });
});
