// Names in CMake files and in commands that build. CMake itself reports a wrong one late, or only with
// an option that few builds set (VERBATIM_FUZZ, VERBATIM_BENCH).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calls, rooms } from './support/build.mjs';
import { files, folderOf, lineAt, report, textOf } from './support/sources.mjs';

const cmakeFiles = files.filter((file) => /(^|\/)CMakeLists\.txt$|\.cmake$/.test(file));
const all = cmakeFiles.flatMap((file) => calls(file).map((call) => ({ ...call, file })));
const folders = new Set(files.flatMap((file) => file.split('/').map((_, at, parts) => parts.slice(0, at).join('/'))));

/** Names of rooms in `foreach(room ...)`. */
const loops = all.filter(({ command, words }) => command === 'foreach' && words[0] === 'room' && !words.some((one) => one.includes('$')));

/** Targets that are made; `${room}` and `${name}` stand for each value of their loop. */
const made = new Set([...rooms.keys()].map((name) => `verbatim_${name}`));
for (const { command, words, file } of all) {
  if (!/^add_(library|executable|custom_target)$/.test(command)) continue;
  if (words[0].includes('${room}')) {
    for (const loop of loops.filter((one) => one.file === file)) for (const name of loop.words.slice(1)) made.add(words[0].replace('${room}', name));
  } else if (words[0].includes('${name}')) {
    for (const one of files.filter((path) => /^tests\/fuzz\/\w+\.cpp$/.test(path))) made.add(words[0].replace('${name}', /(\w+)\.cpp$/.exec(one)[1]));
  } else made.add(words[0]);
}

test('CMake files name rooms that exist', () => {
  assert.ok(cmakeFiles.length >= 3 && loops.length >= 2, `found ${cmakeFiles.length} CMake files with ${loops.length} loops over rooms`);
  const known = new Set(rooms.keys());
  const places = loops.flatMap(({ file, words }) => words.slice(1).filter((name) => !known.has(name)).map((name) => `${file}: foreach(room ... ${name} ...)`));
  assert.deepEqual(places, [], report('Rooms that do not exist', places, 'Correct the name, or take it out: the rooms are the calls of room() in CMakeLists.txt.'));
});

test('CMake files name targets that are made', () => {
  const places = [];
  for (const { file, command, words } of all) {
    for (const word of words) {
      if (/^verbatim_\w+$/.test(word) && !made.has(word)) places.push(`${file}: ${command}(${words[0]} ... ${word} ...)`);
    }
  }
  assert.deepEqual(places, [], report('Targets that CMake does not make', places, 'Correct the name.'));
});

test('CMake files name files and folders that exist', () => {
  const places = [];
  let named = 0;
  for (const { file, command, words } of all) {
    for (const word of words) {
      const path = word.replace(/^.*\$\{(?:PROJECT_SOURCE_DIR|ROOT)\}\//, '').replace(/\/\*[^/]*$|[.,]+$/g, '');
      if (/[$*<>=:]/.test(path) || !/^[\w.-]+(\/[\w.-]+)+$/.test(path)) continue;
      const from = [path, `${folderOf(file)}/${path}`];
      if (!folders.has(path.split('/')[0]) && !folders.has(from[1].split('/').slice(0, 2).join('/'))) continue;
      named += 1;
      if (!from.some((one) => files.includes(one) || folders.has(one))) places.push(`${file}: ${command}(... ${word} ...)`);
    }
  }
  assert.ok(named > 40, `found ${named} paths`);
  assert.deepEqual(places, [], report('Files that CMake names and that do not exist', places, 'Correct the path.'));
});

test('a folder is part of one room', () => {
  const owners = new Map();
  for (const room of rooms.values()) for (const folder of room.folders) owners.set(folder, [...(owners.get(folder) ?? []), room.name]);
  const places = [...owners].filter(([, names]) => names.length > 1).map(([folder, names]) => `${folder}: ${names.join(', ')}`);
  assert.deepEqual(places, [], report('Folders of several rooms', places, 'Leave each in one room(...) call of CMakeLists.txt.'));
});

test('scripts and pages build targets that are made', () => {
  const places = [];
  let named = 0;
  for (const file of files.filter((one) => /^(scripts|tests\/fuzz|bench|\.ci|\.github)\/|\.md$|\.mjs$|^Dockerfile$/.test(one) && one !== 'CHANGELOG.md')) {
    const text = textOf(file).replace(/\\\n/g, '  ');
    for (const { 1: list, index } of text.matchAll(/cmake --build[^\n|&;`]*? --target ((?:[\w-]+ ?)+)/g)) {
      for (const name of list.trim().split(/\s+/)) {
        if (name.startsWith('-')) break;
        named += 1;
        if (!made.has(name) && !/^(all|install|clean|package)$/.test(name)) places.push(`${file}:${lineAt(text, index)}: ${name}`);
      }
    }
  }
  assert.ok(named > 5, `found ${named} targets`);
  assert.deepEqual(places, [], report('Targets that are built and not made', places, 'Correct the name.'));
});
