// The Debian package on a bare Debian 12, with systemd as its first process: installed, started, talked to,
// upgraded during a conversation, purged. It needs root and some minutes, so it is run by hand:
//
//   apt-get install debootstrap systemd-container
//   VERBATIM_BIN=build/release/verbatim node --test tests/deploy/package.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { binary, temporaryDirectory } from '../e2e/support/process.mjs';
import { Machine } from './support/machine.mjs';
import { eventually, inTree } from './support/programs.mjs';

function packages(t) {
  const out = temporaryDirectory(t);
  execFileSync(inTree('scripts/package'), ['--program', binary, '--out', out], { stdio: 'inherit' });
  return out;
}
const one = (directory, pattern) => join(directory, readdirSync(directory).find((name) => pattern.test(name)));

/** The same package with a later version. */
function successor(t, deb) {
  const directory = temporaryDirectory(t);
  const tree = join(directory, 'tree');
  execFileSync('dpkg-deb', ['--raw-extract', deb, tree]);
  const control = join(tree, 'DEBIAN', 'control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^(Version: .*)$/m, '$1+next'));
  const next = join(directory, 'next.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, next]);
  return next;
}

test('two packagings of one program give the same bytes, without the folder of the first', (t) => {
  const [first, second] = [packages(t), packages(t)];
  const sums = readFileSync(join(first, 'SHA256SUMS'), 'utf8');
  assert.equal(readFileSync(join(second, 'SHA256SUMS'), 'utf8'), sums);
  assert.deepEqual(sums.match(/\.(deb|tgz|tar\.xz)$/gm).sort(), ['.deb', '.deb', '.tar.xz', '.tgz']);
  execFileSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: first });
});

test('on a bare Debian the package is installed, starts, talks, is upgraded during a conversation, and is purged', async (t) => {
  const deb = one(packages(t), /^verbatim_.*\.deb$/);
  const machine = Machine.make(t);
  machine.before('apt-get', 'install', '-qq', '-y', '--no-install-recommends', 'systemd-sysv');
  machine.before('apt-get', 'install', '-qq', '-y', '--no-install-recommends', machine.take(deb));
  const next = machine.take(successor(t, deb));
  await machine.boot(t);
  const ok = (...command) => {
    const { status, output } = machine.run(...command);
    assert.equal(status, 0, output);
    return output;
  };
  const state = () => machine.run('systemctl', 'is-active', 'verbatim').output.trim();
  assert.equal(ok('systemctl', 'is-enabled', 'verbatim').trim(), 'enabled');
  await eventually(() => state() === 'active', 'the service is active');
  ok('systemd-analyze', '--man=no', 'verify', 'verbatim.service');
  await eventually(() => machine.run('verbatim', 'health', '--config', '/etc/verbatim/verbatim.toml').status === 0, 'the relay is ready');
  const shown = (property) => ok('systemctl', 'show', '-P', property, 'verbatim').trim();
  assert.equal(shown('Type'), 'notify');
  assert.match(shown('StatusText'), /^Serving https:\/\/127\.0\.0\.1:8443/);
  ok('systemctl', 'reload', 'verbatim');
  await eventually(() => /server\.reloaded/.test(ok('journalctl', '--no-pager', '-u', 'verbatim')), 'the configuration is read again');
  assert.equal(state(), 'active');
  assert.notEqual(shown('WatchdogTimestampMonotonic'), '0');
  assert.equal(ok('stat', '-c', '%U %a', '/var/lib/verbatim').trim(), 'verbatim 700');
  assert.equal(ok('stat', '-c', '%U:%G %a', '/etc/verbatim/verbatim.toml').trim(), 'root:verbatim 640');

  const before = ok('systemctl', 'show', '-P', 'MainPID', 'verbatim').trim();
  const talk = machine.withItsNetwork(t, process.execPath, inTree('tests/deploy/support/talk.mjs'));
  await talk.printed(/^asked$/m);
  ok('dpkg', '--install', next);
  const [line] = await talk.printed(/^\{.*\}$/m);
  const { code, attempt, turns } = JSON.parse(line);
  assert.equal(code, 1012, 'the old process sent the client to the new one');
  assert.notEqual(ok('systemctl', 'show', '-P', 'MainPID', 'verbatim').trim(), before);
  assert.equal(attempt, 1);
  assert.deepEqual(turns.filter(({ role }) => role === 'user').map(({ text }) => text), ['Before the upgrade?', 'After the upgrade?']);
  assert.match(ok('journalctl', '--no-pager', '-u', 'verbatim'), /server\.ready/);

  ok('systemctl', 'disable', '--now', 'verbatim.service');
  ok('systemctl', 'enable', '--now', 'verbatim.socket');
  const health = () => machine.run('verbatim', 'health', '--config', '/etc/verbatim/verbatim.toml').status === 0;
  await eventually(health, 'a request at the socket starts the relay');
  assert.equal(state(), 'active');
  assert.match(ok('journalctl', '--no-pager', '-u', 'verbatim'), /socket="?passed by the service manager/);

  const files = ok('dpkg-query', '--listfiles', 'verbatim').split('\n').filter((path) => /verbatim/.test(path));
  assert.ok(files.length > 20, `the package has ${files.length} files`);
  ok('dpkg', '--purge', 'verbatim');
  assert.equal(state(), 'inactive');
  assert.deepEqual(files.filter((path) => machine.has(path)), []);
  assert.ok(!machine.has('/etc/verbatim'));
  assert.ok(machine.has('/var/lib/verbatim/verbatim.db'), 'the conversations stay');
  assert.doesNotMatch(ok('systemctl', 'list-unit-files', '--no-pager'), /verbatim/);
  machine.run('systemctl', 'poweroff');
});
