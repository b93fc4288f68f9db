// `verbatim check` looks at every file that a start would open, and says at once all that is wrong.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, startRelay, temporaryDirectory } from './support/verbatim.mjs';

const set = (assignments) => Object.entries(assignments).flatMap(([key, value]) => ['--set', `${key}=${value}`]);

/** A certificate for `name`. `from` and `until`: its validity, in days from now. */
function certificate(directory, { from = -1, until = 365, name = 'voice.example' } = {}) {
  const files = { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
  execFileSync('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', files.key], { stdio: 'ignore' });
  chmodSync(files.key, 0o600);
  const time = (days) => new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14) + 'Z';
  const authority = join(directory, `${name}.ca`);
  mkdirSync(authority);
  writeFileSync(join(authority, 'index.txt'), '');
  writeFileSync(join(authority, 'serial'), '01');
  writeFileSync(
    join(authority, 'ca.cnf'),
    `[ca]\ndefault_ca=own\n[own]\ndir=${authority}\ndatabase=$dir/index.txt\nserial=$dir/serial\nnew_certs_dir=$dir\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=DNS:${name}\n`,
  );
  const request = join(authority, 'request.pem');
  execFileSync('openssl', ['req', '-new', '-key', files.key, '-subj', `/CN=${name}`, '-out', request], { stdio: 'ignore' });
  execFileSync(
    'openssl',
    ['ca', '-batch', '-selfsign', '-config', join(authority, 'ca.cnf'), '-extensions', 'names', '-keyfile', files.key, '-in', request, '-out', files.cert, '-startdate', time(from), '-enddate', time(until), '-notext'],
    { stdio: 'ignore' },
  );
  return files;
}

test('a sound configuration is printed, and said to be sound', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'new');
  const { code, stdout, stderr } = await run(['check', ...set({ 'server.data_dir': dataDir, 'session.idle_timeout': '7m' })]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^idle_timeout = "7m"$/m);
  assert.match(stdout, /^max_duration = /m);
  assert.match(stdout, /configuration is sound\n$/);
  assert.equal(stderr, '');
});

test('--changed prints only what differs from the defaults, as TOML or JSON', async (t) => {
  const changes = set({ 'server.data_dir': temporaryDirectory(t), 'session.idle_timeout': '7m', 'log.format': 'text' });
  const { stdout } = await run(['check', '--changed', ...changes], { env: { VERBATIM_UPSTREAM_API_KEY: 'a-key-of-the-provider' } });
  const lines = stdout.split('\n').filter((line) => line && !line.startsWith('data_dir'));
  assert.deepEqual(lines, ['[server]', '[upstream]', '# api_key is set', '[session]', 'idle_timeout = "7m"', '# configuration is sound']);
  const asJson = JSON.parse((await run(['check', '--changed', '--json', ...changes])).stdout);
  assert.deepEqual(Object.keys(asJson), ['server', 'session']);
  assert.deepEqual(asJson.session, { idle_timeout: '7m' });
  assert.match((await run(['check', '--changed'])).stdout, /every key has its default/);
});

test('all that is wrong is said at once: where, what, and what to do', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'verbatim.toml');
  writeFileSync(
    file,
    '[session]\nidle_timeout = "never"\nmax_durration = "1h"\n[tls]\ncert_file = "/none/cert.pem"\nkey_file = "/none/key.pem"\n[upstream]\napi_key_file = "/none/key"\nca_file = "/none/ca.pem"\n',
  );
  writeFileSync(join(directory, 'file'), '');
  const { code, stdout, stderr } = await run(['check', '--config', file, ...set({ 'server.data_dir': join(directory, 'file'), 'server.listen': '0.0.0.0:0' })], {
    env: { VERBATIM_LOG_LEVEL: 'loud' },
  });
  assert.equal(code, 2);
  assert.equal(stdout, '');
  for (const one of [
    /verbatim\.toml:2: session\.idle_timeout: "never" is not a duration like 250ms/,
    /verbatim\.toml:3: unknown key session\.max_durration; the nearest known key is session\.max_duration/,
    /verbatim\.toml:8: upstream\.api_key_file: names a file that cannot be read/,
    /VERBATIM_LOG_LEVEL \(log\.level\): "loud" is unknown; expected one of debug, info/,
    /upstream\.ca_file \/none\/ca\.pem cannot be used/,
    /tls\.cert_file \/none\/cert\.pem cannot be used: No such file/,
    /server\.data_dir .*file: is not a directory\. Set server\.data_dir to a directory/,
    /server\.listen = 0\.0\.0\.0 is reachable from other machines.*auth\.api_keys/,
  ]) {
    assert.match(stderr, one);
  }
  const { error } = JSON.parse((await run(['check', '--json', '--config', file, ...set({ 'server.data_dir': directory })])).stderr.split('\n').filter((line) => line.includes('"error"'))[0]);
  assert.equal(error.exit_code, 2);
  assert.ok(error.problems.length >= 5, error.message);
});

for (const [what, validity, says, expected] of [
  ['expired', { from: -90, until: -1 }, /certificate expired on 20\d\d-\d\d-\d\d\. Clients refuse it: renew/, 2],
  ['not yet valid', { from: 10, until: 90 }, /certificate is valid only from 20\d\d-\d\d-\d\d/, 2],
  ['about to expire', { from: -90, until: 5 }, /warning: .*certificate expires on 20\d\d-\d\d-\d\d/, 0],
  ['for another name', { name: 'other.example' }, /warning: .*certificate is not for voice\.example, the host of server\.public_url/, 0],
  ['good', {}, /^$/, 0],
]) {
  test(`a certificate that is ${what} is judged`, async (t) => {
    const directory = temporaryDirectory(t);
    const { cert, key } = certificate(directory, validity);
    const { code, stderr } = await run([
      'check',
      ...set({ 'server.data_dir': directory, 'tls.cert_file': cert, 'tls.key_file': key, 'server.public_url': 'https://voice.example' }),
    ]);
    assert.match(stderr, says);
    assert.equal(code, expected, stderr);
  });
}

test('a key of another certificate is found', async (t) => {
  const directory = temporaryDirectory(t);
  const [one, other] = [certificate(directory), certificate(directory, { name: 'other.example' })];
  const { code, stderr } = await run(['check', ...set({ 'server.data_dir': directory, 'tls.cert_file': one.cert, 'tls.key_file': other.key })]);
  assert.match(stderr, /not the key of the first certificate/);
  assert.equal(code, 2);
});

test('a data folder that others can read causes a warning; one that others can write is refused', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'data');
  mkdirSync(dataDir);
  for (const [mode, says, expected] of [[0o700, /^$/, 0], [0o755, /warning: server\.data_dir .*every user of this machine can read it \(mode 755\)\. Run: chmod 700/, 0], [0o777, /every user of this machine can write to it/, 2]]) {
    chmodSync(dataDir, mode);
    const { code, stderr } = await run(['check', ...set({ 'server.data_dir': dataDir })]);
    assert.match(stderr, says);
    assert.equal(code, expected, stderr);
  }
});

test('a damaged token secret, a missing folder and a store without its database are found', async (t) => {
  const dataDir = temporaryDirectory(t);
  writeFileSync(join(dataDir, 'token_secret'), 'short', { mode: 0o600 });
  writeFileSync(join(dataDir, 'verbatim.db-wal'), 'x'.repeat(100), { mode: 0o600 });
  const { code, stderr } = await run(['check', ...set({ 'server.data_dir': dataDir, 'simulator.recordings_dir': join(dataDir, 'none') })]);
  assert.equal(code, 2);
  assert.match(stderr, /token_secret is not a token secret\. Delete the file/);
  assert.match(stderr, /simulator\.recordings_dir .*is not a directory/);
  assert.match(stderr, /verbatim\.db-wal/);
});

test('a data folder where the kernel keeps no files, and a file that is not a database of this program, are found', async (t) => {
  for (const folder of ['/proc/data', '/proc/sys', '/sys/kernel/data']) {
    const { code, stderr } = await run(['check', ...set({ 'server.data_dir': folder })]);
    assert.match(stderr, /server\.data_dir .*view of the kernel, which keeps no files\. Set server\.data_dir to a directory/, folder);
    assert.equal(code, 2);
  }
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'verbatim.db');
  const sql = (statement) => {
    rmSync(file, { force: true });
    execFileSync('sqlite3', [file, statement]);
  };
  const words = async (expected) => {
    const { code, stdout, stderr } = await run(['check', ...set({ 'server.data_dir': dataDir })]);
    assert.equal(code, expected, stderr || stdout);
    return stderr;
  };
  writeFileSync(file, 'these are my notes\n'.repeat(100), { mode: 0o600 });
  assert.match(await words(2), /verbatim\.db: is not a SQLite database; move it away/);
  sql('CREATE TABLE bookmarks (url);');
  assert.match(await words(2), /verbatim\.db: is a database of another program; set server\.data_dir/);
  sql(`PRAGMA application_id=${0x56657262}; PRAGMA user_version=1000; CREATE TABLE later (x);`);
  assert.match(await words(2), /written by a later version of Verbatim \(schema 1000/);
  writeFileSync(file, '');
  await words(0);
});

test('a check beside a running relay finds it sound and changes nothing', async (t) => {
  const relay = await startRelay(t);
  const { code, stderr } = await run(['check', ...set({ 'server.data_dir': relay.dataDir })]);
  assert.equal(code, 0, stderr);
  assert.equal((await relay.request('/healthz')).status, 200);
});
