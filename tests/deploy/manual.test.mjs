// Manual pages, completions and the unit of the packages: made from the program's own help, and checked by
// the tools that read them.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { readCommands } from '../../scripts/manual/commands.mjs';
import { readSettings } from '../../scripts/manual/settings.mjs';
import { binary, temporaryDirectory } from '../e2e/support/process.mjs';
import { check, inTree } from './support/programs.mjs';

const toml = readFileSync(inTree('config/verbatim.toml'), 'utf8');
let made;
let commands;

const ran = (command, ...args) => {
  const { status, output } = check(command, ...args);
  assert.equal(status, 0, output);
  return output;
};
const share = (path) => join(made, 'share', path);

before(() => {
  // Removed with the process: `before` has no scope of its own.
  made = temporaryDirectory({ after: (remove) => process.once('exit', remove) });
  ran(process.execPath, inTree('scripts/manual.mjs'), '--program', binary, '--out', made);
  ({ commands } = readCommands(binary));
});

test('the help of every command is understood', () => {
  assert.ok(commands.length >= 15, `found ${commands.length} commands`);
  const find = (...path) => commands.find((one) => one.path.join(' ') === path.join(' '));
  assert.deepEqual(find('sessions').subcommands.map(({ name }) => name).slice(0, 2), ['list', 'show']);
  assert.deepEqual(find('replay').positionals.map(({ name, required }) => [name, required]), [['file', true]]);
  const [limit] = find('sessions', 'list').options.filter(({ names }) => names.includes('--limit'));
  assert.deepEqual([limit.value, limit.about !== ''], ['UINT', true]);
  for (const { path, about, options } of commands) {
    assert.ok(about, path.join(' '));
    for (const one of options) assert.ok(one.about, `${path.join(' ')} ${one.names}`);
  }
});

test('the manual pages are well-formed, and have every command, option and setting', () => {
  const pages = [share('man/man1/verbatim.1'), share('man/man5/verbatim.toml.5')];
  ran('mandoc', '-T', 'lint', '-W', 'warning', ...pages);
  const [program, settings] = pages.map((page) => ran('mandoc', '-T', 'utf8', '-O', 'width=200', page).replace(/.\x08/g, ''));
  for (const { path, options, subcommands } of commands) {
    if (subcommands.length === 0) assert.ok(program.includes(['verbatim', ...path].join(' ')), path.join(' '));
    for (const { names } of options) assert.ok(program.includes(names.at(-1)), `${path.join(' ')} ${names}`);
  }
  const sections = readSettings(toml);
  const keys = sections.flatMap((section) => section.keys);
  assert.equal(keys.length, toml.match(/^(# )?\w+ = /gm).length);
  for (const { name, value, unset, accepts } of keys) {
    assert.ok(settings.includes(`${name} = ${unset ? 'not set' : value}`), name);
    assert.ok(accepts, `${name}: what it accepts`);
  }
});

/** The words that bash offers for a line whose last word is incomplete. */
function bashOffers(...words) {
  const script = `source ${share('bash-completion/completions/verbatim')}
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _verbatim; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return ran('bash', '-c', script).split('\n').filter(Boolean);
}
const fishOffers = (...words) =>
  ran('fish', '--no-config', '-c', `source ${share('fish/vendor_completions.d/verbatim.fish')}; complete -C '${words.join(' ')}'`)
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t')[0]);

for (const [shell, offers] of [
  ['bash', bashOffers],
  ['fish', fishOffers],
]) {
  test(`${shell} completes commands, options, formats and settings`, () => {
    const names = (path) => commands.find((one) => one.path.join(' ') === path).subcommands.map(({ name }) => name);
    assert.deepEqual(offers('verbatim', '').filter((word) => !word.startsWith('-')).sort(), names('').sort());
    assert.deepEqual(offers('verbatim', 'sessions', '').filter((word) => !word.startsWith('-')).sort(), names('sessions').sort());
    assert.ok(offers('verbatim', 'token', '--').includes('--user'));
    assert.ok(!offers('verbatim', 'keygen', '--').includes('--user'));
    assert.deepEqual(offers('verbatim', 'replay', '--format', 'v'), ['vtt']);
    assert.deepEqual(offers('verbatim', 'serve', '--set', 'session.idle'), ['session.idle_timeout=']);
    assert.ok(offers('verbatim', 'serve', '--config', 'README').includes('README.md'));
  });
}

test('zsh takes its completions, which have every command', () => {
  const file = share('zsh/vendor-completions/_verbatim');
  ran('zsh', '-n', file);
  const text = readFileSync(file, 'utf8');
  for (const { path } of commands) assert.match(text, new RegExp(`^_verbatim${path.map((name) => `_${name}`).join('')}\\(\\)`, 'm'));
});

test('the unit is valid, and leaves the relay little: an exposure below 2.0', (t) => {
  const unit = readFileSync(inTree('deploy/deb/verbatim.service'), 'utf8');
  const file = join(temporaryDirectory(t), 'verbatim.service');
  writeFileSync(file, unit.replace('/usr/bin/verbatim', binary));
  assert.equal(ran('systemd-analyze', '--man=no', 'verify', file), '');
  const output = ran('systemd-analyze', 'security', '--no-pager', '--offline=true', '--threshold=20', file);
  assert.match(output, /exposure level for verbatim\.service: [01]\.\d/);
  // A socket unit is verified beside its service.
  const socket = join(dirname(file), 'verbatim.socket');
  writeFileSync(socket, readFileSync(inTree('deploy/deb/verbatim.socket')));
  assert.equal(ran('systemd-analyze', '--man=no', 'verify', socket), '');
});

test("the packaged configuration is sound, hands over, and the unit's time suffices for it", () => {
  const { output } = check(binary, 'check', '--json', '--config', inTree('deploy/deb/verbatim.toml'));
  const settings = JSON.parse(output.slice(output.indexOf('{')));
  assert.equal(settings.server.restart, 'handover');
  assert.equal(settings.server.data_dir, '/var/lib/verbatim');
  const unit = readFileSync(inTree('deploy/deb/verbatim.service'), 'utf8');
  assert.match(unit, /^StateDirectory=verbatim$/m);
  const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(unit);
  assert.ok(Number(seconds) > Number.parseInt(settings.server.shutdown_grace, 10) + 5);
});
