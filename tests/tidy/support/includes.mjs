// Reads the includes of C++ files.
import { lineAt, textOf } from './sources.mjs';

/** [{path, ours, line}]; `ours` for "quotes". */
export function includesOf(file) {
  const text = textOf(file);
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)/gm)].map((match) => ({
    path: match[1] ?? match[2],
    ours: match[1] !== undefined,
    line: lineAt(text, match.index),
  }));
}
