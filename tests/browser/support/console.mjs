// The console in a page, and what must never happen there.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** A page of the console. `page.wrongs()` has loads that its policy has stopped, and errors of its scripts. */
export async function openConsole(browser, relay, hash = '#/talk', options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.addInitScript(() => {
    window.stopped = [];
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      window.stopped.push(`${violatedDirective}: ${blockedURI}`),
    );
  });
  page.wrongs = async () => [...errors, ...(await page.evaluate(() => window.stopped))];
  await page.goto(`${relay.url}/${hash}`);
  return page;
}

/** Goes to a view of the page that is there, and waits for its heading. */
export async function go(page, hash, heading) {
  await page.evaluate((to) => (location.hash = to), hash);
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
}

/** The findings of axe, in words; the page must have been opened with `bypassCSP`. */
export async function accessibility(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help}: ${target}`));
}

/** Presses Tab until this has the focus. So it can be reached; its distance does not matter. */
export async function tabTo(page, locator) {
  await locator.waitFor();
  for (let presses = 0; presses < 60; ++presses) {
    if (await locator.evaluate((wanted) => wanted === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not get to ${locator}`);
}

const widths = [320, 360, 1200, 1920];

/**
 * Looks at a page at several widths: axe finds nothing, and nothing is wider than the window. With the variable
 * PICTURES, a folder, it also writes a picture of each.
 */
export async function looksWell(page, what, { axeAt = [360, 1200] } = {}) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: width < 600 ? 740 : 900 });
    // Drawing that follows the width is done.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    if (process.env.PICTURES) {
      const scheme = await page.evaluate(() => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'));
      const name = `${what.replace(/\W+/g, '-')}-${scheme}-${width}.png`;
      await page.screenshot({ path: join(process.env.PICTURES, name), fullPage: true });
    }
    if (axeAt.includes(width)) assert.deepEqual(await accessibility(page), [], `${what}, ${width} px`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${what} is ${wide} px wide at ${width}`);
  }
  await page.setViewportSize({ width: 1200, height: 900 });
}

/** The listed sessions. */
export const rows = (page) => page.locator('.sessions tbody tr:not(.spacer)');

/** The text of the shown turns, without the parts that are for screen readers only. */
export const words = (page) =>
  page.locator('.transcript .words').evaluateAll((all) =>
    all.map((shown) => {
      const copy = shown.cloneNode(true);
      for (const unseen of copy.querySelectorAll('.unseen')) unseen.remove();
      return copy.textContent;
    }),
  );
