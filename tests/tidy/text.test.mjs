// Prose: comments, messages and pages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomOfFolder } from './support/build.mjs';
import { files, folderOf, isCpp, isScript, lineAt, lineCount, report, textOf, wordingOf } from './support/sources.mjs';

const pages = files.filter((file) => file.endsWith('.md'));
const own = (file) => file.startsWith('tests/tidy/');
const isText = (file) => /\.(md|toml|json|html|css|ts|sh|yml|txt|cmake|in)$/.test(file) || /^(scripts\/|Dockerfile|tests\/fuzz\/run)/.test(file);
const readable = files.filter((file) => (isCpp(file) || isScript(file) || isText(file)) && !own(file) && !/package-lock\.json$|^tests\/(recordings|fuzz\/regressions)\//.test(file));

/** Every match of `wrong` in the prose of a file: in C++ not in the code. */
function* found(file, wrong) {
  if (isCpp(file)) {
    for (const { text, line } of wordingOf(file)) for (const { index } of text.matchAll(wrong)) yield line + lineAt(text, index) - 1;
  } else {
    const text = textOf(file);
    for (const { index } of text.matchAll(wrong)) yield lineAt(text, index);
  }
}

function places(wrong, among = readable) {
  return among.flatMap((file) => [...found(file, wrong)].map((line) => `${file}:${line}: ${textOf(file).split('\n')[line - 1].trim().slice(0, 100)}`));
}

test('nothing is left to be done: no TODO, FIXME or XXX', () => {
  // XXXXXX is mkstemp's pattern, \uXXXX an escape in JSON.
  const left = places(/\b(?:TODO|FIXME|(?<!\\u)XXX)\b/g);
  assert.deepEqual(left, [], report('Marks of unfinished work', left, 'Do it, or take it out.'));
});

test('"cannot" is one word', () => {
  // Across a line break it is two words as well. CHANGELOG.md keeps what was written.
  const wrong = places(/\bcan(?: |\s*\n\s*(?:\/\/+<?|#|\*)?\s*)not\b(?! only)/gi, readable.filter((file) => file !== 'CHANGELOG.md'));
  assert.deepEqual(wrong, [], report('"can not"', wrong, 'Write "cannot".'));
});

/** Anchors as GitHub makes them from headings. */
function anchorsOf(page) {
  const anchors = new Set();
  for (const [, heading] of withoutCode(textOf(page)).matchAll(/^#{1,6} +(.+?)\s*$/gm)) {
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '').toLowerCase();
    const base = words.replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-');
    let anchor = base;
    for (let n = 1; anchors.has(anchor); ++n) anchor = `${base}-${n}`;
    anchors.add(anchor);
  }
  for (const [, id] of textOf(page).matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** Fenced blocks are blank: what stands there is no heading and no link. */
const withoutCode = (text) => text.replace(/^```[^\n]*\n[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ' '));

/** Links and images to this source tree: [{target, page, line}]. */
function linksOf(page) {
  const text = withoutCode(textOf(page)).replace(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));
  const matches = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]: +(\S+)|<(?:img|a)[^>]+(?:src|href)="([^"]+)"/gm)];
  return matches
    .map((match) => ({ target: match[1] ?? match[2] ?? match[3], page, line: lineAt(text, match.index) }))
    .filter(({ target }) => !/^[a-z]+:/i.test(target));
}

test('every link of a page leads to a file and a heading that exist', () => {
  const known = new Set([...files, ...files.map(folderOf)]);
  const all = pages.flatMap(linksOf);
  assert.ok(all.length > 50, `found ${all.length} links`);
  const lost = [];
  for (const { target, page, line } of all) {
    const [path, anchor] = decodeURIComponent(target).split('#');
    const file = path ? new URL(path, `file:///${page}`).pathname.slice(1).replace(/\/$/, '') : page;
    if (!known.has(file)) lost.push(`${page}:${line}: ${target}: there is no ${file}`);
    else if (anchor && file.endsWith('.md') && !anchorsOf(file).has(anchor)) lost.push(`${page}:${line}: ${target}: ${file} has no heading #${anchor}`);
  }
  assert.deepEqual(lost, [], report('Links that lead nowhere', lost, 'Correct the path or the anchor.'));
});

test('pages that code and messages name exist', () => {
  const known = new Set(files);
  const lost = [];
  for (const file of readable.filter((one) => one !== 'CHANGELOG.md' && !/^tests\/(recordings|mutants)\//.test(one))) {
    for (const match of textOf(file).matchAll(/(?<![\w/.-])((?:docs|storage|config|scripts|tests)\/[\w/.-]+\.(?:md|toml|mjs))\b/g)) {
      if (!known.has(match[1])) lost.push(`${file}:${lineAt(textOf(file), match.index)}: ${match[1]}`);
    }
  }
  assert.deepEqual(lost, [], report('Names of files that do not exist', lost, 'Correct the name.'));
});

test('code that a page names by its path exists', () => {
  const folders = new Set();
  for (const file of files) for (let folder = folderOf(file); folder; folder = folderOf(folder)) folders.add(folder);
  const stems = new Set(files.map((file) => file.replace(/\.[^./]+$/, '')));
  const lost = [];
  let named = 0;
  for (const page of pages.filter((one) => one !== 'CHANGELOG.md')) {
    const text = withoutCode(textOf(page));
    for (const match of text.matchAll(/`((?:base|config|server|session|storage|simulator|web)\/[\w./]+)`/g)) {
      const path = match[1].replace(/[/.]+$/, '');
      named += 1;
      if (!files.includes(path) && !stems.has(path) && !folders.has(path)) lost.push(`${page}:${lineAt(text, match.index)}: ${match[1]}`);
    }
  }
  assert.ok(named > 50, `found ${named} paths`);
  assert.deepEqual(lost, [], report('Paths that pages name and that do not exist', lost, 'Correct the path.'));
});

test('tests that a page names in italics exist', () => {
  const page = 'docs/transcript-rules.md';
  const cases = /\b(?:TEST_CASE|SECTION)\(\s*((?:"(?:\\.|[^"\\])*"\s*)+)/g;
  const names = files.filter((file) => file.startsWith('tests/session/') && isCpp(file)).flatMap((file) =>
    [...textOf(file).matchAll(cases)].map(([, literals]) => [...literals.matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, part]) => part).join('')),
  );
  const named = [...withoutCode(textOf(page)).matchAll(/(?<!\*)\*([^*]+)\*(?!\*)/g)].map(([, name]) => name.replace(/\s+/g, ' ')).filter((name) => name.length > 20);
  assert.ok(named.length > 100, `found ${named.length} names on ${page}`);
  const lost = named.filter((name) => !names.some((one) => (name.startsWith('... ') ? one.endsWith(name.slice(4)) : one === name)));
  assert.deepEqual(lost, [], report(`Tests that ${page} names and that do not exist`, lost, 'Correct the name.'));
});

const pageLinesMax = 60;

/**
 * Every folder of a room(...) call whose parent is not of the same room, and the browser's part.
 * All of web/console is served, so its page is in the folder above.
 */
const rooms = [
  ...new Set([...roomOfFolder.keys(), 'web']),
].filter((folder) => ![...roomOfFolder.keys()].some((other) => folder !== other && folder.startsWith(`${other}/`) && roomOfFolder.get(other) === roomOfFolder.get(folder)));

test(`every room has a README.md of at most ${pageLinesMax} lines`, () => {
  const wrong = [];
  for (const folder of rooms) {
    const page = `${folder}/README.md`;
    // A room inside another one's folder may stand on that page: requests/ of server/api.
    const [, above, name] = /^(.*)\/([^/]+)$/.exec(folder) ?? [];
    const onPageAbove = files.includes(`${above}/README.md`) && textOf(`${above}/README.md`).includes(`\`${name}\``);
    if (!files.includes(page)) {
      if (!onPageAbove) wrong.push(`${page}: is missing, and the page above does not name it in backticks`);
    } else if (lineCount(page) > pageLinesMax) wrong.push(`${page}: has ${lineCount(page)} lines`);
  }
  assert.deepEqual(wrong, [], report('Pages of rooms', wrong, 'One screen: purpose, what it may include, where to look for what, what to read first. See base/README.md.'));
});

test("a room's README.md names only files and folders that it has", () => {
  const known = new Set(files.flatMap((file) => [file, file.replace(/\.[^./]+$/, ''), folderOf(file)]));
  const lost = [];
  let named = 0;
  for (const folder of rooms.filter((one) => files.includes(`${one}/README.md`))) {
    const page = `${folder}/README.md`;
    // The second column of "Where to look" has the names.
    for (const match of textOf(page).matchAll(/^\|[^|]*\|([^|]*)\|$/gm)) {
      for (const [, name] of match[1].matchAll(/`(\w[\w./]*)`/g)) {
        named += 1;
        if (!known.has(`${folder}/${name}`.replace(/\/$/, ''))) lost.push(`${page}:${lineAt(textOf(page), match.index)}: ${name}`);
      }
    }
  }
  assert.ok(named > 150, `found ${named} names`);
  assert.deepEqual(lost, [], report('Names on pages of rooms that do not exist', lost, 'Correct the name.'));
});
