// The npm package with the tools of today's pages: each page is built, loaded, and holds a conversation.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import vue from '@vitejs/plugin-vue';
import * as esbuild from 'esbuild';
import * as vite from 'vite';
import webpack from 'webpack';
import { wholeFile } from '../e2e/support/file.mjs';
import { freePort } from '../e2e/support/process.mjs';
import { startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { buildPackage, makeProject, serve } from './support/package.mjs';

const file = wholeFile();
let browser;
let relay;
let site; // a folder, with a folder for each page
let origin; // of the site
let devPort; // of Vite's own server

before(async () => {
  browser = await startBrowser(file);
  site = temporaryDirectory(file);
  origin = await serve(file, site);
  devPort = await freePort();
  relay = await startRelay(file, {
    simulator: await startSimulator(file, [], '0.2'),
    set: [`server.allowed_origins=["${origin}","http://127.0.0.1:${devPort}"]`],
  });
});

const examples = fileURLToPath(new URL('../../web/examples', import.meta.url));
const html = '<!doctype html><title>page</title><link rel="icon" href="data:,"><body><div id="app"></div><script type="module" src="./main.js"></script></body>';
const mains = {
  plain: `import { Conversation } from 'verbatim-client';
    const talk = new Conversation({ ...page, microphone: false });
    Object.assign(window, { talk });`,
  react: `import { createElement } from 'react';
    import { createRoot } from 'react-dom/client';
    import { App } from './App.jsx';
    createRoot(document.getElementById('app')).render(createElement(App, page));`,
  vue: `import { createApp } from 'vue';
    import App from './App.vue';
    createApp(App, page).mount('#app');`,
  svelte: `import { mount } from 'svelte';
    import App from './App.svelte';
    mount(App, { target: document.getElementById('app'), props: page });`,
};

/** A project whose page knows the relay and a token. */
async function projectOf(t, name) {
  const folder = makeProject(t);
  const page = JSON.stringify({ url: relay.wsUrl, token: await relay.mint() });
  for (const example of readdirSync(examples)) cpSync(join(examples, example), join(folder, example));
  writeFileSync(join(folder, 'index.html'), html);
  writeFileSync(join(folder, 'main.js'), `const page = ${page};\n${mains[name]}\n`);
  return folder;
}

/** A folder of the site, with a page if there is one. */
function placeFor(name, page) {
  const folder = join(site, name);
  mkdirSync(folder, { recursive: true });
  if (page) writeFileSync(join(folder, 'index.html'), page);
  return folder;
}

const viteConfig = (root, outDir, plugins = []) => ({
  root, plugins, configFile: false, logLevel: 'warn', base: './', cacheDir: join(root, '.vite'),
  build: { outDir, emptyOutDir: true, modulePreload: false },
});

/** A page with `talk`: it connects, writes, hears an answer, and ends. */
async function assertTalks(url) {
  const page = await openPage(browser, url);
  await page.waitForFunction(() => window.talk);
  const [text, heard] = await page.evaluate(async () => {
    const heard = new Promise((resolve) => talk.on('heard', ({ audioMs }) => audioMs > 50 && resolve(audioMs)));
    await talk.connect();
    talk.sendText('one two three');
    const ms = await heard;
    await talk.close();
    return [talk.turns[1].text, ms];
  });
  assert.match(text, /one/);
  assert.ok(heard > 50);
  assert.deepEqual(page.problems, []);
  await page.context().close();
}

/** A page that is one of the examples. */
async function assertExampleTalks(url) {
  const page = await openPage(browser, url);
  await page.locator('#start').click();
  await page.locator('#state').filter({ hasText: /^open$/ }).waitFor();
  await page.locator('#text').fill('What does get_weather say?');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('#turns .assistant').filter({ hasText: /celsius/ }).waitFor();
  await page.locator('#start').click();
  await page.locator('#state').filter({ hasText: 'closed' }).waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
}

test('a plain module script, from the relay and from the package', async () => {
  const token = await relay.mint();
  cpSync(buildPackage(), placeFor('package'), { recursive: true });
  for (const [number, from] of [`${relay.url}/web/v1/verbatim.js`, `${relay.url}/web/conversation.js`, '/package/verbatim.js'].entries()) {
    placeFor(`plain${number}`, `<!doctype html><title>page</title><link rel="icon" href="data:,"><script type="module">
      import { Conversation } from '${from}';
      window.talk = new Conversation({ url: '${relay.wsUrl}', token: '${token}', microphone: false });
    </script>`);
    await assertTalks(`${origin}/plain${number}/index.html`);
  }
});

test('esbuild', async (t) => {
  for (const format of ['esm', 'iife']) {
    const folder = await projectOf(t, 'plain');
    const place = placeFor(`esbuild-${format}`, html);
    const { warnings } = await esbuild.build({
      entryPoints: [join(folder, 'main.js')], bundle: true, minify: true, format, outfile: join(place, 'main.js'), logLevel: 'silent',
    });
    assert.deepEqual(warnings, []);
    await assertTalks(`${origin}/esbuild-${format}/index.html`);
  }
});

test('webpack', async (t) => {
  const folder = await projectOf(t, 'plain');
  const stats = await new Promise((resolve, reject) =>
    webpack({
      context: folder, entry: './main.js', mode: 'production', output: { path: placeFor('webpack', html), filename: 'main.js' },
    }, (error, done) => (error ? reject(error) : resolve(done.toJson()))));
  assert.deepEqual([stats.errors, stats.warnings], [[], []]);
  await assertTalks(`${origin}/webpack/index.html`);
});

test('Vite, built', async (t) => {
  await vite.build(viteConfig(await projectOf(t, 'plain'), placeFor('vite')));
  await assertTalks(`${origin}/vite/index.html`);
});

test('Vite, as it is developed', async (t) => {
  const folder = await projectOf(t, 'plain');
  const server = await vite.createServer({ ...viteConfig(folder), server: { host: '127.0.0.1', port: devPort, strictPort: true } });
  t.after(() => server.close());
  await server.listen();
  await assertTalks(`http://127.0.0.1:${devPort}/`);
});

test('the examples for React, Vue and Svelte hold a conversation with a tool', async (t) => {
  for (const [name, plugins] of [['react', []], ['vue', [vue()]], ['svelte', [svelte({ configFile: false })]]]) {
    await vite.build(viteConfig(await projectOf(t, name), placeFor(name), plugins));
    await assertExampleTalks(`${origin}/${name}/index.html`);
  }
});
