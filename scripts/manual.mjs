#!/usr/bin/env node
// Writes the manual pages and the shells' completions. Their text comes from the program itself (`--help` of
// each command) and, for settings, from config/verbatim.toml.
//
//   scripts/manual.mjs [--program build/release/verbatim] --out DIRECTORY
//
// Below DIRECTORY the files lie as they do below /usr. SOURCE_DATE_EPOCH dates the pages.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readCommands } from './manual/commands.mjs';
import { bash, fish, zsh } from './manual/completions.mjs';
import { commandPage, settingsPage } from './manual/pages.mjs';
import { readSettings } from './manual/settings.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: { program: { type: 'string', default: join(root, 'build/release/verbatim') }, out: { type: 'string' } },
});
if (!values.out) {
  console.error('usage: scripts/manual.mjs [--program FILE] --out DIRECTORY');
  process.exit(2);
}

const { version, commands } = readCommands(values.program);
const sections = readSettings(readFileSync(join(root, 'config/verbatim.toml'), 'utf8'));
const seconds = process.env.SOURCE_DATE_EPOCH ? Number(process.env.SOURCE_DATE_EPOCH) : Date.now() / 1000;
const date = new Date(seconds * 1000).toISOString().slice(0, 10);
const keys = sections.flatMap((section) => section.keys.map(({ name }) => `${section.name}.${name}`));

for (const [path, text] of [
  ['share/man/man1/verbatim.1', commandPage(commands, { version, date })],
  ['share/man/man5/verbatim.toml.5', settingsPage(sections, { version, date })],
  ['share/bash-completion/completions/verbatim', bash(commands, keys)],
  ['share/zsh/vendor-completions/_verbatim', zsh(commands, keys)],
  ['share/fish/vendor_completions.d/verbatim.fish', fish(commands, keys)],
]) {
  const file = join(values.out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
