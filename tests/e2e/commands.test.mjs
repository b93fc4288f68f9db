// The command line: its help, wrong usage, and exit codes (0 ok, 1 failed, 2 wrong usage, 3 not found).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readCommands } from '../../scripts/manual/commands.mjs';
import { binary, run, temporaryDirectory } from './support/verbatim.mjs';

const { commands } = readCommands(binary);
const find = (path) => commands.find((one) => one.path.join(' ') === path);

test('`verbatim help COMMAND` prints what `verbatim COMMAND --help` prints, for every command', async () => {
  for (const { path } of commands) {
    const [help, option] = await Promise.all([run(['help', ...path]), run([...path, '--help'])]);
    assert.equal(help.code, 0, help.stderr);
    assert.equal(help.stdout, option.stdout, path.join(' '));
  }
});

test('every command that prints data has --json', () => {
  const printsNone = ['', 'serve', 'simulate', 'help'];
  const without = commands
    .filter(({ subcommands, path }) => subcommands.length === 0 && !printsNone.includes(path.join(' ')))
    .filter(({ options }) => !options.some(({ names }) => names.includes('--json')));
  assert.deepEqual(without.map(({ path }) => path.join(' ')), []);
});

describe('wrong usage says what is wrong and what to do, and exits with 2:', () => {
  for (const [words, ...says] of [
    ['sesions', /^verbatim: there is no command sesions\. Did you mean sessions\?/, /Commands: serve, .*simulate/, /`verbatim help` explains/],
    ['sessions lst', /verbatim sessions: there is no command lst\. Did you mean list\?/, /`verbatim help sessions` explains/],
    ['sessions', /verbatim sessions: a command is missing\. Commands: list, show/],
    ['token --usr ann', /verbatim token: there is no option --usr\. Did you mean --user\?/, /`verbatim help token` lists/],
    ['token --user=ann --tll=5s', /there is no option --tll\. Did you mean --ttl\?/],
    ['token', /verbatim token: --user is required/, /`verbatim help token` shows/],
    ['token --user ann --ttl soon', /--ttl: soon is not a duration such as 600s/],
    [['token', '--user', ''], /--user: is empty/],
    [['token', '--user', 'ann', '--session', ''], /--session: is empty/],
    ['token --user ann --ttl 121m', /--ttl: at most 7200s \(auth\.token_ttl_max\)/],
    ['token --user ann --ttl 9000000000000000000d', /--ttl: .* is not a duration/],
    [['sessions', 'end', ''], /id: is empty/],
    [['sessions', 'show', ''], /id: is empty/],
    [['sessions', 'list', '--q', ''], /--q: 1 to 32 words of UTF-8, at most 512 bytes/],
    [['sessions', 'list', '--q', '  '], /--q: 1 to 32 words/],
    ['sessions list --cursor elsewhere', /--cursor: use next_cursor of the page before/],
    ['keygen now', /verbatim keygen: the argument now is one too many/],
    ['sessions export sess_1 --format pdf', /pdf is not a format: use json, jsonl/],
    ['webhooks redrive --al', /no option --al\. Did you mean --all\?/],
    ['webhooks redrive', /verbatim webhooks redrive: .*required/],
    ['help sessions lsit', /verbatim sessions: there is no command lsit\. Did you mean list\?/],
    ['--confg x', /^verbatim: there is no option --confg\. Did you mean --config\?/],
  ]) {
    test(`verbatim ${[words].flat().map((word) => word || "''").join(' ')}`, async () => {
      const { code, stdout, stderr } = await run(typeof words === 'string' ? words.split(' ') : words);
      for (const one of says) assert.match(stderr, one);
      assert.equal(code, 2);
      assert.equal(stdout, '');
    });
  }
});

test('a word that looks like a key is not repeated [P10]', async () => {
  const key = 'vk_Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56Qr78St90Uv1';
  for (const words of [[key], ['token', key], ['sessions', key], ['help', key], ['sessions', 'show', `--${key}`]]) {
    const { code, stdout, stderr } = await run(words);
    assert.equal(code, 2, words[0]);
    assert.ok(!(stdout + stderr).includes(key), stderr);
  }
});

test('with --json an error is a JSON document on stderr, and stdout stays empty', async (t) => {
  const at = ['--set', `server.data_dir=${join(temporaryDirectory(t), 'none')}`];
  for (const [words, exitCode, says] of [
    [['sessions', 'show', 'sess_none', '--json', ...at], 3, /verbatim\.db/],
    [['sessions', 'lst', '--json'], 2, /Did you mean list/],
    [['check', '--json', '--set', 'session.idle_timeout=never'], 2, /session\.idle_timeout/],
    [['replay', '/nowhere/at-all.jsonl', '--json'], 3, /cannot read/],
  ]) {
    const { code, stdout, stderr } = await run(words);
    const { error } = JSON.parse(stderr);
    assert.match(error.message, says);
    assert.equal(error.exit_code, exitCode);
    assert.equal(code, exitCode);
    assert.equal(stdout, '');
  }
});

test('the help of each command has a phrase for every option', () => {
  assert.ok(find('sessions list').options.some(({ names }) => names.includes('--limit')));
  for (const { path, about, options, positionals } of commands) {
    assert.ok(about, path.join(' '));
    for (const { names, name, about: what } of [...options, ...positionals]) assert.ok(what, `${path.join(' ')} ${names ?? name}`);
  }
});

test('output that cannot be written completely is a failure', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  const { status, stderr } = spawnSync(binary, ['keygen'], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /could not be written completely/);
});
