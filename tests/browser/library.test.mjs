// The client library as a page's author gets it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const folder = fileURLToPath(new URL('../../web/client', import.meta.url));
const modules = readdirSync(folder).filter((name) => name.endsWith('.js'));
const sources = modules.map((name) => readFileSync(`${folder}/${name}`, 'utf8'));

test('the library has less than 30 kB without its comments, and depends on nothing', () => {
  const bare = sources.join('').split('\n').map((line) => line.trim()).filter((line) => !/^(\/\/|\/\*\*|\*)/.test(line));
  assert.ok(bare.join('\n').length < 30_000, `${bare.join('\n').length} bytes`);
  for (const source of sources) {
    for (const [, from] of source.matchAll(/^import .* from '(.*)'/gm)) assert.match(from, /^\.\/\w+\.js$/);
  }
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
});

test('the npm package is the whole library with its types', () => {
  const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: folder, encoding: 'utf8' }));
  const packed = files.map(({ path }) => path);
  for (const name of [...modules, 'conversation.d.ts', 'package.json']) assert.ok(packed.includes(name), name);
});
