// Reads CMakeLists.txt: the rooms, their folders and their links. There is no second table.
import { folderOf, textOf } from './sources.mjs';

/** Calls of CMake commands: [{command, words}]. Comments are left out, quotes are taken away. */
export function calls(file) {
  const text = textOf(file).replace(/#[^\n]*/g, '');
  return [...text.matchAll(/^\s*(\w+)\(((?:[^()"]|"(?:\\.|[^"\\])*"|\([^()]*\))*)\)/gm)].map(([, command, rest]) => ({
    command,
    words: rest.split(/\s+/).filter(Boolean).map((word) => word.replace(/^"|"$/g, '')),
  }));
}

const all = calls('CMakeLists.txt');

/** Name -> {name, folders, links}; `links` as CMakeLists.txt writes them. */
export const rooms = new Map(
  all
    .filter(({ command }) => command === 'room')
    .map(({ words: [name, ...rest] }) => {
      const at = rest.indexOf('LINKS');
      const end = at < 0 ? rest.length : at;
      return [name, { name, folders: rest.slice(0, end), links: rest.slice(end + 1) }];
    }),
);

/** Target -> what it links, for every target that CMakeLists.txt makes, rooms included. */
export const linksOf = new Map([...rooms.values()].map((room) => [`verbatim_${room.name}`, [...room.links]]));
for (const { command, words } of all) {
  if (command !== 'target_link_libraries' || words[0].includes('${')) continue;
  const links = words.slice(1).filter((word) => !/^(PUBLIC|PRIVATE|INTERFACE)$/.test(word));
  linksOf.set(words[0], [...(linksOf.get(words[0]) ?? []), ...links]);
}

/** All that a target links, directly or through others, itself included. */
export function reach(target, found = new Set()) {
  if (found.has(target)) return found;
  found.add(target);
  for (const link of linksOf.get(target) ?? []) reach(link, found);
  return found;
}

export const roomOfFolder = new Map([...rooms.values()].flatMap((room) => room.folders.map((folder) => [folder, room])));
export const roomOf = (file) => roomOfFolder.get(folderOf(file));
export const roomName = (target) => target.replace(/^verbatim_/, '');

/** A path around a circle in a graph (node -> nodes), or undefined. */
export function circle(graph) {
  const state = new Map();
  const path = [];
  const visit = (node) => {
    if (state.get(node) === 'done') return undefined;
    path.push(node);
    if (state.get(node) === 'open') return path.slice(path.indexOf(node));
    state.set(node, 'open');
    for (const next of graph.get(node) ?? []) {
      const found = visit(next);
      if (found) return found;
    }
    path.pop();
    state.set(node, 'done');
    return undefined;
  };
  for (const node of graph.keys()) {
    const found = visit(node);
    if (found) return found;
  }
  return undefined;
}
