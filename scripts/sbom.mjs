#!/usr/bin/env node
// Writes a software bill of materials of the program (CycloneDX 1.5, JSON). It lists every Debian
// package whose shared library the program loads, whose archive is linked into it, or whose headers are
// compiled into it. It is read from the build itself, so it lists only what is really used.
//
//   scripts/sbom.mjs [--build build/release] [--program verbatim] [--shipped FILE] >verbatim.cdx.json
//
// `--shipped` names the program as it is shipped, without debug symbols, if that is another file. Its hash is listed.
// Needs the build folder (where Ninja records the headers that were read) and the system of the build.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { build: { type: 'string', default: 'build/release' }, program: { type: 'string', default: 'verbatim' }, shipped: { type: 'string' } },
});
const build = resolve(values.build);
const program = join(build, values.program);

const output = (command, ...args) =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024, stdio: ['ignore', 'pipe', 'pipe'] });

const lines = (text) => text.split('\n').filter(Boolean);

/** Packages with only constants and macros (of the kernel's interface): none of their code is in the program. */
const notInside = new Set(['linux-libc-dev']);

/** How the program uses each file from outside of the project: path -> 'dynamic' | 'static' | 'headers'. */
function filesInside() {
  const uses = new Map();
  const inputs = lines(output('ninja', '-C', build, '-t', 'inputs', values.program));
  for (const input of inputs) if (/^\/.*\.a$/.test(input)) uses.set(input, 'static');
  const objects = inputs.filter((input) => input.endsWith('.o'));
  for (const line of lines(output('ninja', '-C', build, '-t', 'deps', ...objects))) {
    const path = /^ {4}(\/.+)$/.exec(line)?.[1];
    if (path?.startsWith('/usr/')) uses.set(path, 'headers');
  }
  for (const line of lines(output('ldd', program))) {
    const path = /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1];
    if (path) uses.set(realpathSync(path), 'dynamic');
  }
  return uses;
}

/** The package of each file. The caller reports files that belong to no package. */
function packagesOf(paths) {
  const owners = new Map();
  // A package may list /lib/… for a file in /usr/lib/….
  const asked = paths.flatMap((path) => [path, path.replace(/^\/usr\/lib/, '/lib')]);
  for (let at = 0; at < asked.length; at += 500) {
    let found;
    try {
      found = output('dpkg-query', '-S', ...asked.slice(at, at + 500));
    } catch (error) {
      found = error.stdout ?? ''; // it fails if some files are unknown, and still prints the others
    }
    for (const line of lines(found)) {
      const [names, path] = line.split(/: (?=\/)/);
      if (path) owners.set(path.replace(/^\/lib\//, '/usr/lib/'), names.split(', ')[0]);
    }
  }
  return owners;
}

const system = Object.fromEntries(
  lines(readFileSync('/etc/os-release', 'utf8')).map((line) => line.replaceAll('"', '').split('=')),
);
const distribution = `${system.ID}-${system.VERSION_ID}`;
const strength = ['headers', 'static', 'dynamic'];
const uses = filesInside();
const owners = packagesOf([...uses.keys()]);
const orphans = [...uses.keys()].filter((path) => !owners.has(path.replace(/^\/lib\//, '/usr/lib/')));
if (orphans.length > 0) {
  console.error(`scripts/sbom.mjs: no Debian package has ${orphans[0]} (${orphans.length} such files), which is in the program. Build on a system whose libraries are installed as packages.`);
  process.exit(1);
}
const used = new Map();
for (const [path, use] of uses) {
  const name = owners.get(path.replace(/^\/lib\//, '/usr/lib/'));
  if (strength.indexOf(use) > strength.indexOf(used.get(name))) used.set(name, use);
}
const fields = '${Package}\\t${Version}\\t${source:Package}\\t${source:Version}\\t${Architecture}\\n';
const components = lines(output('dpkg-query', '-W', '-f', fields, ...used.keys()))
  .map((line) => line.split('\t'))
  .filter(([name]) => !notInside.has(name))
  .map(([name, version, source, sourceVersion, architecture]) => ({
    type: 'library',
    'bom-ref': `pkg:deb/${system.ID}/${name}@${version}`,
    name,
    version,
    purl: `pkg:deb/${system.ID}/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=${distribution}`,
    properties: [
      { name: 'debian:source', value: source },
      { name: 'debian:source-version', value: sourceVersion },
      { name: 'verbatim:use', value: used.get(name) ?? used.get(`${name}:${architecture}`) },
    ],
  }))
  .sort((a, b) => (a.name < b.name ? -1 : 1));
const version = output(program, '--version').trim().split(/\s+/).at(-1);

console.log(
  JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      version: 1,
      metadata: {
        component: {
          type: 'application',
          'bom-ref': 'verbatim',
          name: 'verbatim',
          version,
          hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(readFileSync(values.shipped ?? program)).digest('hex') }],
        },
      },
      components,
      dependencies: [{ ref: 'verbatim', dependsOn: components.map((one) => one['bom-ref']) }],
    },
    null,
    2,
  ),
);
