#!/usr/bin/env node
// Lists the known vulnerabilities of the program's components. Reads a bill of materials
// (scripts/sbom.mjs) and a downloaded file of Debian's security tracker
// (https://security-tracker.debian.org/tracker/data/json).
//
//   scripts/vulnerabilities.mjs SBOM TRACKER [--release bookworm]
//
// Prints for each vulnerability its id, the package with its version, and what to do. Exits with 0 if
// there are none, with 1 if there are some, and with 2 if a file cannot be read. Only counts those that
// Debian calls "unimportant", because they do no harm in its packages.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

function fail(why) {
  console.error(`scripts/vulnerabilities.mjs: ${why}`);
  process.exit(2);
}

function read(path, what, isIt) {
  let content;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    fail(`${path} cannot be read as ${what}: ${error.message}`);
  }
  if (!isIt(content)) fail(`${path} is not ${what}.`);
  return content;
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

let parsed;
try {
  parsed = parseArgs({ allowPositionals: true, options: { release: { type: 'string', default: 'bookworm' } } });
} catch (error) {
  fail(error.message);
}
const { values, positionals } = parsed;
if (positionals.length !== 2) fail('usage: scripts/vulnerabilities.mjs SBOM TRACKER [--release bookworm]');
const sbom = read(positionals[0], 'a CycloneDX bill of materials', (it) => it?.bomFormat === 'CycloneDX' && Array.isArray(it.components));
const tracker = read(positionals[1], "a file of Debian's security tracker", (it) => isObject(it) && Object.values(it).every(isObject));
const knows = Object.values(tracker).some((source) => Object.values(source).some((one) => one.releases?.[values.release]));
if (!knows) fail(`${positionals[1]} has no entry for the release ${values.release}. Check that the file is complete and the name is right.`);

const property = (component, name) => component.properties?.find((one) => one.name === name)?.value;

/** Compares versions by Debian's rules (epochs, tildes). */
function isOlder(version, than) {
  const { status, error } = spawnSync('dpkg', ['--compare-versions', version, 'lt', than]);
  if (error || status > 1) fail(`dpkg cannot compare ${version} with ${than}${error ? `: ${error.message}` : ''}`);
  return status === 0;
}

/** The remedy for a vulnerability; undefined if this version is not affected. */
function remedy(state, version) {
  if (state.status === 'resolved')
    return state.fixed_version !== '0' && isOlder(version, state.fixed_version) ? `fixed in ${state.fixed_version}: install it and build again` : undefined;
  return state.status === 'undetermined' ? 'not known whether this version is affected' : 'not fixed in this release yet';
}

/** Each source package once; a source package can have several binary packages. */
const sources = new Map();
for (const component of sbom.components) {
  const source = property(component, 'debian:source') ?? component.name;
  const version = property(component, 'debian:source-version') ?? component.version;
  sources.set(`${source} ${version}`, { source, version });
}
const found = [];
let unimportant = 0;
for (const { source, version } of sources.values())
  for (const [id, vulnerability] of Object.entries(tracker[source] ?? {})) {
    const state = vulnerability.releases?.[values.release];
    const what = state && remedy(state, version);
    if (!what) continue;
    if (state.urgency === 'unimportant') ++unimportant;
    else found.push({ id, text: `${id}  ${source} ${version}  (${state.urgency ?? 'not yet assigned'})  ${what}` });
  }
found.sort((a, b) => (a.id < b.id ? -1 : 1));
for (const { text } of found) console.log(text);
console.log(`${found.length} vulnerabilities concern the program; ${unimportant} more are unimportant; ${sources.size} source packages were looked up.`);
process.exit(found.length > 0 ? 1 : 0);
