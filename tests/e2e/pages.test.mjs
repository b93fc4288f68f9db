// The pages that the program serves, and requests from pages of other origins.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRelay, temporaryDirectory } from './support/verbatim.mjs';

const root = new URL('../../', import.meta.url);

/** The client library, built as it is for the program. */
function buildLibrary(t) {
  const folder = temporaryDirectory(t);
  execFileSync(fileURLToPath(new URL('web/client/build', root)), ['--out', folder]);
  return folder;
}

test('every file of the console, the library and the examples is served as it is, and only they [P10]', async (t) => {
  const relay = await startRelay(t);
  const library = buildLibrary(t);
  const served = new Map([['/', 'web/console/index.html'], ['/examples', 'web/examples/index.html']]);
  for (const folder of ['console', 'docs', 'examples']) {
    for (const name of readdirSync(new URL(`web/${folder}`, root))) {
      if (name !== 'index.html') served.set(`/${folder}/${name}`, `web/${folder}/${name}`);
    }
  }
  for (const name of ['core.d.ts', 'react.d.ts', 'verbatim.d.ts', 'worklets.js']) served.set(`/web/v1/${name}`, join(library, name));
  for (const [path, file] of served) {
    const answer = await relay.request(path, { key: null });
    assert.equal(answer.status, 200, path);
    assert.equal(answer.text, readFileSync(new URL(file, root), 'utf8'), path);
    assert.match(answer.type, /; charset=utf-8$|^image\//, path);
    assert.equal(answer.headers['cache-control'], 'no-cache', path);
    const again = await relay.request(path, { headers: { 'if-none-match': answer.headers.etag } });
    assert.equal(again.status, 304, path);
  }
  for (const path of ['/console/', '/console/index.html', '/examples/index.html', '/console/..%2f..%2fREADME.md', '/web/none.js', '/web/v1/none.js',
    '/web/v1/verbatim.0123456789abcdeg.js', '/web/v1/none.0123456789abcdef.js']) {
    assert.equal((await relay.request(path, { key: null })).status, 404, path);
  }
});

test('the library has a name with its hash, which caches keep, and plain names that lead there [P10]', async (t) => {
  const relay = await startRelay(t);
  const library = buildLibrary(t);
  for (const name of ['verbatim', 'core', 'react']) {
    const plain = await relay.request(`/web/v1/${name}.js`, { key: null });
    assert.equal(plain.headers['cache-control'], 'no-cache');
    const [, module] = /^export \* from '\.\/(\w+\.[0-9a-f]{16}\.js)'\n$/.exec(plain.text);
    const kept = await relay.request(`/web/v1/${module}`, { key: null });
    assert.equal(kept.text, readFileSync(join(library, `${name}.js`), 'utf8'));
    assert.equal(kept.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(kept.headers['access-control-allow-origin'], '*');
    // While nodes of two releases stand behind one name, the module of the other has a successor here.
    const other = await relay.request(`/web/v1/${name}.${'0'.repeat(16)}.js`, { key: null });
    assert.deepEqual([other.text, other.headers['cache-control']], [kept.text, 'no-cache']);
    if (name === 'verbatim') assert.ok((await relay.request('/web/conversation.js', { key: null })).text.includes(`./v1/${module}`));
  }
});

test('pages and modules are sent by gzip to clients that accept it', async (t) => {
  const relay = await startRelay(t);
  for (const path of ['/', '/console/console.js', '/examples', '/web/v1/worklets.js']) {
    const plain = await relay.request(path, { key: null });
    const packed = await relay.request(path, { key: null, headers: { 'accept-encoding': 'gzip' } });
    assert.deepEqual([plain.headers['content-encoding'], packed.headers['content-encoding']], [undefined, 'gzip'], path);
    assert.equal(packed.text, plain.text, path);
    assert.ok(packed.bytes.length < plain.bytes.length, path);
    assert.equal(packed.headers.etag, `W/${plain.headers.etag}`, path);
    for (const answer of [plain, packed]) assert.equal(answer.headers.vary, 'Accept-Encoding', path);
    const again = await relay.request(path, { headers: { 'accept-encoding': 'gzip', 'if-none-match': packed.headers.etag } });
    assert.deepEqual([again.status, again.bytes.length], [304, 0], path);
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
  assert.doesNotMatch(page.text, /<script|style=|<style|(?:src|href)="?(?:https?:)?\/\//, 'neither a script nor a file of another host');
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
  for (const path of ['/', '/examples', '/examples/plain.js']) assert.equal((await relay.request(path)).status, 404, path);
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
