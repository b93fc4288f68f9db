// scripts/package: the packages of the program under test, without installing them. package.mjs installs them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { binary, temporaryDirectory } from '../e2e/support/process.mjs';
import { check, inTree } from './support/programs.mjs';

const scope = { after: (remove) => process.once('exit', remove) };
let out;
let version;

const ran = (command, ...args) => {
  const { status, output } = check(command, ...args);
  assert.equal(status, 0, output);
  return output;
};
const file = (pattern) => join(out, readdirSync(out).find((name) => pattern.test(name)));

before(() => {
  out = temporaryDirectory(scope);
  version = ran(binary, '--version').trim().split(' ').at(-1);
  ran(inTree('scripts/package'), '--program', binary, '--out', out);
});

test('there are two Debian packages, a tarball and an npm package, of the version of the program, with checksums', () => {
  const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8').trim().split('\n').map((line) => line.split('  ')[1]);
  assert.deepEqual(readdirSync(out).sort(), ['SHA256SUMS', ...sums].sort());
  const pattern = version.replaceAll('.', '\\.');
  const expected = [`verbatim-${pattern}-linux-\\w+\\.tar\\.xz`, `verbatim-client-${pattern}\\.tgz`, `verbatim-dbgsym_${pattern}_\\w+\\.deb`, `verbatim_${pattern}_\\w+\\.deb`];
  assert.equal(sums.length, expected.length);
  for (const [n, name] of sums.sort().entries()) assert.match(name, new RegExp(`^${expected[n]}$`));
  ran('sh', '-c', 'cd "$0" && sha256sum --check --strict SHA256SUMS', out);
});

test("the program's package has all its files, its libraries as dependencies, and one configuration file", () => {
  const deb = file(/^verbatim_/);
  const listed = ran('dpkg-deb', '--contents', deb);
  for (const path of [
    'etc/verbatim/verbatim.toml',
    'usr/bin/verbatim',
    'usr/lib/systemd/system/verbatim.service',
    'usr/lib/systemd/system/verbatim.socket',
    'usr/lib/sysusers.d/verbatim.conf',
    'usr/lib/tmpfiles.d/verbatim.conf',
    'usr/share/bash-completion/completions/verbatim',
    'usr/share/doc/verbatim/THIRD_PARTY.md',
    'usr/share/doc/verbatim/copyright',
    'usr/share/doc/verbatim/deploy/grafana/verbatim.json',
    'usr/share/fish/vendor_completions.d/verbatim.fish',
    'usr/share/man/man1/verbatim.1.gz',
    'usr/share/man/man5/verbatim.toml.5.gz',
    'usr/share/zsh/vendor-completions/_verbatim',
  ]) {
    assert.ok(listed.includes(` ./${path}\n`), path);
  }
  assert.doesNotMatch(listed, /^\S+ (?!root\/root)/m, 'all files belong to root');
  for (const library of ['libc6', 'libcurl4', 'libpq5', 'libssl3', 'libsqlite3-0']) {
    assert.match(ran('dpkg-deb', '--field', deb, 'Depends'), new RegExp(`\\b${library}\\b`));
  }
  const control = temporaryDirectory(scope);
  ran('dpkg-deb', '--control', deb, control);
  assert.equal(readFileSync(join(control, 'conffiles'), 'utf8'), '/etc/verbatim/verbatim.toml\n');
});

test('the packaged program runs, has no symbols, and its debug symbols are in their own package', () => {
  const root = temporaryDirectory(scope);
  ran('dpkg-deb', '--extract', file(/^verbatim_/), root);
  const program = join(root, 'usr/bin/verbatim');
  assert.equal(ran(program, '--version').trim(), `verbatim ${version}`);
  assert.doesNotMatch(ran('readelf', '--sections', '--wide', program), /\.(debug_\w+|symtab)\b/);
  const [, start, rest] = /Build ID: (..)(\w+)/.exec(ran('readelf', '--notes', program));
  ran('dpkg-deb', '--extract', file(/^verbatim-dbgsym_/), root);
  assert.match(ran('readelf', '--sections', '--wide', join(root, 'usr/lib/debug/.build-id', start, `${rest}.debug`)), /\.debug_line\b/);
});

test('the tarball and the npm package have what their users need', () => {
  const tarball = ran('tar', '--list', '--file', file(/\.tar\.xz$/));
  for (const path of ['bin/verbatim', 'share/man/man1/verbatim.1.gz', 'share/doc/verbatim/LICENSE', 'share/doc/verbatim/verbatim.toml']) assert.match(tarball, new RegExp(`^verbatim-[^/]+/${path}$`, 'm'));
  const client = ran('tar', '--list', '--file', file(/\.tgz$/));
  for (const path of ['verbatim.js', 'verbatim.d.ts', 'core.js', 'react.js', 'worklets.js', 'LICENSE', 'README.md']) assert.match(client, new RegExp(`^package/${path}$`, 'm'));
});
