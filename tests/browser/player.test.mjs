// The player of a recording on the page of its session: to scale, in sound, by mouse and by keyboard.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { wholeFile } from '../e2e/support/file.mjs';
import { endOfPiece } from '../../web/console/recorded-sound.js';
import { heightOf, strokes } from '../../web/console/waveform.js';
import { startBrowser } from './support/browser.mjs';
import { looksWell, tabTo } from './support/console.mjs';
import { clock, drawing, listen, openRecorded, pauseOfAnswer, position, recordedScene, slider } from './support/recorded.mjs';

const column = 3; // px of a stroke

const file = wholeFile();
let browser;
let scene; // shared by the tests that do not change it
before(async () => {
  browser = await startBrowser(file);
  scene = await recordedScene(file);
});

const playButton = (page) => page.getByRole('button', { name: 'Play', exact: true });
const pauseButton = (page) => page.getByRole('button', { name: 'Pause', exact: true });
const turnButton = (page, role) => page.locator(`.turn.${role}`).getByRole('button', { name: /^Play from/ });
const seconds = (ms) => Math.round(ms / 1000);

/** Waits for a position in seconds. */
const reached = (page, least) =>
  page.waitForFunction((wanted) => Number(document.querySelector('.wave').getAttribute('aria-valuenow')) >= wanted, least);

test('a piece ends where both speakers are quietest, and the last one at the end', () => {
  const perSecond = 20;
  const speech = (pauses) => Array.from({ length: 60 * perSecond }, (_, at) => (pauses.some(([from, to]) => at >= from * perSecond && at < to * perSecond) ? 1 : 90));
  const peaks = { duration: 60_000, perSecond, user: speech([[3, 4], [12, 13], [30, 60]]), assistant: speech([[3, 4], [9, 10], [12.2, 14]]) };
  const end = endOfPiece(0, peaks);
  assert.ok(end > 12_200 && end < 13_000, `${end}`);
  assert.equal(endOfPiece(45_000, peaks), 60_000);
  const loud = { ...peaks, user: speech([]), assistant: [] };
  const forced = endOfPiece(0, loud);
  assert.ok(forced >= 8000 && forced <= 20_050, `${forced}`);
});

test('a waveform has a stroke for each column that is not silent, in its place', () => {
  const x = (ms) => 84 + ms / 10; // 100 px a second
  const values = [...Array(20).fill(0), ...Array(20).fill(255), ...Array(20).fill(0)];
  const drawn = [...strokes(values, 20, x, 50).matchAll(/M([\d.]+) ([\d.]+)v([\d.]+)/g)].map(([, ...numbers]) => numbers.map(Number));
  assert.ok(Math.abs(drawn.length - 100 / column) <= 2, `${drawn.length} strokes`);
  assert.ok(Math.abs(drawn[0][0] - x(1000)) <= column && Math.abs(drawn.at(-1)[0] - x(2000)) <= column);
  for (const [, top, tall] of drawn) assert.ok(Math.abs(top + tall / 2 - 50) < 0.2);
  assert.equal(strokes(Array(100).fill(0), 20, x, 50), '');
  assert.ok(heightOf(255) === 1 && heightOf(10) > 0.15);
});

describe('the player of a recording', { concurrency: 2 }, () => {
  test('its waveform is to scale with the timeline, and turns are where they are heard [P15]', async (t) => {
    const page = await openRecorded(t, browser, scene);
    await playButton(page).waitFor();
    await page.locator('.strokes.assistant').waitFor();
    const { user, assistant, bars, marks } = await drawing(page);
    const first = marks.find(({ words }) => words === '0:00').x;
    const [later] = marks.slice(-1);
    const [minutes, rest] = later.words.split(':').map(Number);
    const scale = (later.x - first) / ((minutes * 60 + rest) * 1000); // px per ms
    const begin = Math.min(scene.spoken('u1').from_ms, scene.spoken('a1').from_ms);
    assert.equal(begin, 0); // the recording begins with its first sound
    const near = (found, ms, what) => assert.ok(Math.abs(found - (first + ms * scale)) <= column + 1, `${what}: ${found}, not ${first + ms * scale}`);
    const from = scene.spoken('a1').from_ms;
    near(Math.min(...user), scene.spoken('u1').from_ms, 'the user');
    near(Math.max(...user), scene.spoken('u1').to_ms, 'the end of the user');
    near(Math.min(...assistant), from, 'the first answer');
    const [pauseFrom, pauseTo] = pauseOfAnswer.map((ms) => first + (from + ms) * scale);
    const inPause = assistant.filter((x) => x > pauseFrom + column && x < pauseTo - column);
    assert.deepEqual(inPause, []);
    near(assistant.find((x) => x > pauseFrom + column), from + pauseOfAnswer[1], 'the word after the pause');
    near(Math.max(...assistant), scene.spoken('a2').to_ms, 'the end');
    for (const item of ['u1', 'a1', 'a2']) {
      const { from_ms: begins, to_ms: ends } = scene.spoken(item);
      const { x, width } = bars[scene.ordinal(item)];
      near(x, begins, `the bar of ${item}`);
      near(x + width, ends, `the end of the bar of ${item}`);
    }
    assert.equal(await clock(page).textContent(), `0:00 / 0:${Math.floor(scene.peaks.duration_ms / 1000)}`);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('it plays what was said, a part of the file at a time, and marks the turn that is heard [P15]', async (t) => {
    const page = await openRecorded(t, browser, scene);
    const heard = await listen(page);
    await playButton(page).click();
    await heard(600);
    await page.locator('.turn.assistant.speaking').waitFor();
    await reached(page, 1);
    await pauseButton(page).click();
    const stopped = await clock(page).textContent();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    assert.equal(await clock(page).textContent(), stopped);
    assert.ok(page.ranges.length >= 2);
    for (const { status, bytes } of page.ranges) assert.ok(status === 206 && bytes <= 20_100 * 96, `${status}, ${bytes} bytes`);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('the time of a turn plays it from there, and again pauses [P15]', async (t) => {
    const page = await openRecorded(t, browser, scene);
    const heard = await listen(page);
    const second = turnButton(page, 'assistant').last();
    await second.click();
    assert.ok((await position(page)) >= Math.floor(scene.spoken('a2').from_ms / 1000)); // at once
    await heard(1000);
    assert.equal(await page.locator('.turn.speaking').count(), 1);
    assert.ok(await page.locator('.turn.assistant').last().evaluate((row) => row.classList.contains('speaking')));
    await second.click();
    await playButton(page).waitFor();
    await turnButton(page, 'user').click();
    await heard(600); // the answer began while the user spoke, and is lower than nothing else
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a click on the waveform goes there, and it plays on into the next piece [P15]', async (t) => {
    const page = await openRecorded(t, browser, scene);
    const heard = await listen(page);
    await page.locator('.strokes.assistant').waitFor();
    await page.getByLabel('Speed').selectOption('2');
    const { marks } = await drawing(page);
    const at = (words) => marks.find((one) => one.words === words).x;
    await slider(page).click({ position: { x: at('0:00') + 0.4 * (at('0:30') - at('0:00')), y: 50 } });
    assert.equal(await position(page), 12);
    assert.equal(page.ranges.length, 0); // it does not play yet
    await playButton(page).click();
    await reached(page, 13);
    await slider(page).press('ArrowRight');
    await reached(page, 21); // the first piece has ended at 20 s
    await slider(page).press('ArrowRight');
    await slider(page).press('ArrowRight');
    await heard(1200); // at twice the speed, and with its pitch
    await playButton(page).waitFor(); // the end
    assert.deepEqual(page.ranges.map(({ status }) => status), [206, 206, 206]); // the head, and two pieces
    assert.equal(await position(page), seconds(scene.peaks.duration_ms));
    await playButton(page).click(); // from the begin again
    await heard(600);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('it is used by keyboard alone [P15]', async (t) => {
    const page = await openRecorded(t, browser, scene);
    await page.locator('.strokes.assistant').waitFor();
    await tabTo(page, slider(page));
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.equal(await position(page), 10);
    await page.keyboard.press('ArrowLeft');
    assert.equal(await position(page), 5);
    assert.match(await slider(page).getAttribute('aria-valuetext'), /^0:05 of 0:/);
    await page.keyboard.press('PageUp');
    assert.equal(await position(page), seconds(scene.peaks.duration_ms)); // no further
    await page.keyboard.press('Home');
    assert.equal(await position(page), 0);
    await page.keyboard.press('Space');
    await pauseButton(page).waitFor();
    await page.keyboard.press('Space');
    await playButton(page).waitFor();
    await tabTo(page, playButton(page));
    await page.keyboard.press('Space');
    await pauseButton(page).waitFor();
    await page.keyboard.press('ArrowRight');
    await reached(page, 5);
    await page.getByText('Space plays and pauses, ← and → move by 5 s.').waitFor();
    await tabTo(page, turnButton(page, 'assistant').last());
    await page.keyboard.press('Enter');
    await reached(page, Math.floor(scene.spoken('a2').from_ms / 1000));
    assert.deepEqual(await page.wrongs(), []);
  });

  test('the recording is downloaded in each format [P15]', async (t) => {
    const page = await openRecorded(t, browser, scene);
    await playButton(page).waitFor();
    for (const [name, format, begin] of [['WAV, exact', 'wav', 'RIFF'], ['FLAC, exact and smaller', 'flac', 'fLaC'], ['Opus, small', 'opus', 'OggS']]) {
      if (!(await page.locator('.player .menu').evaluate((menu) => menu.open))) await page.getByText('Download', { exact: true }).click();
      const saved = page.waitForEvent('download');
      await page.getByRole('button', { name, exact: true }).click();
      const download = await saved;
      assert.equal(download.suggestedFilename(), `${scene.id}-1.${format}`);
      const bytes = readFileSync(await download.path());
      assert.equal(bytes.toString('latin1', 0, 4), begin);
      assert.deepEqual(bytes, (await scene.recording(`?format=${format}`)).bytes);
    }
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a recording that is erased while it plays gives a sentence [P10][P15]', async (t) => {
    const own = await recordedScene(t);
    const page = await openRecorded(t, browser, own);
    const heard = await listen(page);
    await playButton(page).click();
    await heard(600);
    assert.equal((await own.relay.request(`/v1/sessions/${own.id}`, { method: 'DELETE' })).status, 204);
    await slider(page).press('End');
    await page.locator('.player').getByText('The recording has been erased or has expired. It cannot be played any more.').waitFor();
    assert.ok(await playButton(page).isDisabled());
    assert.equal(await page.getByText('Download', { exact: true }).count(), 0);
    assert.deepEqual(await page.wrongs(), []);
  });

  test('a relay that is away gives a sentence, and Play goes on when it is back [P15]', async (t) => {
    const page = await openRecorded(t, browser, scene);
    const heard = await listen(page);
    await page.route(/\/recording\?attempt=1$/, (route) => route.abort());
    await playButton(page).click();
    await page.locator('.player').getByText('The relay cannot be reached. Press Play to try again.').waitFor();
    await page.unroute(/\/recording\?attempt=1$/);
    await playButton(page).click();
    await heard(600);
    assert.equal(await page.locator('.player .problem').count(), 0);
  });

  test('without a recording there is no player, and its module is not loaded [P15]', async (t) => {
    const own = await recordedScene(t, { rest: 100 });
    await own.relay.request('/v1/sessions', { method: 'POST', body: { session_id: 'silent', user: 'ada' } });
    await own.relay.request('/v1/sessions/silent/transcript', { method: 'POST', body: { writer: 'agent', turns: [{ role: 'user', text: 'Not recorded.' }] } });
    const page = await openRecorded(t, browser, own, {}, 'silent');
    await page.locator('.turn').getByText('Not recorded.').waitFor();
    assert.equal(await page.locator('.player').count(), 0);
    const loaded = () => page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => /player|peaks/.test(name)));
    assert.deepEqual(await loaded(), []);
    // Nor is there a player if the audio has been removed meanwhile.
    await page.route(/\/peaks/, (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: '{"detail":"gone"}' }));
    await page.evaluate((id) => (location.hash = `#/sessions/${id}`), own.id);
    await page.locator('.receipt').waitFor();
    await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => name.includes('peaks')));
    await page.locator('.player').waitFor({ state: 'detached' });
    assert.equal(await page.locator('.wave').count(), 0);
    assert.equal(await page.locator('.timeline .bar').count(), 3);
    assert.deepEqual(await page.wrongs(), []);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`axe finds nothing, and it fits every width: ${colorScheme}`, async (t) => {
      const page = await openRecorded(t, browser, scene, { bypassCSP: true, colorScheme, reducedMotion: 'reduce' });
      await page.locator('.strokes.assistant').waitFor();
      await page.locator('.receipt').waitFor();
      await slider(page).press('ArrowRight');
      await page.locator('.turn.speaking').waitFor();
      await looksWell(page, 'the player');
      await page.getByText('Download', { exact: true }).click();
      await looksWell(page, 'the player, its downloads', { axeAt: [360] });
      assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    });
  }
});
