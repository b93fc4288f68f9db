// Functions of a C++ file, found by their braces: good enough for a report, not for a judgement.
import { codeOf, lineAt } from './sources.mjs';

const endOfBraces = (code, from) => {
  let depth = 0;
  for (let at = from; at < code.length; ++at) {
    if (code[at] === '{') ++depth;
    if (code[at] === '}' && --depth === 0) return at;
  }
  return code.length - 1;
};

/** The kind of block that a brace opens, by the text before it. */
function kindOf(head) {
  const text = head.trim();
  if (/^(inline )?namespace\b|^extern\b\s*$/.test(text)) return 'scope';
  if (/=\s*$|^\w+$/.test(text) || /(^|[^=!<>])=[^=]/.test(text.replace(/operator\s*\S+/, '').replace(/\([^()]*\)/g, ''))) return 'value';
  if (!text.includes('(')) return /\b(class|struct|union)\b/.test(text) ? 'scope' : 'value';
  // A member's initialiser, `: count_{0}`, not the body.
  if (/\)\s*(noexcept\s*)?:/.test(text) && /[\w>]$/.test(text)) return 'value';
  return 'function';
}

/** [{name, line, lines}]: of each function with a body, lambdas inside it counted with it. */
export function functionsOf(file) {
  const code = codeOf(file).replace(/^[ \t]*#(?:[^\n\\]|\\\n|\\.)*/gm, (text) => text.replace(/[^\n]/g, ' '));
  const found = [];
  let head = 0;
  for (let at = 0; at < code.length; ++at) {
    const letter = code[at];
    if (letter === ';' || letter === '}') head = at + 1;
    if (letter === ':' && /\b(public|private|protected)\s*$/.test(code.slice(head, at))) head = at + 1;
    if (letter !== '{') continue;
    const before = code.slice(head, at);
    const kind = kindOf(before);
    if (kind === 'scope') {
      head = at + 1;
      continue;
    }
    const end = endOfBraces(code, at);
    if (kind === 'function') {
      const begin = head + before.search(/\S/);
      const name = /([\w:~]+|operator\s*\S+)\s*\(/.exec(before.replace(/template\s*<[^{]*?>\s*(?=\w)/, '').replace(/\[\[[^\]]*\]\]/g, ''))?.[1] ?? '?';
      found.push({ name, line: lineAt(code, begin), lines: lineAt(code, end) - lineAt(code, begin) + 1 });
      head = end + 1;
    }
    at = end;
  }
  return found;
}
