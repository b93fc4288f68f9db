// The React hooks, where the examples do not reach.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as esbuild from 'esbuild';
import { startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { openPage, startBrowser } from './support/browser.mjs';
import { makeProject, serve } from './support/package.mjs';

const component = `
  import { useEffect, useState } from 'react';
  import { createRoot } from 'react-dom/client';
  import { useConversation, useLevel } from 'verbatim-client/react';

  function App() {
    const [count, setCount] = useState(0);
    const talk = useConversation({
      url: page.url, playback: false, backup: false, turnDetection: null,
      token: async () => 'ek_of_render_' + count,
      tools: { get_weather: { run: () => ({ count }) } },
    });
    const { input } = useLevel(talk.conversation);
    useEffect(() => { window.talk = talk; window.renders = (window.renders ?? 0) + 1; });
    return <button onClick={() => setCount(count + 1)}>{count} {input > 0.05 ? 'loud' : 'silent'} {talk.state}</button>;
  }
  createRoot(document.getElementById('app')).render(<App />);`;

test('tools and the token function are those of the latest render, and a level is shown', async (t) => {
  const site = temporaryDirectory(t);
  const origin = await serve(t, site);
  const relay = await startRelay(t, { key: null, simulator: await startSimulator(t), set: [`server.allowed_origins=["${origin}"]`] });
  const folder = makeProject(t);
  writeFileSync(join(folder, 'main.jsx'), `const page = ${JSON.stringify({ url: relay.wsUrl })};\n${component}`);
  await esbuild.build({ entryPoints: [join(folder, 'main.jsx')], bundle: true, format: 'esm', jsx: 'automatic', outfile: join(site, 'main.js') });
  writeFileSync(join(site, 'index.html'), '<!doctype html><title>page</title><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="main.js"></script>');
  const browser = await startBrowser(t, { microphone: [{ ms: 500, loud: true }] });
  const page = await openPage(browser, `${origin}/`);
  await page.getByRole('button', { name: '0 silent idle' }).click();
  await page.getByRole('button', { name: '1 silent idle' }).click();
  await page.getByRole('button', { name: '2 silent idle' }).waitFor();
  const { protocols, output } = await page.evaluate(async () => {
    const protocols = [];
    window.WebSocket = new Proxy(WebSocket, {
      // The relay of the test admits the page without a token.
      construct: (Target, [url, offered]) => protocols.push(...offered) && new Target(url, offered.slice(0, 2)),
    });
    await talk.connect();
    const completed = new Promise((resolve) => talk.conversation.on('tool', ({ status, output }) => status === 'completed' && resolve(output)));
    talk.sendText('What does get_weather say?');
    return { protocols, output: await completed };
  });
  assert.equal(output, '{"count":2}');
  assert.equal(protocols[2], 'openai-insecure-api-key.ek_of_render_2');
  await page.getByRole('button', { name: '2 loud open' }).waitFor();
  assert.deepEqual(page.problems, []);
});
