// Takes the pictures of docs/console.md: node tests/browser/screenshots.mjs [FOLDER]
// Starts a relay in development mode and a simulated provider, and talks to them for five minutes. The pictures
// in docs/ were taken with the fonts Inter and Noto Serif, and reduced to 256 colours.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as passed } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { play } from '../e2e/support/recording.mjs';
import { temporaryDirectory } from '../e2e/support/process.mjs';
import { Receiver, quick, targets } from '../e2e/support/receiver.mjs';
import { Scene } from '../e2e/support/scene.mjs';
import { Client, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { startBrowser } from './support/browser.mjs';
import { go, openConsole, rows } from './support/console.mjs';
import { dialogue } from './support/dialogue.mjs';
import { openRecorded, slider, voice } from './support/recorded.mjs';

const folder = process.argv[2] ?? fileURLToPath(new URL('../../docs/console', import.meta.url));
const shownMs = 5 * 60_000; // the charts' width in time
const wide = (height) => ({ width: 1280, height });
const phone = { width: 360, height: 740 };

const opening = [
  { user: 'Good morning, Mrs. Keller. I’m the nurse on this ward. How are you feeling today?' },
  { assistant: 'Good morning. A little better, thank you, though I hardly slept. The pain in my hip keeps waking me up.' },
  { user: 'I’m sorry to hear that. On a scale from one to ten, how bad is it?' },
];
const talkedOver = {
  assistant: 'When I lie still it is perhaps a four. But as soon as I try to turn over it is an eight, and then I have to wait until it passes.',
  talkedOverBy: 'May I stop you there? Did you get something for it during the night?',
  heardMs: 4300,
};
const last = 'Please do call us. I’ll talk to the doctor right away.';
const dialogues = {
  'ward-round-lost': [...opening, { assistant: 'When I lie still it is perhaps a four, but at night', open: true }],
  'ward-round': [
    ...opening,
    talkedOver,
    { assistant: 'No. I did not want to bother the night nurse.' },
    { user: last },
    { assistant: 'Thank you. That is kind of you.' },
  ],
  'ward-round-live': [...opening, talkedOver, { assistant: 'No. I did not want to bother', open: true, humMs: 30_000 }],
};

const ends = [];
const t = { after: (end) => ends.unshift(end) };
let over = false;

/** The lines of a dialogue, as `play` reads them. */
const linesOf = (name) =>
  dialogue(dialogues[name])
    .trimEnd()
    .split('\n')
    .map((line) => ({ direction: JSON.parse(line).dir, bytes: line.slice(line.indexOf('"event":') + '"event":'.length, -1) }));

async function made(relay, body) {
  const answer = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'developer', ...body } });
  return answer.json.id;
}

async function acted(relay, name, session) {
  const client = await Client.connectWithId(t, relay, { token: null, query: { model: name, session } });
  await play(client, linesOf(name));
  return client;
}

/** The session that is shown: an attempt that is lost, and a whole one, with the copy of an agent. */
async function wardRound(relay) {
  const id = await made(relay, { session_id: 'ward-round-17', metadata: { course: '7', scenario: 'ward-round', trainee: 'ada' } });
  const lost = await acted(relay, 'ward-round-lost', id);
  lost.socket.terminate();
  await relay.transcript(id);
  const whole = await acted(relay, 'ward-round', id);
  whole.send({ type: 'verbatim.end' });
  await whole.closed;
  const { turns } = await relay.transcript(id);
  const copy = turns.map(({ role, text }) => ({ role, text: text === last ? 'Please do call us! I will talk to the doctor right away.' : text }));
  await relay.request(`/v1/sessions/${id}/transcript`, { method: 'POST', body: { writer: 'agent', turns: copy } });
  return id;
}

/** One conversation in the background, of one or two questions. */
async function visit(relay, number) {
  const metadata = [{ course: '7', scenario: 'ward-round' }, { course: '7' }, { course: '12', scenario: 'handover' }, {}][number % 4];
  const session = await made(relay, { metadata });
  const client = await Client.connectWithId(t, relay, { token: null, query: { session } });
  await client.ask('How should I begin the handover?');
  if (number % 3) await client.ask('And what comes after that?');
  await passed(3000 + (number * 3700) % 14_000);
  if (number % 5 === 3) client.socket.terminate();
  else if (number % 5 === 1) client.send({ type: 'verbatim.end' });
  else await client.close();
}

async function visits(relay) {
  const open = [];
  for (let number = 1; !over; ++number) {
    open.push(visit(relay, number).catch((error) => over || Promise.reject(error)));
    await passed(number % 7 ? 4000 : 11_000);
  }
  await Promise.all(open);
}

/** Without animations: a blinking caret might be missing in a picture. */
const opened = (browser, relay, hash = '#/talk') => openConsole(browser, relay, hash, { reducedMotion: 'reduce' });

/** Writes a picture of the page: from `from` on, a locator, if given, or of its `whole` height. */
async function picture(page, name, { size, dark = false, whole = false, from }) {
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  if (from) await from.evaluate((shown) => shown.scrollIntoView());
  else await page.evaluate(() => scrollTo(0, 0));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: whole });
  console.log(`${name}.png`);
}

async function talk(browser, relay) {
  const page = await opened(browser, relay);
  await page.getByLabel('Instructions').fill('You are Mrs. Keller, a patient on the ward. Your hip hurts, and you slept badly.');
  await page.getByLabel('Voice').fill('marin');
  await page.getByLabel('Model').fill('ward-round-live');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.locator('.turn.in_progress .words').getByText('want to bother').waitFor({ timeout: 120_000 });
  await picture(page, 'talk', { size: { width: 1680, height: 960 } });
  await picture(page, 'talk-dark', { size: wide(960), dark: true });
  await picture(page, 'talk-phone', { size: phone, from: page.getByRole('button', { name: 'Send' }) });
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.context().close();
}

async function session(browser, relay, id) {
  const page = await opened(browser, relay, `#/sessions/${id}`);
  await page.locator('.receipt').getByText('computed the same digest').waitFor();
  await picture(page, 'session-phone', { size: phone, from: page.getByRole('heading', { name: 'Attempt 2' }) });
  await page.setViewportSize(wide(1000));
  await page.getByText('Another version').click();
  await page.getByRole('listbox').focus();
  for (let presses = 0; presses < 3; ++presses) await page.keyboard.press('ArrowRight');
  await picture(page, 'session', { size: wide(1000), whole: true });
  await page.evaluate((hash) => (location.hash = hash), `#/sessions/${id}?attempt=1,2`);
  await page.locator('.receipt').nth(1).getByText('computed the same digest').waitFor();
  await picture(page, 'attempts', { size: wide(1000), whole: true, dark: true });
  await page.context().close();
}

/** A recorded conversation, which takes as long as it is spoken. */
async function recorded(browser) {
  const scene = await Scene.start(t);
  for (const [number, { user, assistant }] of dialogues['ward-round'].entries()) {
    const item = `item_${number}`;
    scene.texts[item] = user ?? assistant;
    const ms = scene.texts[item].length * 55;
    if (user) {
      await passed(ms + 600);
      await scene.speak(item, voice(ms, 130));
    } else {
      await scene.answer(item, voice(ms, 210));
      await passed(ms);
    }
  }
  await scene.end();
  const page = await openRecorded(t, browser, scene, { reducedMotion: 'reduce' });
  await page.locator('.receipt').getByText('computed the same digest').waitFor();
  await page.locator('.strokes.user').waitFor();
  await slider(page).press('ArrowRight');
  await picture(page, 'player', { size: wide(800) });
  await picture(page, 'player-dark', { size: wide(800), dark: true });
  await picture(page, 'player-phone', { size: phone, from: page.locator('.timeline-figure') });
  await page.context().close();
}

async function list(browser, relay) {
  const page = await opened(browser, relay, '#/sessions');
  await rows(page).nth(20).waitFor();
  await picture(page, 'sessions', { size: wide(1000) });
  await picture(page, 'sessions-dark', { size: wide(1000), dark: true });
  await picture(page, 'sessions-phone', { size: phone });
  await page.context().close();
}

async function operator(browser, relay) {
  const page = await opened(browser, relay, '#/webhooks?session=ward-round-17');
  await page.locator('.delivery.dead summary').first().click();
  await picture(page, 'webhooks', { size: wide(800) });
  await go(page, '#/tokens', 'Tokens');
  await page.getByLabel('User', { exact: true }).fill('ada');
  await page.getByLabel('Instructions').fill('Be brief.');
  await page.getByRole('button', { name: 'Mint a token' }).click();
  await page.getByText('The token is shown once.').waitFor();
  await picture(page, 'tokens', { size: wide(900) });
  await page.context().close();
}

async function health(page) {
  await picture(page, 'health', { size: wide(800) });
  await picture(page, 'health-dark', { size: wide(800), dark: true });
  await picture(page, 'health-phone', { size: phone, whole: true });
}

try {
  mkdirSync(folder, { recursive: true });
  const played = temporaryDirectory(t);
  for (const [name, turns] of Object.entries(dialogues)) writeFileSync(join(played, `${name}.jsonl`), dialogue(turns));
  const simulator = await startSimulator(t, [], '1', played);
  const receiver = await Receiver.start(t);
  receiver.answer = ({ data: { session_id: id } }) => (id === 'ward-round-17' ? [503, {}, 'The evaluation service is being updated.'] : 204);
  const amounts = 'text_input=4, text_input_cached=0.4, text_output=16, audio_input=32, audio_input_cached=0.4, audio_output=64';
  const prices = `console.prices=[{model="ward", ${amounts}}, {model="gpt", ${amounts}}]`;
  const set = [...quick, 'webhook.tries_max=3', targets(receiver.target(t, ", name='evaluation'")), `capture.dir=${temporaryDirectory(t)}`, prices];
  const relay = await startRelay(t, { key: null, simulator, set });
  const browser = await startBrowser(t);
  const watched = await opened(browser, relay, '#/health');
  const filled = passed(shownMs);
  const visiting = visits(relay);
  await Promise.all([wardRound(relay).then((id) => session(browser, relay, id)), talk(browser, relay), recorded(browser)]);
  await filled;
  await list(browser, relay);
  await operator(browser, relay);
  await health(watched);
  over = true;
  await visiting;
} finally {
  over = true;
  for (const end of ends) await end();
}
