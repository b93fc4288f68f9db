// Each dependency has a use that can be shown: libraries, Debian packages, npm packages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calls, linksOf, reach, roomOf } from './support/build.mjs';
import { includesOf } from './support/includes.mjs';
import { libraries, libraryOf } from './support/libraries.mjs';
import { files, folderOf, isCpp, isScript, productCpp, report, textOf } from './support/sources.mjs';

const found = [...calls('CMakeLists.txt'), ...calls('tests/CMakeLists.txt')]
  .filter(({ command }) => /^find_(package|library)$/.test(command))
  .map(({ words: [name] }) => name);
const links = [...calls('CMakeLists.txt'), ...calls('tests/CMakeLists.txt')]
  .filter(({ command }) => command === 'room' || command === 'target_link_libraries')
  .flatMap(({ words }) => words);
const sources = files.filter(isCpp);

test('every library that CMake finds is linked and included', () => {
  assert.ok(found.length >= 10, `found ${found.length} calls of find_package or find_library`);
  const places = [];
  for (const name of found.filter((one) => one !== 'Threads')) {
    const ours = libraries.filter(({ find }) => find === name);
    if (ours.length === 0) places.push(`${name}: stands in no line of tests/tidy/support/libraries.mjs; add one`);
    for (const library of ours) {
      const linked = library.targets.filter((one) => links.includes(one));
      if (linked.length === 0) places.push(`${library.name}: no target links ${library.targets.join(' or ')}`);
      const included = sources.some((file) => includesOf(file).some(({ path, ours: own }) => !own && libraryOf(path) === library));
      if (!included) places.push(`${library.name}: no file includes it`);
    }
  }
  const unknown = libraries.filter(({ find }) => !found.includes(find)).map(({ name }) => `${name}: CMake does not look for it any more`);
  places.push(...unknown);
  assert.deepEqual(places, [], report('Libraries without a use', places, 'Remove the library (CMakeLists.txt, scripts/packages, Dockerfile, THIRD_PARTY.md, tests/tidy/support/libraries.mjs), or use it.'));
});

test('a room that links a library includes it', () => {
  const places = [];
  for (const [target, linked] of linksOf) {
    const mine = productCpp.filter((file) => roomOf(file) && `verbatim_${roomOf(file).name}` === target);
    if (mine.length === 0) continue;
    const used = new Set(mine.flatMap((file) => includesOf(file).filter(({ ours }) => !ours).map(({ path }) => libraryOf(path))));
    for (const library of libraries.filter(({ targets }) => targets.some((one) => linked.includes(one)))) {
      if (!used.has(library)) places.push(`${target} links ${library.name}`);
    }
  }
  assert.deepEqual(places, [], report('Libraries that the room itself does not include', places, 'Link each where it is included, and nowhere above.'));
});

// The use of each Debian package that is not a library: a text that must stand in one of the files.
const tools = {
  'ca-certificates': [/verify|certificate authorit/, 'Dockerfile'],
  git: [/\bgit (ls-files|worktree)/, 'scripts/format', 'scripts/mutants'],
  clang: [/"clang\+\+"/, 'CMakePresets.json'],
  cmake: [/cmake --preset/, 'scripts/test'],
  'ninja-build': [/"Ninja"/, 'CMakePresets.json'],
  ccache: [/"ccache"/, 'CMakePresets.json'],
  esbuild: [/find_program\(ESBUILD esbuild/, 'CMakeLists.txt'],
  mold: [/find_program\(MOLD mold\)/, 'CMakeLists.txt'],
  'libclang-rt-14-dev': [/VERBATIM_SANITIZE/, 'CMakePresets.json'],
  nodejs: [/node --test/, 'scripts/test'],
  npm: [/npm ci/, 'scripts/test'],
  chromium: [/\/usr\/bin\/chromium/, 'tests/browser/'],
  'chromium-headless-shell': [/\/usr\/bin\/chromium-headless-shell/, 'tests/browser/'],
  prometheus: [/'promtool'/, 'tests/deploy/'],
  'clang-format': [/clang-format -i/, 'scripts/format'],
  shellcheck: [/^shellcheck /m, 'scripts/format'],
  'clang-tidy': [/clang-tidy -p build/, 'CONTRIBUTING.md'],
  'nginx-light': [/'nginx'/, 'bench/', 'tests/deploy/'],
  haproxy: [/'haproxy'/, 'bench/', 'tests/deploy/'],
  caddy: [/'caddy'/, 'tests/deploy/'],
  systemd: [/'systemd-analyze'/, 'tests/deploy/'],
  mandoc: [/'mandoc'/, 'tests/deploy/'],
  zsh: [/'zsh'/, 'tests/deploy/'],
  fish: [/'fish'/, 'tests/deploy/'],
  'dpkg-dev': [/dpkg-shlibdeps/, 'scripts/package'],
  'xz-utils': [/\bxz --/, 'scripts/package'],
  sqlite3: [/'sqlite3'/, 'tests/'],
  openssl: [/'openssl'/, 'tests/'],
  e2fsprogs: [/'mkfs\.ext4'/, 'tests/'],
  mount: [/'(mount|losetup)'/, 'tests/'],
  'util-linux': [/'(unshare|prlimit)'/, 'tests/'],
  iproute2: [/\bip link\b/, 'tests/'],
  nftables: [/\bnft\b/, 'tests/'],
  valgrind: [/'valgrind'/, 'tests/'],
  flac: [/'flac'/, 'tests/e2e/'],
  'opus-tools': [/'opusdec'/, 'tests/e2e/'],
  'postgresql-15': [/postgresql\/15\/bin/, 'tests/support/'],
};

/** Package -> where it is asked for. */
function packages() {
  const asked = new Map();
  const note = (name, where) => asked.set(name, where);
  const script = textOf('scripts/packages').replace(/#[^\n]*/g, '');
  for (const [, list] of script.matchAll(/^\w+=\(([^)]+)\)$|\bwanted\+=\(([^)]+)\)/gm)) {
    for (const name of (list ?? '').split(/\s+/)) if (name) note(name, 'scripts/packages');
  }
  for (const [, list] of script.matchAll(/\bwanted\+=\(([^)$]+)\)/g)) {
    for (const name of list.split(/\s+/)) if (name) note(name, 'scripts/packages');
  }
  const image = textOf('Dockerfile').replace(/\\\n/g, ' ');
  for (const [, list] of image.matchAll(/apt-get[^&;|\n]* install([^&;|>\n]*)/g)) {
    for (const name of list.split(/\s+/)) if (name && !name.startsWith('-')) note(name, 'Dockerfile');
  }
  return asked;
}

test('every Debian package that is installed has a use', () => {
  const asked = packages();
  assert.ok(asked.size > 25, `found ${asked.size} packages in scripts/packages and the Dockerfile`);
  const places = [];
  for (const [name, where] of asked) {
    if (libraries.some(({ development, runtime }) => development === name || runtime === name)) continue;
    const [use, ...within] = tools[name] ?? [];
    if (!use) places.push(`${name} (${where}): no use is known; add it to \`tools\` in tests/tidy/dependencies.test.mjs`);
    else if (!files.some((file) => within.some((path) => file.startsWith(path)) && !file.startsWith('tests/tidy/') && use.test(textOf(file)))) {
      places.push(`${name} (${where}): ${use} stands nowhere in ${within.join(', ')}`);
    }
  }
  const gone = Object.keys(tools).filter((name) => !asked.has(name)).map((name) => `${name}: is installed nowhere; take it out of \`tools\``);
  places.push(...gone);
  assert.deepEqual(places, [], report('Packages without a use', places, 'Take the package out of scripts/packages or the Dockerfile, or show its use.'));
});

test('every library of the build is installed: its headers for the build, its shared library in the image', () => {
  const asked = packages();
  const places = [];
  for (const { name, development, runtime } of libraries) {
    if (asked.get(development) !== 'scripts/packages') places.push(`${name}: scripts/packages lacks ${development}`);
    if (runtime && asked.get(runtime) !== 'Dockerfile') places.push(`${name}: the Dockerfile lacks ${runtime}`);
  }
  assert.deepEqual(places, [], report('Libraries that are not installed', places, 'Add the package where it is lacking.'));
});

test('THIRD_PARTY.md names every library of the program, and no other', () => {
  const [table, after] = textOf('THIRD_PARTY.md').split('\n\nTests also use');
  const rows = [...table.matchAll(/^\| ([^|]+?) \|/gm)].map(([, work]) => work).filter((work) => !/^(work|---)/.test(work));
  const inProgram = libraries.filter(({ targets }) => targets.some((one) => reach('verbatim').has(one)));
  assert.ok(inProgram.length >= 10, 'the program links its libraries');
  const places = [
    ...inProgram.filter(({ notice }) => !rows.some((row) => row.startsWith(notice))).map(({ notice }) => `${notice}: has no row`),
    ...rows
      .filter((row) => !row.startsWith('recording') && !inProgram.some(({ notice }) => row.startsWith(notice)))
      .map((row) => `${row}: the program does not link it`),
    ...libraries.filter((one) => !inProgram.includes(one) && !after.includes(one.notice)).map(({ notice }) => `${notice}: is not named below the table`),
  ];
  assert.deepEqual(places, [], report('THIRD_PARTY.md differs from the build', places, 'Correct the table, and the licence text below it.'));
});

// Packages that no file imports: another one needs them beside it.
const peers = {
  'tests/e2e': ['zod'], // of @openai/agents-realtime
  'tests/browser': ['@types/react', 'react', 'react-dom', 'svelte', 'vue'], // of the pages that the bundlers build
  examples: ['ws'], // of openai/realtime/ws
  'tests/deploy': ['@grafana/grafana-foundation-sdk'], // types, for support/dashboard.d.ts
};

test('every npm package that is installed is imported beside its package.json', () => {
  const places = [];
  for (const manifest of files.filter((file) => /(^|\/)package\.json$/.test(file))) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(textOf(manifest));
    const folder = folderOf(manifest);
    const code = files.filter((file) => (isScript(file) || file.endsWith('.ts')) && file.startsWith(`${folder}/`)).map(textOf).join('\n');
    for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
      const used = new RegExp(`(?:\\bfrom |\\bimport\\(|\\bimport |\\bresolve\\(|\\brequire\\()['"]${name}['"/]`).test(code);
      if (!used && !peers[folder]?.includes(name)) places.push(`${manifest}: ${name}`);
    }
  }
  assert.deepEqual(places, [], report('npm packages that no file imports', places, 'npm uninstall each one in its folder.'));
});
