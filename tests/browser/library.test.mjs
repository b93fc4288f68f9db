// The client library as a page's author gets it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildPackage } from './support/package.mjs';

const sources = fileURLToPath(new URL('../../web/client', import.meta.url));

test('the whole library has at most 20 kB by gzip, its core 8 kB, and neither imports anything', (t) => {
  const folder = buildPackage();
  const bytes = (name) => gzipSync(readFileSync(join(folder, name)), { level: 9 }).length;
  t.diagnostic(`by gzip: verbatim.js ${bytes('verbatim.js')}, core.js ${bytes('core.js')}, react.js ${bytes('react.js')} bytes`);
  assert.ok(bytes('verbatim.js') <= 20_000);
  assert.ok(bytes('core.js') <= 8000);
  const imports = (name) => [...readFileSync(join(folder, name), 'utf8').matchAll(/(?:^|[;}])\s*import[^"(]*"([^"]+)"|\bimport\(/g)].map(([, from]) => from);
  for (const name of ['verbatim.js', 'core.js', 'worklets.js']) assert.deepEqual(imports(name), [], name);
  assert.deepEqual(imports('react.js'), ['react', './verbatim.js']);
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  assert.equal(dependencies, undefined);
});

test('the npm package is the built library with its types, its licence and its page', () => {
  const folder = buildPackage();
  const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: folder, encoding: 'utf8' }));
  assert.deepEqual(files.map(({ path }) => path).sort(), readdirSync(folder).sort());
  const named = Object.values(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).exports)
    .flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)));
  for (const path of [...named, './LICENSE', './README.md']) assert.ok(readdirSync(folder).includes(path.slice(2)), path);
  assert.equal(readFileSync(join(folder, 'LICENSE'), 'utf8'), readFileSync(join(sources, '../../LICENSE'), 'utf8'));
});

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

test('the sources fit the promised types, and a page compiles against them with every library checked', () => {
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', fileURLToPath(new URL('types', import.meta.url))], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
