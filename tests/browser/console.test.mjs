// The console in a real browser, with a real relay behind it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Client, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { play, read } from '../e2e/support/recording.mjs';
import { decades, linear } from '../../web/console/chart.js';
import * as metrics from '../../web/console/metrics.js';
import { startBrowser } from './support/browser.mjs';
import { accessibility, go, openConsole, tabTo } from './support/console.mjs';

// Resources that live as long as the file. (`after` itself, called in a hook, belongs to the hook.)
const ends = [];
const file = { after: (end) => ends.push(end) };
after(async () => {
  for (const end of ends) await end();
});

let browser;
let simulator;
let relay;
let talkedOver; // a session of two attempts; in the second an answer was talked over

before(async () => {
  browser = await startBrowser(file);
  simulator = await startSimulator(file);
  relay = await startRelay(file, { key: null, simulator });
  talkedOver = await recorded('synthetic-01-simple-turn');
  await recorded('synthetic-04-barge-in-truncate', { session: talkedOver });
});

/** Acts out a recording, to its end. */
async function recorded(name, query = {}) {
  const client = await Client.connectWithId(file, relay, { token: null, query: { model: name, ...query } });
  await play(client, read(name));
  await client.close();
  await relay.transcript(client.id);
  return client.id;
}

/** A session that has been made ahead, with what a writer has of it. */
async function written(session_id, turns, { user = 'ada', metadata = {} } = {}) {
  await relay.request('/v1/sessions', { method: 'POST', body: { session_id, user, metadata } });
  if (turns.length === 0) return;
  const answer = await relay.request(`/v1/sessions/${session_id}/transcript`, {
    method: 'POST',
    body: { writer: 'agent', turns },
  });
  assert.equal(answer.status, 200, answer.text);
}

async function open(t, hash, options, from = relay) {
  const page = await openConsole(browser, from, hash, options);
  t.after(() => page.context().close());
  return page;
}

const rows = (page) => page.locator('.sessions tbody tr');
/** What is said, without what only a screen reader says of it. */
const words = (page) =>
  page.locator('.transcript .words').evaluateAll((all) =>
    all.map((shown) => {
      const copy = shown.cloneNode(true);
      for (const unseen of copy.querySelectorAll('.unseen')) unseen.remove();
      return copy.textContent;
    }),
  );

// In parallel, since most of the time they wait for pages.
describe('the console', { concurrency: 3 }, () => {
  for (const colorScheme of ['light', 'dark']) {
    test(`axe finds nothing on any page, at 1200 and 360 px: ${colorScheme}`, async (t) => {
      const page = await open(t, '#/talk', { bypassCSP: true, colorScheme });
      const look = async (what) => {
        for (const width of [1200, 360]) {
          await page.setViewportSize({ width, height: 800 });
          await page.evaluate(() => new Promise(requestAnimationFrame)); // drawing that follows the width is done
          assert.deepEqual(await accessibility(page), [], `${what}, ${width} px`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(wide <= width, `${what} is ${wide} px wide`);
        }
      };
      await page.getByRole('button', { name: 'Start' }).waitFor();
      await page.getByText('Options').click();
      await look('talk, before it begins');
      await page.getByLabel('Type instead of talking').fill('Good morning.');
      await page.keyboard.press('Enter');
      await page.locator('.turn.assistant.completed').waitFor();
      await look('a conversation');
      await page.getByRole('button', { name: 'Stop' }).click();
      await go(page, '#/sessions', 'Sessions');
      await rows(page).first().waitFor();
      await look('sessions');
      await go(page, `#/sessions/${talkedOver}?attempt=1,2`, `Session ${talkedOver}`);
      await page.locator('.receipt').nth(1).waitFor();
      for (const table of await page.getByText('Show as a table').all()) await table.click();
      await look('a session');
      await go(page, '#/health', 'Health');
      await page.getByText('Ready', { exact: true }).waitFor();
      await page.getByText('The numbers').first().click();
      await look('health');
      await page.evaluate(async () => {
        const { ask } = await import('/console/key.js');
        ask('For a look at it.');
      });
      await page.getByRole('dialog').waitFor();
      await look('the dialog');
    });
  }

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

  test("a session is gone on with from its page, by a token of that session's own user [P10]", async (t) => {
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
    await page.getByRole('alert').getByText('The relay cannot be reached').waitFor();
  });

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
    const told = await page
      .getByRole('listbox')
      .getByRole('option', { selected: true })
      .getAttribute('aria-label');
    assert.ok(told.endsWith(`Assistant, completed: ${turns.at(-1).text}`), told);
    assert.equal(await page.locator('.tip').textContent(), told);
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
    await rows(page).getByText(said, { exact: true }).waitFor();
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

  test('the health page describes its charts in words', async (t) => {
    const well = await startRelay(t, { key: null, simulator });
    const page = await open(t, '#/health', {}, well);
    await page.getByText('Ready', { exact: true }).waitFor();
    await page.getByText('None since the relay started.').waitFor();
    const client = await Client.connectWithId(t, well, { token: null });
    await client.ask('One.');
    const live = page.getByRole('img', { name: /^Live: 1, between 0 and 1\./ });
    await live.waitFor();
    const waited = page.getByRole('img', { name: /^Median: [\d.]+ ms.* 99th percentile: [\d.]+ ms/ });
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
    await well.program.stop('SIGKILL');
    await page.getByRole('alert').getByText('The relay cannot be reached').waitFor();
    assert.deepEqual(await page.wrongs(), []);
  });
});

test('every value to draw lies between the marks, and the marks are few', () => {
  for (let value = 1e-5; value < 1e5; value *= 1.37) {
    for (const [scale, values] of [
      [linear, [value]],
      [linear, [0, value]],
      [decades, [value]],
      [decades, [value, value * 900]],
    ]) {
      const { marks, share } = scale(values);
      assert.ok(marks.length > 1 && marks.length < 6, `${scale.name} of ${values}: ${marks}`);
      for (const each of [...values, ...marks])
        assert.ok(share(each) >= 0 && share(each) <= 1, `${each} of ${marks}`);
    }
    assert.equal(linear([Math.ceil(value)]).marks[1] % 1, 0); // no fractions of conversations
  }
  assert.ok(decades([]).marks.length === 0 && linear([]).marks.length === 1);
});

test("a histogram's quantiles between two scrapes are those of the values between them", () => {
  const text = (counts) =>
    ['# HELP h x', ...counts.map(([le, count]) => `h_bucket{a="\\"",le="${le}"} ${count}`)].join('\n');
  const before = metrics.buckets(
    metrics.parse(
      text([
        ['0.001', 100],
        ['0.01', 100],
        ['+Inf', 100],
      ]),
    ),
    'h',
  );
  const now = metrics.buckets(
    metrics.parse(
      text([
        ['+Inf', 300],
        ['0.001', 150],
        ['0.01', 250],
      ]),
    ),
    'h',
  );
  const between = metrics.since(before, now);
  assert.deepEqual(between, [
    [0.001, 50],
    [0.01, 150],
    [Infinity, 200],
  ]);
  assert.equal(metrics.quantile(between, 0.25), 0.001);
  assert.ok(Math.abs(metrics.quantile(between, 0.5) - 0.0055) < 1e-12);
  assert.equal(metrics.quantile(between, 0.99), 0.01); // beyond the last known bound
  assert.equal(metrics.quantile(metrics.since(now, now), 0.5), undefined);
  assert.deepEqual(metrics.since(now, before), before); // a restart: counters begin again at 0
  assert.equal(metrics.parse('h_bucket{a="\\"",le="1"} 2').get('h_bucket')[0].labels.a, '"');
});
