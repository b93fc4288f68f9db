// The pages that the program serves, and requests from pages of other origins.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { startRelay } from './support/verbatim.mjs';

const root = new URL('../../', import.meta.url);

test('every file of the console and of the library is served as it is, and only they [P10]', async (t) => {
  const relay = await startRelay(t);
  const served = new Map([['/', 'web/console/index.html']]);
  for (const name of readdirSync(new URL('web/console', root))) {
    if (name !== 'index.html') served.set(`/console/${name}`, `web/console/${name}`);
  }
  for (const name of readdirSync(new URL('web/client', root))) {
    if (/\.js$|\.d\.ts$/.test(name)) served.set(`/web/${name}`, `web/client/${name}`);
  }
  for (const name of readdirSync(new URL('web/docs', root))) served.set(`/docs/${name}`, `web/docs/${name}`);
  for (const [path, file] of served) {
    const answer = await relay.request(path, { key: null });
    assert.equal(answer.status, 200, path);
    assert.equal(answer.text, readFileSync(new URL(file, root), 'utf8'), path);
    assert.match(answer.type, /; charset=utf-8$|^image\//, path);
    const again = await relay.request(path, { headers: { 'if-none-match': answer.headers.etag } });
    assert.equal(again.status, 304, path);
  }
  for (const path of ['/console/', '/console/index.html', '/console/..%2f..%2fREADME.md', '/web/none.js']) {
    assert.equal((await relay.request(path, { key: null })).status, 404, path);
  }
});

test('a page of the console may run and reach nothing but its own server [P10]', async (t) => {
  const relay = await startRelay(t);
  const { headers } = await relay.request('/');
  const policy = headers['content-security-policy'];
  for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.includes(part), part);
  }
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
});

test('the reference of the API is a page without script, under the rules of the console [P10]', async (t) => {
  const relay = await startRelay(t, { set: ['server.console=false'] });
  const [page, console_] = [await relay.request('/docs/api', { key: null }), await (await startRelay(t)).request('/', { key: null })];
  assert.equal(page.status, 200);
  assert.equal(page.type, 'text/html; charset=utf-8');
  for (const header of ['content-security-policy', 'referrer-policy', 'permissions-policy', 'cross-origin-opener-policy', 'x-content-type-options', 'cache-control'])
    assert.equal(page.headers[header], console_.headers[header], header);
  assert.equal((await relay.request('/docs/api', { headers: { 'if-none-match': page.headers.etag } })).status, 304);
  assert.equal((await relay.request('/docs/reference.css', { key: null })).status, 200);
  assert.doesNotMatch(page.text, /<script|style=|<style|https?:\/\//, 'neither a script nor a file of another host');
  const { json: document } = await relay.request('/openapi.json');
  const unescaped = page.text.replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, { operationId, summary, parameters = [] }] of Object.entries(item).filter(([name]) => name !== 'parameters')) {
      const section = unescaped.split(`<section id="${operationId}">`)[1]?.split('</section>')[0];
      assert.ok(section, operationId);
      for (const part of [`${method.toUpperCase()}</span> <code>${path}</code>`, summary, ...parameters.filter(({ name }) => name).map(({ name }) => `<code>${name}</code>`)])
        assert.ok(section.includes(part), `${operationId}: ${part}`);
    }
  }
  for (const type of document.components.schemas.Problem.properties.type.enum) assert.ok(unescaped.includes(`<code>${type}</code>`), type);
  const anchors = new Set([...page.text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  for (const name of Object.keys(document.components.schemas)) assert.ok(anchors.has(`schema-${name}`), name);
  const lost = [...page.text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id).filter((id) => !anchors.has(id));
  assert.deepEqual(lost, []);
});

test('an operator can do without the console', async (t) => {
  const relay = await startRelay(t, { set: ['server.console=false'] });
  assert.equal((await relay.request('/')).status, 404);
});

test("an allowed origin's page may call the API, any other's may not read it [P10]", async (t) => {
  const relay = await startRelay(t, { set: ['server.allowed_origins=["https://app.example"]'] });
  const ask = (origin, method = 'GET') =>
    relay.request('/v1/sessions', {
      method,
      headers: { origin, ...(method === 'OPTIONS' ? { 'access-control-request-method': 'GET' } : {}) },
    });
  const allowed = await ask('https://app.example');
  assert.equal(allowed.status, 200);
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://app.example');
  const preflight = await ask('https://app.example', 'OPTIONS');
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers['access-control-allow-headers'], /Authorization/);
  for (const origin of ['https://app.example.evil', 'https://app.example:444', 'http://app.example', 'null']) {
    assert.equal((await ask(origin)).headers['access-control-allow-origin'], undefined, origin);
    assert.equal((await ask(origin, 'OPTIONS')).status, 405, origin);
  }
});
