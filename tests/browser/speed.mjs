// Measures the console: the first contentful paint of a page, and the frames while a list of 10,000 sessions is
// scrolled. node tests/browser/speed.mjs. It needs `npm ci` here and in tests/e2e, and VERBATIM_BIN or a release build.
import { Client, startRelay, startSimulator } from '../e2e/support/verbatim.mjs';
import { startBrowser } from './support/browser.mjs';
import { openConsole, rows } from './support/console.mjs';

const sessionsCount = 10_000;
const scrolledPx = 120; // a frame
const scrolledFrames = 600;
const times = 5;

const ends = [];
const t = { after: (end) => ends.unshift(end) };

/** Milliseconds from the navigation to the first contentful paint, without a cache. */
async function firstPaint(browser, relay) {
  const page = await openConsole(browser, relay);
  const paint = await page.evaluate(
    () =>
      new Promise((done) => {
        new PerformanceObserver((list) => {
          for (const { name, startTime } of list.getEntries()) if (name === 'first-contentful-paint') done(startTime);
        }).observe({ type: 'paint', buffered: true });
      }),
  );
  await page.context().close();
  return paint;
}

/** The list with 10,000 sessions; the relay's own answers for one are repeated, since filling a store takes minutes. */
async function longList(browser, relay) {
  const { sessions } = (await relay.request('/v1/sessions?limit=1')).json;
  const all = Array.from({ length: sessionsCount }, (_, at) => ({ ...sessions[0], id: `many-${at}` }));
  const page = await openConsole(browser, relay, '#/talk');
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.route(/\/v1\/sessions\?/, (route) => {
    const asked = new URL(route.request().url()).searchParams;
    const from = Number(asked.get('cursor') ?? 0);
    const to = from + Number(asked.get('limit'));
    route.fulfill({ json: { sessions: all.slice(from, to), next_cursor: to < all.length ? String(to) : null, total: all.length } });
  });
  await page.route(/\/v1\/live/, (route) => route.abort());
  await page.evaluate(() => (location.hash = '#/sessions'));
  await rows(page).first().waitFor();
  return page;
}

/** Scrolls by some pixels in each frame. Returns the milliseconds of each frame, and the most rows that were there. */
const scroll = (page) =>
  page.evaluate(
    ([by, frames]) =>
      new Promise((done) => {
        const took = [];
        let most = 0;
        let last;
        const step = (now) => {
          if (last !== undefined) took.push(now - last);
          last = now;
          most = Math.max(most, document.querySelectorAll('tbody tr').length);
          if (took.length === frames) return done({ took, most });
          scrollBy(0, by);
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    [scrolledPx, scrolledFrames],
  );

try {
  const simulator = await startSimulator(t);
  const relay = await startRelay(t, { key: null, simulator });
  const client = await Client.connectWithId(t, relay, { token: null });
  await client.ask('How fast is this page?');
  await client.close();
  await relay.transcript(client.id);
  const browser = await startBrowser(t);
  const paints = [];
  for (let time = 0; time < times; ++time) paints.push(await firstPaint(browser, relay));
  console.log(`first contentful paint: ${paints.map((ms) => `${ms.toFixed(0)} ms`).join(', ')}`);
  const page = await longList(browser, relay);
  const { took, most } = await scroll(page);
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))].toFixed(1);
  const late = took.filter((ms) => ms > 1.5 * (1000 / 60)).length;
  console.log(`${took.length} frames of a list of ${sessionsCount}: median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms, longest ${at(1)} ms; ${late} late; at most ${most} rows`);
} finally {
  for (const end of ends) await end();
}
