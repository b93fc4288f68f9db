// The page of one session: its title, chips, links, raw events, incidents, and what an operator may do there.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../e2e/support/process.mjs';
import { Client, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { open, relay, simulator, talkedOver } from './support/console-setup.mjs';
import { dialogue } from './support/dialogue.mjs';

const clipboard = { permissions: ['clipboard-read', 'clipboard-write'] };
const pasted = (page) => page.evaluate(() => navigator.clipboard.readText());

/** A relay that captures, with one whole conversation. */
async function spoken(t, set = []) {
  const own = await startRelay(t, { key: null, simulator, set: [`capture.dir=${temporaryDirectory(t)}`, ...set] });
  const client = await Client.connectWithId(t, own, { token: null });
  await client.ask('How do I get to the station?');
  return { own, client };
}

describe('the page of a session', { concurrency: 3 }, () => {
  test('it has the first words for its title, and chips with latency, tokens and costs', async (t) => {
    const prices = 'console.prices=[{model="gpt", text_input=4.0, text_output=16.0, audio_input=32.0, audio_output=64.0}]';
    const { own, client } = await spoken(t, [prices]);
    await client.close();
    await own.transcript(client.id);
    const page = await open(t, `#/sessions/${client.id}`, {}, own);
    await page.getByRole('heading', { level: 1, name: 'How do I get to the station?' }).waitFor();
    assert.equal(await page.title(), 'How do I get to the station? · Verbatim');
    const answer = page.locator('.turn.assistant');
    await answer.getByText(/^first audio \d+ ms$/).waitFor();
    const { attempts } = (await own.request(`/v1/sessions/${client.id}`)).json;
    const [{ usage }] = attempts[0].answers;
    await answer.getByText(`${usage.total_tokens} tokens`).waitFor();
    const { text_tokens: textIn } = usage.input_token_details;
    const { text_tokens: textOut, audio_tokens: audioOut } = usage.output_token_details;
    const cost = (textIn * 4 + (usage.input_tokens - textIn) * 32 + textOut * 16 + audioOut * 64) / 1e6;
    const shown = await answer.locator('.chip', { hasText: 'USD' }).textContent();
    assert.ok(Math.abs(Number(shown.replace('USD ', '')) - cost) < 0.00001, `${shown} for ${cost}`);
    assert.equal(await page.locator('.side dt', { hasText: 'Cost' }).locator('+ dd').textContent(), shown);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a link leads to a turn, and words, links and the whole transcript can be copied', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`, clipboard);
    const turn = page.locator('.turn.assistant').last();
    await turn.hover();
    await turn.getByRole('button', { name: 'Copy the words of Assistant' }).click();
    assert.equal(await pasted(page), (await relay.transcript(talkedOver)).turns.at(-1).text);
    await turn.getByRole('button', { name: 'Copy a link to this turn' }).click();
    const link = await pasted(page);
    await page.getByText('Export', { exact: true }).click();
    await page.getByRole('button', { name: 'Copy as Markdown: the transcript' }).click();
    await page.getByText('Copied').first().waitFor();
    await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('#'));
    await page.goto('about:blank');
    await page.goto(link);
    await page.locator('.turn.linked').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.querySelector('.words').textContent), (await relay.transcript(talkedOver)).turns.at(-1).text);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('raw events are filtered by type and text, with their times and their JSON as a tree', async (t) => {
    const { own, client } = await spoken(t);
    await client.close();
    await own.transcript(client.id);
    const page = await open(t, `#/sessions/${client.id}?view=raw`, {}, own);
    const events = page.getByRole('list', { name: 'Raw events of attempt 1' }).locator('> li');
    await events.filter({ hasText: 'session.created' }).waitFor();
    await page.getByLabel('Type').selectOption('response.done');
    assert.equal(await events.count(), 1);
    await events.first().locator('summary').first().click();
    await events.first().getByText('response', { exact: true }).waitFor();
    await page.getByLabel('Type').selectOption('');
    await page.getByLabel('Search in events').fill('the station?');
    await page.getByText(/^\d+ of \d+ events/).waitFor();
    await events.filter({ hasText: 'conversation.item.create' }).first().waitFor();
    assert.equal(await events.filter({ hasText: 'session.created' }).count(), 0);
    await page.getByLabel('Direction').selectOption('c2s');
    assert.equal(await events.count(), 1);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('the capture of a live session is switched on', async (t) => {
    const { own, client } = await spoken(t, ['capture.start=on_request']);
    const page = await open(t, `#/sessions/${client.id}?view=raw`, {}, own);
    await page.getByText('The events of this attempt are not captured.').waitFor();
    await page.getByRole('button', { name: 'Capture from now on' }).click();
    await page.getByText('Events are captured from now on.').waitFor();
    await client.ask('And back again?');
    await page.getByRole('button', { name: 'Read again' }).click();
    const events = page.getByRole('list', { name: 'Raw events of attempt 1' }).locator('> li');
    await events.filter({ hasText: 'response.done' }).first().waitFor();
    assert.equal(await events.filter({ hasText: 'session.created' }).count(), 0); // that was before
    assert.deepEqual(await page.wrongs(), []);
  });

  test('incidents stand between the turns: a lost provider, and that it came back [P8]', async (t) => {
    const own = await startRelay(t, { key: null, simulator, set: ['upstream.reconnect_attempts_max=3', 'upstream.reconnect_pause_min=10ms'] });
    const client = await Client.connectWithId(t, own, { token: null, query: { model: 'gpt-realtime+drop_after=40' } });
    await client.ask('Before.').catch(() => {});
    client.send({ type: 'response.create' });
    await client.until(({ events }) => events.some(({ type, state }) => type === 'verbatim.upstream' && state === 'restored'), 'the provider to come back');
    await client.close();
    await own.transcript(client.id);
    const page = await open(t, `#/sessions/${client.id}`, {}, own);
    await page.locator('.incident.bad').getByText('The connection to the provider was lost').first().waitFor();
    await page.locator('.incident').getByText('was opened again').first().waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a tool call is a card with its arguments and its output', async (t) => {
    const client = await Client.connectWithId(t, relay, { token: null });
    client.send({ type: 'session.update', session: { type: 'realtime', tools: [{ type: 'function', name: 'get_weather', parameters: { type: 'object', properties: { town: { type: 'string' } } } }] } });
    client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'What is the get_weather of Bern?' }] } });
    client.send({ type: 'response.create' });
    const { item } = await client.until(({ events }) => events.find((event) => event.type === 'response.output_item.done' && event.item.type === 'function_call'), 'the call');
    client.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: item.call_id, output: '{"sky":"clear","celsius":21}' } });
    await client.until(({ events }) => events.some((event) => event.type === 'conversation.item.done' && event.item.type === 'function_call_output'), 'the output');
    await client.close();
    await relay.transcript(client.id);
    const page = await open(t, `#/sessions/${client.id}`);
    const card = page.locator('.turn.tool');
    await card.getByText('get_weather').first().waitFor();
    await card.getByText('Output as a tree').click();
    await card.locator('.tree').getByText('celsius').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a session is erased after a confirmation', async (t) => {
    const { own, client } = await spoken(t);
    await client.close();
    await own.transcript(client.id);
    const page = await open(t, `#/sessions/${client.id}`, {}, own);
    await page.getByRole('button', { name: 'Erase' }).click();
    await page.keyboard.press('Escape');
    assert.equal((await own.request(`/v1/sessions/${client.id}`)).status, 200);
    await page.getByRole('button', { name: 'Erase' }).click();
    await page.getByRole('button', { name: 'Erase for ever' }).click();
    await page.getByText('The session is erased.').waitFor();
    await page.getByText('No sessions yet.').waitFor();
    assert.equal((await own.request(`/v1/sessions/${client.id}`)).status, 404);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('attempts are compared: their facts beside each other, with differences marked', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}?attempt=1,2`);
    const table = page.getByRole('table', { name: 'The attempts compared' });
    const turns = table.getByRole('row', { name: /^Turns/ });
    await turns.waitFor();
    assert.deepEqual(await turns.getByRole('cell').allTextContents(), ['2', '4']);
    assert.equal(await turns.locator('.other').count(), 2);
    assert.equal(await table.getByRole('row', { name: /^Transcript/ }).locator('.other').count(), 0);
  });

  test('a slow answer is marked, and the page says which part of the wait was the longest', async (t) => {
    const folder = temporaryDirectory(t);
    const lines = dialogue([{ user: 'Are you there?' }, { assistant: 'Yes, I am here.', slowMs: 1800 }]);
    writeFileSync(join(folder, 'slow.jsonl'), lines);
    const slow = await startSimulator(t, [], '1', folder);
    const own = await startRelay(t, { key: null, simulator: slow, set: [`capture.dir=${temporaryDirectory(t)}`] });
    const client = await Client.connectWithId(t, own, { token: null, query: { model: 'slow' } });
    await client.event('response.done');
    await client.close();
    await own.transcript(client.id);
    const page = await open(t, `#/sessions/${client.id}`, {}, own);
    const chip = page.getByRole('button', { name: /^first audio .*, slow$/ });
    await chip.click();
    await page.locator('.breakdown').getByText('Most of it was the provider’s: the model began to write took').waitFor();
    assert.ok((await page.locator('.breakdown li').count()) >= 2);
    await page.getByRole('button', { name: /^first audio .*, slow$/ }).click();
    await page.locator('.breakdown').waitFor({ state: 'detached' });
    assert.deepEqual(await page.wrongs(), []);
  });
});
