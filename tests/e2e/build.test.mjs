// The shipped program: its hardening by compiler and linker, its components, and the known vulnerabilities of
// these.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary, temporaryDirectory } from './support/process.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const released = /build\/release\/verbatim$/.test(binary) ? false : 'only the release build ships';
const run = (command, ...args) =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });

test('the released program is hardened: addresses, tables, stack and checked calls', { skip: released }, () => {
  const elf = run('readelf', '-W', '-h', '-l', '-d', binary);
  assert.match(elf, /Type:\s+DYN/, 'its address is not fixed (PIE)');
  assert.match(elf, /FLAGS_1\).*\bPIE\b/, 'it is a program, not a library');
  assert.match(elf, /GNU_RELRO/, 'the part that the loader fills in is read-only afterwards');
  assert.match(elf, /FLAGS\).*BIND_NOW|BIND_NOW|FLAGS_1\).*\bNOW\b/, 'all of it, before anything runs');
  assert.match(elf, /GNU_STACK\s+(?:0x\w+\s+){5}RW\s/, 'nothing on the stack can run');
  assert.doesNotMatch(elf, /\bRWE\b|RUNPATH|RPATH|TEXTREL/, 'no segment is both written and run, none is found by a path of the build');
  const imported = run('readelf', '-W', '--dyn-syms', binary);
  assert.match(imported, /__stack_chk_fail/, 'stack protector');
  assert.match(imported, /__\w+_chk@GLIBC/, 'FORTIFY_SOURCE');
  assert.match(imported, /__glibcxx_assert_fail/, 'GLIBCXX_ASSERTIONS');
});

test('its functions begin where an indirect branch may land', { skip: released || process.arch !== 'x64' }, () => {
  // Only the relay's own functions that other files call; the distribution builds its libraries.
  const symbols = run('readelf', '-W', '-s', '-C', binary).split('\n');
  const own = symbols.filter((line) => / FUNC .*\d verbatim::[\w:]+\(/.test(line) && !/anonymous|lambda|\$_/.test(line));
  const addresses = own.map((line) => line.trim().split(/\s+/)[1].replace(/^0+/, ''));
  assert.ok(addresses.length > 1000, `${addresses.length} functions`);
  const code = run('objdump', '-d', '--no-show-raw-insn', '-j', '.text', binary);
  const marked = new Set(Array.from(code.matchAll(/^\s*([0-9a-f]+):\s+endbr64/gm), ([, address]) => address));
  // A class within a function is called only by name and needs no check.
  const bare = own.filter((_, i) => !marked.has(addresses[i]));
  assert.ok(bare.length * 100 < own.length, bare.join('\n'));
});

test('its bill of materials names everything linked, loaded and compiled in, with source and version', { skip: released }, () => {
  const sbom = JSON.parse(run(join(root, 'scripts/sbom.mjs'), '--build', dirname(binary)));
  assert.deepEqual([sbom.bomFormat, sbom.specVersion], ['CycloneDX', '1.5']);
  assert.equal(sbom.metadata.component.hashes[0].content.length, 64);
  const uses = Object.fromEntries(sbom.components.map((one) => [one.name, one.properties.find((p) => p.name === 'verbatim:use').value]));
  assert.equal(uses.libssl3, 'dynamic');
  assert.equal(uses['libsqlite3-0'], 'dynamic');
  assert.equal(uses['libsqlitecpp-dev'], 'static');
  assert.equal(uses['libboost1.81-dev'], 'headers');
  assert.ok(uses.zlib1g, 'libraries that its libraries load are named too');
  // One question for all: each call of dpkg-query reads the list of all installed files.
  const names = sbom.components.map((one) => one.name);
  const versions = new Map(
    run('dpkg-query', '-W', '-f', '${binary:Package} ${Version}\n', ...names)
      .trim().split('\n').map((line) => line.split(/(?::\w+)? /)));
  for (const one of sbom.components) {
    assert.match(one.purl, /^pkg:deb\/debian\/[^@]+@[^?]+\?arch=\w+&distro=debian-\d+$/);
    assert.equal(one.version, versions.get(one.name), one.name);
  }
  // Everything that the loader brings in is listed.
  const loaded = Array.from(run('ldd', binary).matchAll(/=> (\S+)/g), ([, path]) => realpathSync(path));
  assert.ok(loaded.length > 20);
  const { stdout } = spawnSync('dpkg-query', ['-S', ...loaded, ...loaded.map((path) => path.replace(/^\/usr/, ''))], { encoding: 'utf8' });
  const owners = new Map(
    stdout.trim().split('\n').map((line) => /^([^:]+).*: (\S+)$/.exec(line)).filter(Boolean)
      .map(([, owner, path]) => [path.replace(/^\/lib/, '/usr/lib'), owner]));
  for (const path of loaded) assert.ok(uses[owners.get(path)], `${path} of ${owners.get(path)}`);
});

const component = (name, version, source = name) => ({
  type: 'library', name, version,
  properties: [{ name: 'debian:source', value: source }, { name: 'debian:source-version', value: version }],
});
const of = (status, more = {}) => ({ releases: { bookworm: { status, urgency: 'not yet assigned', ...more } } });

function vulnerabilities(t, components, tracker, ...args) {
  const folder = temporaryDirectory(t);
  const [sbom, file] = [join(folder, 'sbom.json'), join(folder, 'tracker.json')];
  writeFileSync(sbom, JSON.stringify({ bomFormat: 'CycloneDX', components }));
  writeFileSync(file, typeof tracker === 'string' ? tracker : JSON.stringify(tracker));
  return spawnSync(join(root, 'scripts/vulnerabilities.mjs'), [sbom, file, ...args], { encoding: 'utf8' });
}

test('known vulnerabilities that concern the program are listed, and no others', (t) => {
  const tracker = {
    openssl: {
      'CVE-2030-0001': of('resolved', { fixed_version: '3.0.20-1~deb12u1' }),
      'CVE-2030-0002': of('resolved', { fixed_version: '3.0.18-1' }),
      'CVE-2030-0003': of('resolved', { fixed_version: '0' }),
      'CVE-2030-0004': { releases: { trixie: { status: 'open' } } },
      'CVE-2030-0005': of('open', { urgency: 'unimportant' }),
    },
    zlib: { 'CVE-2030-0006': of('open') },
    'boost1.81': { 'CVE-2030-0007': of('undetermined') },
    // Tildes sort before what they follow, epochs before all: only dpkg compares this correctly.
    sqlite3: { 'CVE-2030-0008': of('resolved', { fixed_version: '3.40.1-2' }), 'CVE-2030-0009': of('resolved', { fixed_version: '1:1.0-1' }) },
    nginx: { 'CVE-2030-0010': of('open') },
  };
  const made = [
    component('libssl3', '3.0.19-1~deb12u2', 'openssl'), component('libssl-dev', '3.0.19-1~deb12u2', 'openssl'),
    component('zlib1g', '1:1.2.13.dfsg-1', 'zlib'), component('libboost1.81-dev', '1.81.0-5', 'boost1.81'),
    component('libsqlite3-0', '3.40.1-2~deb12u1', 'sqlite3'),
  ];
  const { status, stdout } = vulnerabilities(t, made, tracker);
  assert.equal(status, 1);
  assert.deepEqual(stdout.match(/^CVE-\S+/gm), [1, 6, 7, 8, 9].map((n) => `CVE-2030-000${n}`));
  assert.match(stdout, /CVE-2030-0001 {2}openssl 3\.0\.19-1~deb12u2 .*fixed in 3\.0\.20-1~deb12u1/);
  assert.match(stdout, /CVE-2030-0006 .*not fixed/);
  assert.match(stdout, /5 vulnerabilities concern the program; 1 more are unimportant; 4 source packages/);
});

test('a program that nothing concerns passes, and a file that cannot be used is not taken for that', (t) => {
  const fine = { openssl: { 'CVE-2030-0002': of('resolved', { fixed_version: '3.0.18-1' }) } };
  const made = [component('libssl3', '3.0.19-1', 'openssl')];
  assert.equal(vulnerabilities(t, made, fine).status, 0);
  for (const [tracker, args, said] of [
    ['{"openssl": ', [], /cannot be read/],
    ['[]', [], /is not a file of Debian's/],
    [fine, ['--release', 'bookwurm'], /has no entry for the release bookwurm/],
    [{}, [], /has no entry for the release/],
  ]) {
    const { status, stderr } = vulnerabilities(t, made, tracker, ...args);
    assert.equal(status, 2);
    assert.match(stderr, said);
  }
});
