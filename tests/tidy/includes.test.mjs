// Allowed includes. A room may include what it links in CMakeLists.txt, directly or through
// another room: those `room(...)` calls are the only table. A header alone does not fail to build
// without its library, so the build does not see every wrong include; these tests do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { circle, linksOf, reach, roomName, roomOf, roomOfFolder, rooms } from './support/build.mjs';
import { includesOf } from './support/includes.mjs';
import { libraryOf } from './support/libraries.mjs';
import { files, folderOf, productCpp, report, textOf } from './support/sources.mjs';

const target = (room) => `verbatim_${room.name}`;
const known = new Set(files);
const arrows = productCpp.flatMap((file) => includesOf(file).map((include) => ({ file, ...include })));

test('CMakeLists.txt is understood: there are rooms, and base/ links none of them', () => {
  assert.ok(rooms.size >= 10, `found ${rooms.size} calls of room(NAME folder... [LINKS library...])`);
  assert.deepEqual([...reach('verbatim_base')].filter((one) => rooms.has(roomName(one))), ['verbatim_base']);
  assert.ok(arrows.length > 1000, `found ${arrows.length} includes`);
});

test('every folder of product code is a room', () => {
  const homeless = [...new Set(productCpp.map(folderOf))].filter((folder) => !roomOfFolder.has(folder));
  assert.deepEqual(
    homeless,
    [],
    report('Folders with C++ code that no room has', homeless, 'Add each to a room(...) call in CMakeLists.txt, or move its code.'),
  );
});

test('every folder of a room has code', () => {
  const filled = new Set(productCpp.map(folderOf));
  const empty = [...roomOfFolder.keys()].filter((folder) => !filled.has(folder));
  assert.deepEqual(empty, [], report('Folders of rooms without C++ code', empty, 'Take them out of CMakeLists.txt.'));
});

test('an include names a file of this source tree by its path from the root', () => {
  const lost = arrows.filter(({ ours, path }) => ours && !known.has(path));
  const places = lost.map(({ file, line, path }) => `${file}:${line}: "${path}"`);
  assert.deepEqual(places, [], report('Includes that name no file', places, 'Write the path from the root, or <angle brackets> for a library.'));
});

test('a file includes only rooms that its own room links', () => {
  const places = [];
  for (const { file, line, path, ours } of arrows) {
    const [from, to] = [roomOf(file), ours ? roomOf(path) : undefined];
    if (!from || !ours || (to && reach(target(from)).has(target(to)))) continue;
    const why = !to
      ? 'which no room has'
      : reach(target(to)).has(target(from))
        ? `which runs back up: room ${to.name} links room ${from.name}`
        : `of room ${to.name}, which room ${from.name} does not link`;
    places.push(`${file}:${line}: "${path}", ${why}`);
  }
  assert.deepEqual(
    places,
    [],
    report('Includes that the rooms do not allow', places, 'Move what is needed into a room below, or pass it in. A new arrow is a LINKS in CMakeLists.txt, if it makes no circle.'),
  );
});

test('rooms do not link in a circle', () => {
  const found = circle(linksOf);
  assert.equal(found, undefined, `A circle in the LINKS of CMakeLists.txt: ${found?.join(' -> ')}. Static libraries would build; take one arrow out.`);
});

test('files do not include each other in a circle', () => {
  const graph = new Map(productCpp.map((file) => [file, includesOf(file).filter(({ ours }) => ours).map(({ path }) => path)]));
  const found = circle(graph);
  assert.equal(found, undefined, `A circle of includes: ${found?.join(' -> ')}. Move what both need into a header of its own.`);
});

test('a room links no room that it does not need', () => {
  const places = [];
  for (const room of rooms.values()) {
    const used = new Set(
      arrows.filter(({ file, ours }) => ours && roomOf(file) === room).map(({ path }) => roomOf(path)).filter(Boolean).map(target),
    );
    for (const link of room.links.filter((one) => rooms.has(roomName(one)))) {
      // Every room may include base/. A link is needed for the headers of that room, or for a room
      // that only it links.
      const brought = new Set(room.links.filter((one) => one !== link).flatMap((one) => [...reach(one)]));
      const needed = link === 'verbatim_base' || [...reach(link)].some((one) => used.has(one) && (one === link || !brought.has(one)));
      if (!needed) places.push(`room ${room.name} links ${link}`);
    }
  }
  assert.deepEqual(places, [], report('Links that no include needs', places, 'Take them out of CMakeLists.txt.'));
});

test('a file includes only libraries that its room links', () => {
  const places = [];
  for (const { file, line, path, ours } of arrows) {
    const library = ours ? undefined : libraryOf(path);
    const room = roomOf(file);
    if (!library || !room || library.targets.some((one) => reach(target(room)).has(one))) continue;
    places.push(`${file}:${line}: <${path}> is of ${library.name}, which room ${room.name} does not link`);
  }
  assert.deepEqual(places, [], report('Includes of libraries', places, 'Use what the rooms below offer, or add the library to LINKS in CMakeLists.txt.'));
});

test('the namespace of a file is that of its room', () => {
  const places = [];
  for (const file of productCpp.filter((one) => !one.endsWith('.cpp.in'))) {
    const folder = roomOf(file)?.folders[0];
    const last = [...textOf(file).matchAll(/^namespace (verbatim[\w:]*) \{/gm)].at(-1)?.[1];
    if (!folder || !last) continue; // a file with `main` alone has none
    const own = folder === 'base' ? 'verbatim' : `verbatim::${folder.split('/').at(-1)}`;
    if (`${last}::`.startsWith(`${own}::`)) continue;
    places.push(`${file}: ${last}, not ${own}`);
  }
  assert.deepEqual(places, [], report('Files in a namespace of another room', places, 'Name the namespace after the folder of the room.'));
});
