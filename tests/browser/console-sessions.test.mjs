// Stored and live sessions in the console: found, followed, compared and exported.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
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
    await turn.locator('.chip').getByText('1.0 s heard').waitFor();
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
      const shown = page.getByRole('region', { name: `Attempt ${attempt}` }).locator('.turn:not(.incident)');
      assert.equal(await shown.count(), turns.length);
    }
  });

  test('on a phone the list has the start and the state of a session on one line', async (t) => {
    const page = await open(t, '#/sessions', { viewport: { width: 360, height: 740 } });
    const row = rows(page).first();
    const [start, state] = await Promise.all(
      ['Started', 'How it ended'].map((label) => row.locator(`[data-label="${label}"]`).boundingBox()),
    );
    assert.ok(start.x < state.x && state.y < start.y + start.height, `${JSON.stringify({ start, state })}`);
  });

  test('on a phone every turn of a session has the whole width', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`, { viewport: { width: 360, height: 740 } });
    await page.locator('.receipt').waitFor();
    const widths = await page.locator('.turn').evaluateAll((all) => all.map((turn) => turn.getBoundingClientRect().width));
    assert.ok(widths.length >= 4 && widths.every((width) => width > 300), widths.join());
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
    await rows(page).getByRole('link').first().click();
    await page.locator('.turn.interrupted').getByText('cut off').waitFor();
  });

  test('every export is byte for byte what the API gives', async (t) => {
    const page = await open(t, `#/sessions/${talkedOver}`);
    await page.locator('.receipt').waitFor();
    const endings = { JSON: ['json', 'json'], 'JSON lines': ['jsonl', 'jsonl'], 'Plain text': ['text', 'txt'], Markdown: ['markdown', 'md'], 'WebVTT captions': ['vtt', 'vtt'], 'SRT captions': ['srt', 'srt'] };
    await page.getByText('Export', { exact: true }).click();
    for (const [words, [format, ending]] of Object.entries(endings)) {
      const coming = page.waitForEvent('download');
      await page.getByRole('button', { name: words, exact: true }).click();
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
    await page.locator('.turn.assistant').getByText(/ tokens$/).waitFor();
    assert.equal(await page.locator('.receipt').count(), 0);
    await client.close();
    await page.getByText('This page computed the same digest from the turns above.').waitFor();
    await page.locator('.side').getByText('client closed').waitFor();
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
    await page.locator('.badge.live').waitFor();
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
    await page.locator('.side').getByText('recovered after a crash').waitFor();
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
    await page.locator('.turn.user').first().getByText('Another version').click();
    const beside = page.locator('.turn.user').first().locator('.version');
    assert.equal(await beside.textContent(), `${text} Or so I believe.`);
    assert.equal((await beside.locator('ins').allTextContents()).join('').trim(), 'Or so I believe.');
    assert.equal(await beside.locator('del').count(), 0);
    assert.equal(
      await page.locator('.turn.assistant').first().locator('.writers').textContent(),
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
