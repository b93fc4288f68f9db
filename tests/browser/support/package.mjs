// The npm package of the client library, and servers of pages that use it.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../e2e/support/process.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
let built;

/** The built package, in a folder that the tests of a file share. */
export function buildPackage() {
  if (!built) {
    built = temporaryDirectory({ after: (remove) => process.once('exit', remove) });
    execFileSync(join(root, 'web/client/build'), ['--out', built]);
  }
  return built;
}

/** A project with the package and the frameworks in its node_modules. */
export function makeProject(t) {
  const folder = temporaryDirectory(t);
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of ['react', 'react-dom', 'scheduler', 'svelte', 'vue', '@vue']) {
    symlinkSync(join(root, 'tests/browser/node_modules', name), join(modules, name));
  }
  cpSync(buildPackage(), join(modules, 'verbatim-client'), { recursive: true });
  return folder;
}

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** Serves a folder, `pages` (path -> HTML) before it. `policy` is sent as its Content-Security-Policy. */
export async function serve(t, folder, pages = {}, policy) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    try {
      const body = pages[path] ?? readFileSync(join(folder, path === '/' ? 'index.html' : path));
      response.writeHead(200, {
        'content-type': pages[path] ? 'text/html' : (types[extname(path)] ?? 'text/html'),
        ...(policy ? { 'content-security-policy': policy } : {}),
      });
      response.end(body);
    } catch {
      response.writeHead(404);
      response.end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
