// The prose of this source tree: pages, comments, and the texts that a program prints. Separates
// sentences from code, links, tables and lists, so that the tests of prose need no exceptions.
import { isCpp, isScript, literal, textOf } from './sources.mjs';

/** A unit is one paragraph, list item, heading, cell, comment or message: {text, line, kind}. */
const unit = (kind, text, line) => ({ kind, text, line });

/** Stands for code, a link or a value within a sentence: one word. */
const word = 'Code';
const lines = (text) => text.replace(/[^\n]/g, '');

/** Index -> line of a text, for indexes that grow: each letter is looked at once. */
function counter(text) {
  let at = 0;
  let line = 1;
  return (index) => {
    for (; at < index; ++at) if (text[at] === '\n') line += 1;
    return line;
  };
}

/** Code in backticks, links, addresses and tags become one word each; the count of lines stays. */
function plain(text) {
  return text
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, (_, words) => words)
    .replace(/\[([^\]]*)\]\([^)]*\)/g, (_, words) => words)
    .replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, (code) => word + lines(code))
    .replace(/\$\{[^}]*\}/g, word)
    .replace(/<\/?[a-z][^<>\n]*>/gi, ' ')
    .replace(/\b[a-z][a-z+.-]*:\/\/[^\s)]+/gi, word)
    .replace(/(?<!\*)\*([^*\s][^*]{20,})\*(?!\*)/g, (name) => word + lines(name)) // a test's name in italics
    .replace(/\*\*|(?<![\w*])\*(?=[\w"])|(?<=[\w".])\*(?![\w*])/g, '');
}

/** Paragraphs and list items of a text whose lines have no comment marks. */
function* blocks(text, line, kind) {
  let held = [];
  let from = line;
  const flush = function* () {
    if (held.some((one) => /\w/.test(one))) yield unit(kind, held.join('\n'), from);
    held = [];
  };
  let at = line - 1;
  for (const one of text.split('\n')) {
    at += 1;
    const item = /^\s*(?:[-*+]|\d+[.)])\s+(.*)$/.exec(one);
    const indented = held.length === 0 && /^ {4,}\S/.test(one);
    // Columns: a row of a table in a comment; deeper lines below it go on with its last cell.
    const row = /^(\s*\S.*?\S|\s*\S) {2,}(\S.*)$/.exec(one);
    if (!one.trim() || item || indented || (row && !/[.!?:]$/.test(row[1]))) {
      yield* flush();
      if (item || row) {
        from = at;
        held = [item ? item[1] : row[2]];
      }
      continue;
    }
    if (held.length === 0) from = at;
    held.push(one);
  }
  yield* flush();
}

function* pageUnits(page) {
  const text = page
    .replace(/^---\n[\s\S]*?\n---\n/, lines)
    .replace(/<!--[\s\S]*?-->/g, lines)
    .replace(/^( *)(```|~~~)[^\n]*\n[\s\S]*?^\1\2/gm, lines);
  const kept = [];
  for (const [index, one] of text.split('\n').entries()) {
    const heading = /^#{1,6}\s+(.*)$/.exec(one);
    const row = /^\s*\|(.*)\|\s*$/.exec(one);
    if (heading) yield unit('heading', plain(heading[1]), index + 1);
    else if (row) {
      for (const cell of plain(row[1]).split(/(?<!\\)\|/)) if (/\w/.test(cell)) yield unit('cell', cell.trim(), index + 1);
    }
    kept.push(heading || row ? '' : one.replace(/^>\s?/, ''));
  }
  for (const one of blocks(kept.join('\n'), 1, 'paragraph')) yield { ...one, text: plain(one.text) };
}

/** Comments with a mark at the beginning of each line. */
const commentText = (text) =>
  text
    .replace(/^\/\*+|\*\/$/g, '')
    .split('\n')
    .map((one) => one.replace(/^\s*(?:\/{2,}!?<?|\*|#+)?/, '').replace(/^ /, ''))
    .join('\n');

function* commentUnits(text, line) {
  for (const one of blocks(commentText(text), line, 'comment')) yield { ...one, text: plain(one.text) };
}

const keyword = /\b(return|typeof|case|in|of|delete|void|throw|new|await|yield|else|do)\s*$/;

/** The end of the string in these quotes that begins at `from`. */
const endOfString = (text, from) => from + /^(['"])(?:\\[\s\S]|(?!\1)[^\\\n])*\1?/.exec(text.slice(from, from + 5000))[0].length;

function endOfTemplate(text, from) {
  let at = from + 1;
  while (at < text.length && text[at] !== '`') {
    if (text[at] === '\\') at += 2;
    else if (text.startsWith('${', at)) at = endOfBraces(text, at + 1);
    else at += 1;
  }
  return at + 1;
}

function endOfBraces(text, from) {
  let depth = 0;
  for (let at = from; at < text.length; ) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}' && --depth === 0) return at + 1;
    at = tokenAt(text, at).end;
  }
  return text.length;
}

/** The token at this place of a script: {kind: 'comment' | 'string' | 'regex' | 'code', end}. */
function tokenAt(text, at) {
  if (text.startsWith('//', at)) return { kind: 'comment', end: (text.indexOf('\n', at) + 1 || text.length + 1) - 1 };
  if (text.startsWith('/*', at)) return { kind: 'comment', end: text.indexOf('*/', at) + 2 };
  if (text[at] === '`') return { kind: 'string', end: endOfTemplate(text, at) };
  if (text[at] === "'" || text[at] === '"') return { kind: 'string', end: endOfString(text, at) };
  if (text[at] === '/') {
    // A division has a value before it.
    const before = text.slice(Math.max(0, at - 40), at).trimEnd();
    const found = /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/.exec(text.slice(at, at + 2000));
    if (found && (before === '' || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before) || keyword.test(before))) return { kind: 'regex', end: at + found[0].length };
  }
  return { kind: 'code', end: at + 1 };
}

/** Comments and strings of a script: [{kind, text, index}]; code between them is one piece. */
function scriptPieces(text) {
  const pieces = [];
  let code = 0;
  for (let at = /^#!.*/.exec(text)?.[0].length ?? 0; at < text.length; ) {
    const { kind, end } = tokenAt(text, at);
    if (kind !== 'code') {
      if (code < at) pieces.push({ kind: 'code', text: text.slice(code, at), index: code });
      pieces.push({ kind, text: text.slice(at, end), index: at });
      code = end;
    }
    at = end;
  }
  if (code < text.length) pieces.push({ kind: 'code', text: text.slice(code), index: code });
  return pieces;
}

function cppPieces(text) {
  const pieces = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(literal)) {
    if (end < index) pieces.push({ kind: 'code', text: text.slice(end, index), index: end });
    end = index + found.length;
    if (found.startsWith('//')) {
      for (const line of found.matchAll(/\/\/[^\n]*|\n[ \t]*/g)) {
        pieces.push({ kind: line[0].startsWith('/') ? 'comment' : 'code', text: line[0], index: index + line.index });
      }
      continue;
    }
    pieces.push({ kind: found.startsWith('/') ? 'comment' : found.startsWith("'") ? 'character' : 'string', text: found, index });
  }
  pieces.push({ kind: 'code', text: text.slice(end), index: end });
  return pieces;
}

function unquote(text) {
  const raw = /^R"([^(\s"]*)\(([\s\S]*)\)\1"$/.exec(text);
  if (raw) return raw[2];
  const inner = text.slice(1, text.endsWith(text[0]) && text.length > 1 ? -1 : undefined);
  const values = text[0] === '`' ? withoutValues(inner) : inner;
  return values.replace(/\\n/g, ' ').replace(/\\\n/g, ' ').replace(/\\(.)/g, '$1');
}

/** A template's text with one word for each ${...}. */
function withoutValues(text) {
  let rest = '';
  let depth = 0;
  for (let i = 0; i < text.length; ++i) {
    if (depth === 0 && text.startsWith('${', i)) {
      depth = 1;
      i += 1;
      rest += word;
    } else if (depth > 0) {
      if (text[i] === '{') depth += 1;
      if (text[i] === '}') depth -= 1;
    } else rest += text[i];
  }
  return rest;
}

/** False for a literal of another kind: SQL, JSON, code, a path, markup, a header, a list of words. */
function isProse(text) {
  const words = text.trim().split(/\s+/);
  return (
    words.length >= 3 &&
    !/[{}\\]|\$[\w@]|&&|\|\||=>|::|->|==|<\w+|;\s*$|\w\(\w*\)|\w=["\w]|[\w"]:["[{\d]/.test(text) &&
    !/^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|WITH|PRAGMA|DROP|ALTER|BEGIN|REPLACE|FROM|WHERE|AND|OR|ON|UNION|VALUES|ORDER|LEFT|JOIN|SET|GET|POST|PUT|PATCH|HTTP)\b(?![a-z])/.test(text) &&
    words.filter((one) => /^["'(]*[a-zA-Z][a-z'-]*[.,:;?!)"']*$/.test(one)).length >= words.length * 0.6
  );
}

/** Between two literals that make one text: nothing, or a value that is joined to both. */
const joint = /^\s*(?:\+|<<|,)?\s*$|^\s*(?:\+|<<)\s*[\w:.()>\-*[\]& ]+(?:\([^;"{}]*\))?\s*(?:\+|<<)\s*$/;

function* sourceUnits(pieces, text) {
  let held;
  const lineOf = counter(text);
  const flush = function* () {
    if (held && held.kind === 'comment') yield* commentUnits(held.text, held.line);
    // Each line of a text of several lines is apart: such a text is a file or a list.
    if (held?.kind === 'string') {
      for (const [at, one] of held.text.split('\n').entries()) if (isProse(one)) yield unit('message', plain(one), held.line + at);
    }
    held = undefined;
  };
  for (const [index, piece] of pieces.entries()) {
    const line = lineOf(piece.index);
    const column = piece.index - text.lastIndexOf('\n', piece.index);
    if (piece.kind === 'comment') {
      // Lines of a comment stand below each other; one behind code does not go on in the next line.
      if (held?.kind === 'comment' && held.joins && held.column === column) held.text += held.joins + piece.text;
      else {
        yield* flush();
        held = { kind: 'comment', text: piece.text, line, column };
      }
      held.joins = undefined;
    } else if (piece.kind === 'string') {
      if (held?.kind === 'string' && held.joins !== undefined) held.text += held.joins + unquote(piece.text);
      else {
        yield* flush();
        held = { kind: 'string', text: unquote(piece.text), line };
      }
      held.joins = undefined;
    } else if (piece.kind === 'code' && held) {
      if (held.kind === 'comment' && /^\n[ \t]*$/.test(piece.text) && held.text.startsWith('//')) held.joins = '\n';
      else if (held.kind === 'string' && joint.test(piece.text) && !/,/.test(piece.text) && pieces[index + 1]?.kind === 'string') {
        held.joins = /[+<]\s*\S/.test(piece.text) ? word : '';
      } else yield* flush();
    } else yield* flush();
  }
  yield* flush();
}

/** Lines that begin with #. */
function* hashUnits(text) {
  let held;
  const flush = function* () {
    if (held) for (const one of blocks(held.text.join('\n'), held.line, 'comment')) yield { ...one, text: plain(one.text) };
    held = undefined;
  };
  for (const [index, one] of text.split('\n').entries()) {
    const comment = /^\s*#(?!!)(?!\s*[\w.]+ = )(?!\s*Accepts:)\s?(.*)$/.exec(one) ?? /\s#\s+([A-Za-z][^"'`]*)$/.exec(one);
    const whole = /^\s*#/.test(one);
    if (!comment || !whole) yield* flush();
    if (!comment) continue;
    if (whole) (held ??= { text: [], line: index + 1 }).text.push(comment[1]);
    else yield unit('comment', plain(comment[1]), index + 1);
  }
  yield* flush();
}

/** Summaries and descriptions of a YAML file, on their line or in a block below it. */
function* yamlUnits(text) {
  const lineOf = counter(text);
  for (const match of text.matchAll(/^( *)(?:- )?(?:summary|description|message): (?:[>|][+-]?((?:\n\1 +.*|\n *$)+)|(.+))$/gm)) {
    const value = match[2] ?? match[3];
    yield unit('text', plain(value.replace(/\{\{[^}]*\}\}/g, word).replace(/^["']|["']$/g, '')).trim(), lineOf(match.index));
  }
}

/** Descriptions, summaries and titles of a JSON file. */
function* jsonUnits(text) {
  const lineOf = counter(text);
  for (const match of text.matchAll(/"(description|summary|title|help|text|content|annotation)": ("(?:\\.|[^"\\])*")/g)) {
    const line = lineOf(match.index);
    for (const one of blocks(JSON.parse(match[2]), line, 'text')) yield { ...one, text: plain(one.text), line };
  }
}

/** Text between tags, and comments. */
function* htmlUnits(page) {
  const text = page.replace(/<(script|style)[\s\S]*?<\/\1>/g, lines);
  const lineOf = counter(text);
  for (const match of text.matchAll(/<!--([\s\S]*?)-->|(?:title|placeholder|aria-label|content|alt)="([^"]+)"|>([^<>]*[a-z][^<>]*)</g)) {
    yield unit('text', match[1] ?? match[2] ?? match[3], lineOf(match.index));
  }
}

/** A mutant's first lines: what it breaks. */
function* patchUnits(text) {
  yield unit('comment', text.split('\nCaught-by:')[0], 1);
}

/** The units of a file; its text is given apart, for tests of this file. */
export function unitsOf(file, text) {
  if (file.endsWith('.md')) return [...pageUnits(text)].sort((one, other) => one.line - other.line);
  if (isCpp(file)) return [...sourceUnits(cppPieces(text), text)];
  if (isScript(file) || file.endsWith('.ts')) return [...sourceUnits(scriptPieces(text), text)];
  if (file.endsWith('.css')) return [...sourceUnits(cppPieces(text), text)].filter(({ kind }) => kind === 'comment');
  if (file.endsWith('.json')) return [...jsonUnits(text)];
  if (/\.ya?ml$/.test(file)) return [...hashUnits(text), ...yamlUnits(text)];
  if (file.endsWith('.html')) return [...htmlUnits(text)];
  if (file.endsWith('.patch')) return [...patchUnits(text)];
  return [...hashUnits(text)];
}

export const proseOf = (file) => unitsOf(file, textOf(file));

const abbreviations = /(?:^|[\s("])(?:e\.g|i\.e|etc|vs|cf|approx|incl|resp|ca|St|Dr|Mr|Ms|No|Fig|[A-Z])\.$/;

/** Sentences of a unit: [{text, line}]. */
export function* sentencesOf({ text, line, kind }) {
  let from = 0;
  const lineOf = counter(text);
  const cut = (end) => {
    const one = { text: text.slice(from, end).trim(), kind, line: line + lineOf(from + text.slice(from).search(/\S|$/)) - 1 };
    from = end;
    return one;
  };
  for (const match of text.matchAll(/[.!?:]["')\]*_]*(?=\s|$)/g)) {
    const end = match.index + match[0].length;
    if (match[0].startsWith('.') && abbreviations.test(text.slice(from, match.index + 1))) continue;
    // A colon ends a sentence only where a list or a block follows.
    if (match[0].startsWith(':') && /\S/.test(text.slice(end))) continue;
    if (text.slice(Math.max(0, match.index - 2), match.index) === '..' && /^\s+[a-z]/.test(text.slice(end))) continue;
    yield cut(end);
  }
  if (/\w/.test(text.slice(from))) yield cut(text.length);
}

/** Words: what has a letter or a digit. Code, a link and a number are one word each. */
export const wordsOf = (text) => text.split(/[\s]+|(?<=\w)[/](?=[a-z]+\b)/).filter((one) => /[\p{L}\p{N}]/u.test(one));
