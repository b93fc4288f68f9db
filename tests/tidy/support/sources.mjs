// The files of this source tree, and how these tests read them.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The files that git has or would add: nothing that was built or downloaded. */
export const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 16 * 1024 * 1024,
})
  .split('\0')
  .filter((file) => file && existsSync(join(root, file)))
  .sort();

const texts = new Map();
export function textOf(file) {
  if (!texts.has(file)) texts.set(file, readFileSync(join(root, file), 'utf8'));
  return texts.get(file);
}

export const lineCount = (file) => textOf(file).split('\n').length - 1;
export const lineAt = (text, index) => text.slice(0, index).split('\n').length;
export const folderOf = (file) => (dirname(file) === '.' ? '' : dirname(file));

export const isCpp = (file) => /\.(cpp|hpp|cpp\.in)$/.test(file);
export const isScript = (file) => /\.(m?js|ts)$/.test(file) && !file.endsWith('.d.ts');
export const isTest = (file) => /^(tests|bench|examples)\//.test(file);
export const productCpp = files.filter((file) => isCpp(file) && !isTest(file));

export const literal =
  /\/\/[^\n]*(?:\n[ \t]*\/\/[^\n]*)*|\/\*[\s\S]*?\*\/|R"([^(\s"]*)\([\s\S]*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)'(?:\\.|[^'\\\n])+'/g;
const blank = (text) => text.replace(/[^\n]/g, ' ');

/** C++ without its comments and literals, each letter of them a space: lines and columns stay. */
export const codeOf = (file) => textOf(file).replace(literal, blank);

/** Comments and literals of a C++ file: [{text, line}]; lines of comments that follow each other are one. */
export function wordingOf(file) {
  const text = textOf(file);
  return [...text.matchAll(literal)].map((match) => ({ text: match[0], line: lineAt(text, match.index) }));
}

/** Text of a failure: what is wrong, each place on a line, and what to do. */
export const report = (what, places, advice) => `${what}:\n${places.map((one) => `  ${one}`).join('\n')}\n${advice}`;
