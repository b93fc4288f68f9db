// Checks JSON by TypeScript types: they refuse members that do not exist, which JSON schemas rarely do.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { temporaryDirectory } from '../../e2e/support/process.mjs';
import { check, inTree } from './programs.mjs';

/** The compiler's errors for `values`: [{type, value}], of types that support/FILE.d.ts exports; '' if all fit. */
export function misfits(t, file, values) {
  const module = join(temporaryDirectory(t), 'values.ts');
  const types = JSON.stringify(inTree(`tests/deploy/support/${file}`));
  const lines = values.map(({ type, value }, n) => `export const value${n}: types.${type} = ${JSON.stringify(value, null, 2)};`);
  writeFileSync(module, [`import type * as types from ${types};`, ...lines, ''].join('\n'));
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--types', ''];
  const { status, output } = check(process.execPath, compiler, ...options, module);
  return status === 0 ? '' : output || `the compiler ended with ${status}`;
}
