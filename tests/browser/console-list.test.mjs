// The list of sessions in the console: found, filtered, sorted, live, totalled, exported and erased together.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { eventually } from '../e2e/support/cell.mjs';
import { Client, startRelay } from '../e2e/support/verbatim.mjs';
import { rows } from './support/console.mjs';
import { open, relay, simulator } from './support/console-setup.mjs';

const made = (wall, session_id, user, metadata = {}) =>
  wall.request('/v1/sessions', { method: 'POST', body: { session_id, user, metadata } });
const shownIds = (page) => rows(page).evaluateAll((all) => all.map((row) => row.dataset.id));

/** The ids of the list, once the line above it says so. */
async function ids(page, wanted) {
  await page.locator('.found').getByText(wanted).waitFor();
  return shownIds(page);
}

describe('the list of sessions', { concurrency: 3 }, () => {
  test('sessions are found by user, id and metadata, filtered by chips in the address, and sorted', async (t) => {
    const wall = await startRelay(t, { key: null, simulator });
    for (let number = 1; number <= 30; ++number)
      await made(wall, `s-${number}`, number % 2 ? 'ada' : 'ben', { course: String(number % 3) });
    const client = await Client.connectWithId(t, wall, { token: null });
    const page = await open(t, '#/sessions', {}, wall);
    assert.deepEqual((await ids(page, /^31 sessions: /)).slice(0, 2), [client.id, 's-30']);
    const search = async (text) => {
      await page.getByLabel('Words, user, id or metadata').fill(text);
      await page.getByRole('button', { name: 'Search' }).click();
    };
    await search('ada');
    assert.ok((await ids(page, /^15 sessions: /)).every((id) => Number(id.slice(2)) % 2 === 1));
    await search('ben course=0');
    assert.deepEqual(await ids(page, /^5 sessions: /), ['s-30', 's-24', 's-18', 's-12', 's-6']);
    assert.match(page.url(), /q=ben&metadata\.course=0/);
    await page.getByRole('button', { name: 'Remove the filter words: ben' }).click();
    assert.equal((await ids(page, /^10 sessions: /)).length, 10);
    await page.getByRole('link', { name: 'Show all' }).click();
    await ids(page, /^31 sessions: /);
    await search('s-7');
    assert.deepEqual(await ids(page, /^1 session: /), ['s-7']);
    await search('');
    await page.getByLabel('Status').selectOption('live');
    assert.deepEqual(await ids(page, /^1 session: /), [client.id]);
    await search('stranger');
    await page.getByText('No session matches.').waitFor();
    await page.getByRole('link', { name: 'Show all' }).click();
    await page.getByRole('link', { name: 'course=1' }).first().click();
    await ids(page, /^10 sessions: /);
    await page.getByRole('link', { name: 'Show all' }).click();
    await ids(page, /^31 sessions: /);
    await page.getByRole('button', { name: 'Started' }).click();
    await page.getByRole('columnheader', { name: 'Started' }).and(page.locator('[aria-sort="ascending"]')).waitFor();
    assert.deepEqual((await ids(page, /^31 sessions: /)).slice(0, 2), ['s-1', 's-2']);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('sessions are found by words that were said, and the place is shown', async (t) => {
    const wall = await startRelay(t, { key: null, simulator });
    const client = await Client.connectWithId(t, wall, { token: null });
    client.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'A wrong invoice came.' }] },
    });
    await client.until(({ frames }) => frames.some((frame) => frame.includes('item.done')), 'the item');
    await client.close();
    await wall.transcript(client.id);
    await eventually(
      async () => (await wall.request('/v1/sessions?q=invoice')).json.sessions.length === 1,
      'the index of words',
    );
    const page = await open(t, '#/sessions', {}, wall);
    await page.getByLabel('Words, user, id or metadata').fill('invoice wrong');
    await page.getByRole('button', { name: 'Search' }).click();
    await rows(page).locator('.snippet').getByText('A wrong invoice came.').waitFor();
    assert.deepEqual(await shownIds(page), [client.id]);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a row appears, changes and ends while the list is open, titled by its first words', async (t) => {
    const wall = await startRelay(t, { key: null, simulator });
    const page = await open(t, '#/sessions', {}, wall);
    await page.getByText('No sessions yet.').waitFor();
    const client = await Client.connectWithId(t, wall, { token: null });
    await rows(page).locator('.badge.live').waitFor();
    await client.ask('Is the list alive?');
    await rows(page).getByRole('link', { name: 'Is the list alive?' }).waitFor();
    await client.close();
    await rows(page).getByText('client closed').waitFor();
    await wall.request(`/v1/sessions/${client.id}`, { method: 'DELETE' });
    await page.getByText('No sessions yet.').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('selected sessions are exported and erased together, after a confirmation', async (t) => {
    const wall = await startRelay(t, { key: null, simulator });
    for (const id of ['one', 'two', 'three']) {
      await made(wall, id, id === 'two' ? '=1+1' : 'ada');
      await wall.request(`/v1/sessions/${id}/transcript`, { method: 'POST', body: { turns: [{ role: 'user', text: `I am ${id}.` }] } });
    }
    const page = await open(t, '#/sessions', {}, wall);
    await ids(page, /^3 sessions: 3 turns/);
    const saved = async (click) => {
      const coming = page.waitForEvent('download');
      await click();
      return readFile(await (await coming).path(), 'utf8');
    };
    await page.getByText('Export the list').click();
    const whole = await saved(() => page.getByRole('button', { name: 'Transcripts (JSON lines)' }).click());
    const texts = whole.trim().split('\n').map((line) => JSON.parse(line).transcripts.attempts[0].turns[0].text);
    assert.deepEqual(texts, ['I am three.', 'I am two.', 'I am one.']);
    const csv = await saved(() => page.getByRole('button', { name: 'Spreadsheet (CSV)' }).click());
    assert.match(csv, /^id,conversation,user,started,length_seconds,/);
    assert.match(csv, /\r\ntwo,,'=1\+1,/); // not run as a formula
    await page.keyboard.press('Escape');
    await page.getByRole('checkbox', { name: 'Select one' }).check();
    await page.getByRole('checkbox', { name: 'Select three' }).check();
    await page.getByText('2 selected').waitFor();
    const some = await saved(() => page.getByRole('button', { name: 'Export transcripts' }).click());
    assert.equal(some.trim().split('\n').length, 2);
    await page.getByRole('button', { name: 'Erase', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    assert.equal((await wall.request('/v1/sessions/one')).status, 200);
    await page.getByRole('button', { name: 'Erase', exact: true }).click();
    await page.getByRole('button', { name: 'Erase 2 sessions for ever' }).click();
    assert.deepEqual(await ids(page, /^1 session: /), ['two']);
    assert.equal((await wall.request('/v1/sessions/one')).status, 404);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('columns can be hidden, and stay so', async (t) => {
    const page = await open(t, '#/sessions');
    await rows(page).first().waitFor();
    await page.getByText('Columns', { exact: true }).click();
    await page.getByRole('checkbox', { name: 'User' }).uncheck();
    await page.getByRole('columnheader', { name: 'User' }).waitFor({ state: 'detached' });
    await page.reload();
    await rows(page).first().waitFor();
    assert.equal(await page.getByRole('columnheader', { name: 'User' }).count(), 0);
  });

  test('with 3000 sessions at most 200 rows are in the document, and each can be reached', async (t) => {
    const { sessions } = (await relay.request('/v1/sessions?limit=1')).json;
    const page = await open(t, '#/sessions');
    await rows(page).first().waitFor();
    // A store of 3000 sessions would take longer to fill than the rest of this file.
    const all = Array.from({ length: 3000 }, (_, at) => ({ ...sessions[0], id: `many-${at}` }));
    await page.route(/\/v1\/sessions\?/, (route) => {
      const asked = new URL(route.request().url()).searchParams;
      const from = Number(asked.get('cursor') ?? 0);
      const to = from + Number(asked.get('limit'));
      route.fulfill({ json: { sessions: all.slice(from, to), next_cursor: to < all.length ? String(to) : null, total: all.length } });
    });
    await page.route(/\/v1\/live/, (route) => route.abort());
    await page.evaluate(() => (location.hash = '#/sessions?user=many'));
    await page.locator('.found').getByText(/^3,000 sessions/).waitFor();
    const rowCount = () => page.locator('tbody tr').count();
    let most = 0;
    for (let loaded = 100; loaded < 3000; loaded += 100) {
      await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
      most = Math.max(most, await rowCount());
      await page.locator('.found').getByText(new RegExp(`in the first ${loaded + 100}:|^3,000 sessions: `)).waitFor();
    }
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.locator('[data-id="many-2999"]').waitFor();
    most = Math.max(most, await rowCount());
    await page.evaluate(() => scrollTo(0, 0));
    await page.locator('[data-id="many-0"]').waitFor();
    most = Math.max(most, await rowCount());
    assert.ok(most <= 200, `${most} rows`);
  });
});
