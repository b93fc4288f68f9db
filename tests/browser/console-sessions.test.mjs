// Stored and live sessions in the console: found, followed, compared and exported.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { eventually } from '../e2e/support/cell.mjs';
import { Client, startRelay } from '../e2e/support/verbatim.mjs';
import { rows, tabTo, words } from './support/console.mjs';
import { open, recorded, relay, simulator, talkedOver, written } from './support/console-setup.mjs';

// In parallel, since most of the time they wait for pages.
describe('sessions in the console', { concurrency: 3 }, () => {
  test('the heard part of an answer that was talked over is shown apart from the rest [P5]', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`);
    const turn = page.locator('.turn.truncated');
    await turn.waitFor();
    const { turns } = await relay.transcript(talkedOver);
    const { text, heard } = turns.find(({ status }) => status === 'truncated');
    const parts = await turn.locator('.words').evaluate((shown) => {
      const unheard = shown.querySelector('s');
      return {
        heard: shown.firstChild.data,
        rest: [...unheard.childNodes].find(({ nodeType }) => nodeType === 3).data,
      };
    });
    assert.deepEqual(parts, { heard: heard.text, rest: text.slice(heard.text.length) });
    assert.match(await turn.locator('.note').textContent(), /1\.0 s were heard/);
    assert.equal(await page.locator('.timeline .bar.truncated .cut').count(), 1);
  });

  test('the timeline is to scale, describes each turn on focus, and links to it', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`);
    await page.locator('.timeline .bar').nth(3).waitFor();
    const { turns } = await relay.transcript(talkedOver);
    const drawn = await page
      .locator('.timeline .bar > rect:first-of-type')
      .evaluateAll((all) => all.map((bar) => Number(bar.getAttribute('x'))));
    const began = turns.map(({ started_at: at }) => Date.parse(at));
    const scale = (drawn[3] - drawn[0]) / (began[3] - began[0]);
    drawn.forEach((x, at) =>
      assert.ok(Math.abs(drawn[0] + (began[at] - began[0]) * scale - x) < 0.5, `turn ${at}`),
    );
    await tabTo(page, page.getByRole('listbox'));
    await page.keyboard.press('End');
    const label = await page
      .getByRole('listbox')
      .getByRole('option', { selected: true })
      .getAttribute('aria-label');
    assert.ok(label.endsWith(`Assistant, completed: ${turns.at(-1).text}`), label);
    assert.equal(await page.locator('.tip').textContent(), label);
    await page.keyboard.press('Enter');
    const focused = await page.evaluate(() => document.activeElement.querySelector('.words').textContent);
    assert.equal(focused, turns.at(-1).text);
  });

  test('the chosen attempts are shown side by side', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`);
    await page.getByRole('heading', { name: 'Attempt 2' }).waitFor();
    await page.getByRole('combobox', { name: 'Attempt', exact: true }).selectOption('1');
    await page.getByRole('heading', { name: 'Attempt 1' }).waitFor();
    await page.getByRole('combobox', { name: 'Compare with' }).selectOption('2');
    await page.locator('.attempts.of-2 .receipt').nth(1).waitFor();
    for (const attempt of [1, 2]) {
      const { turns } = await relay.transcript(talkedOver, `&attempt=${attempt}`);
      const shown = page.getByRole('region', { name: `Attempt ${attempt}` }).locator('.turn');
      assert.equal(await shown.count(), turns.length);
    }
  });

  test('sessions are found by user, id and metadata, filtered, and come newest first', async (t) => {
    const wall = await startRelay(t, { key: null, simulator });
    for (let number = 1; number <= 30; ++number) {
      await wall.request('/v1/sessions', {
        method: 'POST',
        body: {
          session_id: `s-${number}`,
          user: number % 2 ? 'ada' : 'ben',
          metadata: { course: String(number % 3) },
        },
      });
    }
    const client = await Client.connectWithId(t, wall, { token: null });
    const page = await open(t, '#/sessions', {}, wall);
    const ids = async (wanted) => {
      await page.locator('.found').getByText(wanted).waitFor();
      return rows(page).locator('a.id').allTextContents();
    };
    const first = await ids('25 sessions, and there are more');
    assert.deepEqual(first.slice(0, 2), [client.id, 's-30']);
    await page.getByRole('button', { name: 'Show more' }).click();
    assert.equal((await ids(/^31 sessions$/)).at(-1), 's-1');
    assert.equal(await page.getByRole('button', { name: 'Show more' }).isVisible(), false);

    const search = async (text, status = '') => {
      await page.getByLabel('User, id or metadata').fill(text);
      await page.getByLabel('Status').selectOption(status);
      await page.getByRole('button', { name: 'Search' }).click();
    };
    await search('ada');
    assert.ok((await ids(/^15 sessions$/)).every((id) => Number(id.slice(2)) % 2 === 1));
    await search('ben course=0');
    assert.deepEqual(await ids(/^5 sessions$/), ['s-30', 's-24', 's-18', 's-12', 's-6']);
    await search('s-7');
    assert.deepEqual(await ids(/^1 session$/), ['s-7']);
    await search('', 'live');
    assert.deepEqual(await ids(/^1 session$/), [client.id]);
    await search('nobody');
    await page.getByText('No session matches.').waitFor();
    await page.getByRole('link', { name: 'Show all' }).click();
    await ids('25 sessions, and there are more');
    await page.getByRole('link', { name: 'course=1' }).first().click();
    await ids(/^10 sessions$/);
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
    assert.deepEqual(await rows(page).locator('a.id').allTextContents(), [client.id]);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('on a phone the list has the start and the state of a session on one line', async (t) => {
    const page = await open(t, '#/sessions', { viewport: { width: 360, height: 740 } });
    const row = rows(page).first();
    const [start, state] = await Promise.all(
      ['Started', 'How it ended'].map((label) => row.locator(`[data-label="${label}"]`).boundingBox()),
    );
    assert.ok(start.x < state.x && state.y < start.y + start.height, `${JSON.stringify({ start, state })}`);
  });

  test('a list says why each session ended, and whether it is complete [P13]', async (t) => {
    const lost = await Client.connectWithId(t, relay, {
      token: null,
      query: { model: 'gpt-realtime+hang_after=12' },
    });
    lost.send({
      type: 'conversation.item.create',
      item: {
        type: 'message',
        role: 'user',
        content: [{ type: 'input_text', text: 'And then it was gone.' }],
      },
    });
    lost.send({ type: 'response.create' });
    await lost.until(
      ({ frames }) => frames.some((frame) => frame.includes('.delta')),
      'the beginning of an answer',
    );
    lost.socket.terminate();
    const { complete } = await relay.transcript(lost.id);
    assert.equal(complete, false);
    const page = await open(t, `#/sessions?q=${lost.id}`);
    await rows(page).getByText('client lost').waitFor();
    await rows(page).getByText('incomplete').waitFor();
    await page.getByRole('link', { name: lost.id }).click();
    await page.locator('.turn.interrupted').getByText('cut off').waitFor();
  });

  test('every export is byte for byte what the API gives', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`);
    await page.locator('.receipt').waitFor();
    const endings = { json: 'json', jsonl: 'jsonl', text: 'txt', markdown: 'md', vtt: 'vtt', srt: 'srt' };
    for (const [format, ending] of Object.entries(endings)) {
      const coming = page.waitForEvent('download');
      await page.getByRole('button', { name: format, exact: true }).click();
      const download = await coming;
      assert.equal(download.suggestedFilename(), `${talkedOver}-2.${ending}`);
      const { text } = await relay.request(
        `/v1/sessions/${talkedOver}/transcript?attempt=2&format=${format}`,
      );
      assert.ok(text.length > 40, format);
      assert.equal(await readFile(await download.path(), 'utf8'), text, format);
    }
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a live session is followed as people speak, and its receipt is verified [P13]', async (t) => {
    const client = await Client.connectWithId(t, relay, { token: null });
    const page = await open(t, `#/sessions/${client.id}`);
    await page.getByText('Live. New turns appear here.').waitFor();
    await client.ask('Is anybody watching?');
    await page.locator('.turn.assistant.completed').getByText('You said: Is anybody watching?').waitFor();
    assert.equal(await page.locator('.receipt').count(), 0);
    await client.close();
    await page.getByText('This page computed the same digest from the turns above.').waitFor();
    await page.locator('.facts').first().getByText('client closed').waitFor();
    const { receipt } = await relay.transcript(client.id);
    assert.equal(await page.locator('.digest code').textContent(), receipt.sha256);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a session that is made ahead can be watched from before its beginning', async (t) => {
    await written('ahead', [], { user: 'developer' });
    const page = await open(t, '#/sessions/ahead');
    await page.getByText('Not started. New turns appear here.').waitFor();
    const client = await Client.connectWithId(t, relay, { token: null, query: { session: 'ahead' } });
    await client.ask('Now.');
    await page.locator('.turn.assistant').getByText('You said: Now.').waitFor();
    await page.locator('.facts').getByText('live').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a live session is followed across a restart of the relay', async (t) => {
    const first = await startRelay(t, { key: null, simulator });
    const client = await Client.connectWithId(t, first, { token: null });
    const page = await open(t, `#/sessions/${client.id}`, {}, first);
    await client.ask('Before.');
    await page.locator('.turn.assistant.completed').waitFor();
    await first.program.stop('SIGKILL');
    await page.getByText('The relay cannot be reached. Trying again…').waitFor();
    await startRelay(t, {
      key: null,
      simulator,
      dataDir: first.dataDir,
      set: [`server.listen=${new URL(first.url).host}`],
    });
    await page.locator('.facts').first().getByText('recovered after a crash').waitFor();
    assert.deepEqual(await words(page), ['Before.', 'You said: Before.']);
  });

  test('turns show the text of other writers where it differs [P3]', async (t) => {
    const id = await recorded('synthetic-01-simple-turn');
    const { turns } = await relay.transcript(id);
    const [{ item_id, role, text }] = turns;
    await relay.request(`/v1/sessions/${id}/transcript`, {
      method: 'POST',
      body: { writer: 'agent', turns: [{ item_id, role, text: `${text} Or so I believe.` }] },
    });
    const page = await open(t, `#/sessions/${id}`);
    await page.getByText('Merged from the copies of').waitFor();
    await page.locator('.turn').first().getByText('Another version').click();
    assert.equal(await page.locator('.turn').first().locator('q').textContent(), `${text} Or so I believe.`);
    assert.equal(
      await page.locator('.turn').nth(1).locator('.writers').textContent(),
      'Written by relay only',
    );
  });

  test('missing turns are shown as missing [P13]', async (t) => {
    const id = await recorded('ga-azure-transcription-failed');
    const { gaps } = await relay.transcript(id);
    const page = await open(t, `#/sessions/${id}`);
    await page.getByText('Known to be missing').waitFor();
    assert.equal(await page.locator('.gaps li').count(), gaps.length);
  });
});
