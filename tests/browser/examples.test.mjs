// The examples, plain and with React: spoken to, with an interruption and a tool.
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { accessibility, openConsole } from './support/console.mjs';
import { makeProject, serve } from './support/package.mjs';

// The second sentence overlaps the answer to the first.
const twice = [
  { ms: 300, loud: false }, { ms: 800, loud: true }, { ms: 2500, loud: false },
  { ms: 1500, loud: true }, { ms: 60_000, loud: false },
];

/** The user talks, talks over the answer, and writes a question that needs the tool. */
async function assertTalks(page, relay) {
  await page.locator('#start').click();
  await page.locator('#turns .assistant').nth(1).waitFor();
  await page.locator('#text').fill('What does get_weather say?');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('#turns .assistant').filter({ hasText: /celsius/ }).waitFor();
  await page.locator('#start').click();
  await page.locator('#state').filter({ hasText: 'closed' }).waitFor();
  const [{ id }] = (await relay.request('/v1/sessions')).json.sessions;
  const { turns, tool_calls: calls } = await relay.transcript(id);
  assert.ok(turns.some(({ role, status, heard }) => role === 'assistant' && status === 'truncated' && heard.audio_ms > 0));
  assert.deepEqual(calls.map(({ name, status }) => [name, status]), [['get_weather', 'completed']]);
}

test('the live example is spoken to, interrupted, and asked for a tool [P4]', async (t) => {
  const relay = await startRelay(t, { key: null, simulator: await startSimulator(t, [], '1') });
  const browser = await startBrowser(t, { microphone: twice });
  const page = await openConsole(browser, relay, 'examples');
  await assertTalks(page, relay);
  assert.deepEqual(await page.wrongs(), []);
});

test('the React example is spoken to, interrupted, and asked for a tool, also in strict mode [P4]', async (t) => {
  const site = temporaryDirectory(t);
  const origin = await serve(t, site);
  const relay = await startRelay(t, { key: null, simulator: await startSimulator(t, [], '1'), set: [`server.allowed_origins=["${origin}"]`] });
  const folder = makeProject(t);
  cpSync(fileURLToPath(new URL('../../web/examples/App.jsx', import.meta.url)), join(folder, 'App.jsx'));
  writeFileSync(join(folder, 'main.js'), `
    import { createElement, StrictMode } from 'react';
    import { createRoot } from 'react-dom/client';
    import { App } from './App.jsx';
    const root = createRoot(document.getElementById('app'));
    root.render(createElement(StrictMode, null, createElement(App, { url: '${relay.wsUrl}' })));
    window.unmount = () => root.unmount();`);
  await esbuild.build({
    entryPoints: [join(folder, 'main.js')], bundle: true, format: 'esm', jsx: 'automatic', outfile: join(site, 'main.js'),
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  writeFileSync(join(site, 'index.html'), '<!doctype html><title>page</title><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="main.js"></script>');
  const browser = await startBrowser(t, { microphone: twice });
  const page = await openPage(browser, `${origin}/`);
  await assertTalks(page, relay);
  // A component that is gone leaves no conversation behind.
  await page.locator('#start').click();
  await page.locator('#state').filter({ hasText: /^open$/ }).waitFor();
  await page.evaluate(() => window.unmount());
  const [{ id }] = (await relay.request('/v1/sessions')).json.sessions;
  assert.equal((await relay.transcript(id)).close_reason, 'client_ended');
  assert.deepEqual(page.problems, []);
});

test('the page of examples is accessible, and shows the sources of the others', async (t) => {
  const relay = await startRelay(t, { key: null, simulator: await startSimulator(t) });
  const browser = await startBrowser(t);
  const page = await openConsole(browser, relay, 'examples', { bypassCSP: true });
  assert.deepEqual(await accessibility(page), []);
  for (const [name, words] of [['React', 'useConversation'], ['Vue', 'shallowRef'], ['Svelte', '$state'], ['plain.js', 'new Conversation']]) {
    const source = await browser.newPage({ ignoreHTTPSErrors: true });
    const href = await page.getByRole('link', { name }).getAttribute('href');
    await source.goto(`${relay.url}${href}`);
    assert.ok((await source.textContent('body')).includes(words), name);
  }
});
