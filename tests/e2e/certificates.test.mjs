// Certificates: a new pair is used only if certificate and key belong together. Private data stays out of
// caches and away from other users.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { binary, Client, run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

/** A pair for localhost, made as the relay makes its own. */
async function makePair(t, directory, name) {
  const made = await startRelay(t);
  for (const kind of ['cert', 'key']) {
    copyFileSync(join(made.dataDir, 'tls', `${kind}.pem`), join(directory, `${name}-${kind}.pem`));
  }
  await made.program.stop();
  return { cert: `${name}-cert.pem`, key: `${name}-key.pem` };
}

/** The certificate that the relay shows now. */
const shown = (relay) =>
  new Promise((resolve, reject) => {
    const socket = tls.connect({ port: Number(new URL(relay.url).port), host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('secureConnect', () => {
      resolve(socket.getPeerX509Certificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });

/** Two pairs behind links, as certificate tools keep them. */
async function renewable(t) {
  const directory = temporaryDirectory(t);
  const first = await makePair(t, directory, 'first');
  const second = await makePair(t, directory, 'second');
  const link = (kind, to) => {
    symlinkSync(to, join(directory, `${kind}.new`));
    renameSync(join(directory, `${kind}.new`), join(directory, kind));
  };
  link('cert', first.cert);
  link('key', first.key);
  const set = [`tls.cert_file=${join(directory, 'cert')}`, `tls.key_file=${join(directory, 'key')}`];
  return { directory, first, second, link, set };
}

async function reload(relay, outcome) {
  const before = relay.program.stderr.split(outcome).length;
  relay.program.child.kill('SIGHUP');
  while (relay.program.stderr.split(outcome).length === before) {
    await new Promise((resolve) => relay.program.child.stderr.once('data', resolve));
  }
}

test('a renewed certificate is taken at SIGHUP, and one without its key is not', async (t) => {
  const { directory, first, second, link, set } = await renewable(t);
  const relay = await startRelay(t, { simulator: await startSimulator(t), set });
  const client = await Client.connect(t, relay);
  const old = await shown(relay);
  link('cert', second.cert); // the key is not replaced yet
  await reload(relay, 'server.not_reloaded');
  assert.match(relay.program.stderr, /not_reloaded.*not a pair/);
  assert.equal(await shown(relay), old);
  link('key', second.key);
  await reload(relay, 'server.reloaded');
  const renewed = await shown(relay);
  assert.notEqual(renewed, old);
  for (const spoil of [
    () => rmSync(join(directory, 'key')),
    () => writeFileSync(join(directory, 'key'), 'no key'),
    () => writeFileSync(join(directory, 'key'), generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })),
    () => link('key', first.key),
    () => link('key', second.cert),
  ]) {
    spoil();
    await reload(relay, 'server.not_reloaded');
    assert.equal(await shown(relay), renewed);
  }
  await client.ask('Are we still talking?');
});

test('the check and the start refuse a certificate without its key', async (t) => {
  const { directory, first, second, link, set } = await renewable(t);
  const args = set.flatMap((one) => ['--set', one]);
  const data = ['--set', `server.data_dir=${temporaryDirectory(t)}`, '--set', 'server.listen=127.0.0.1:0'];
  assert.equal((await run(['check', ...args])).code, 0);
  const locked = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const passphrase = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' };
  for (const [spoil, why] of [
    [() => link('key', second.key), /not a pair/],
    [() => link('key', first.cert), /private key/],
    [() => writeFileSync(join(directory, 'locked'), locked.export(passphrase)) ?? link('key', 'locked'), /passphrase/],
    [() => link('key', 'none.pem'), /No such file/],
    [() => link('key', first.key) ?? link('cert', first.key), /tls\.cert_file/],
  ]) {
    spoil();
    for (const command of [['check'], ['serve', ...data]]) {
      const { code, stderr } = await run([...command, ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, why);
    }
  }
});

test('the self-made certificate is never written through a link', async (t) => {
  const dataDir = temporaryDirectory(t);
  const outside = join(temporaryDirectory(t), 'precious.pem');
  writeFileSync(outside, 'precious');
  mkdirSync(join(dataDir, 'tls'));
  for (const name of ['key.pem', 'cert.pem', 'key.pem.tmp', 'cert.pem.tmp']) {
    symlinkSync(outside, join(dataDir, 'tls', name));
  }
  const relay = await startRelay(t, { dataDir });
  assert.equal(readFileSync(outside, 'utf8'), 'precious');
  assert.equal(lstatSync(join(dataDir, 'tls', 'key.pem')).isSymbolicLink(), false);
  assert.equal(statSync(join(dataDir, 'tls', 'key.pem')).mode & 0o777, 0o600);
  assert.equal((await relay.request('/healthz')).status, 200);
});

test("a secret's file that others may read is warned of, at the start, at SIGHUP and by the check", async (t) => {
  const file = join(temporaryDirectory(t), 'token-secret');
  writeFileSync(file, 'a-secret-of-some-length-1234567890\n', { mode: 0o644 });
  chmodSync(file, 0o644);
  const set = [`auth.token_secret_file=${file}`];
  const relay = await startRelay(t, { set });
  await relay.program.logged('auth.token_secret_file: every user of this machine can read');
  const { code, stderr } = await run(['check', '--set', set[0]]);
  assert.equal(code, 0);
  assert.match(stderr, /warning: auth\.token_secret_file.*644/);
  assert.ok(!stderr.includes(file) && !relay.program.stderr.includes('a-secret-of'));
  const warned = () => relay.program.stderr.match(/every user of this machine can read/g).length;
  assert.equal(warned(), 1);
  await reload(relay, 'server.reloaded');
  assert.equal(warned(), 2);
  chmodSync(file, 0o600);
  await reload(relay, 'server.reloaded');
  assert.equal(warned(), 2);
});

test('tokens and private responses stay out of caches, and HSTS is sent where the relay has TLS [P10]', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Who may read this?');
  await client.close();
  await relay.transcript(client.id);
  const minted = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: {} });
  assert.equal(minted.headers['cache-control'], 'no-store');
  for (const path of ['', '/transcript', '/transcript?format=text', '/transcript?format=pdf']) {
    const { headers } = await relay.request(`/v1/sessions/${client.id}${path}`);
    assert.equal(headers['cache-control'], 'no-store', path);
  }
  assert.equal((await relay.request('/v1/sessions')).headers['cache-control'], 'no-store');
  const { headers } = await relay.request('/healthz');
  assert.match(headers['strict-transport-security'], /^max-age=\d{7,}/);
  // Other servers on a developer's machine use this name without TLS.
  const local = await relay.request('/healthz', { headers: { host: 'localhost:8443' } });
  assert.equal(local.headers['strict-transport-security'], undefined);
  const plain = await startRelay(t, { set: ['tls.enabled=false'] });
  assert.equal((await plain.request('/healthz')).headers['strict-transport-security'], undefined);
});

test('other processes of the user cannot dump or trace the relay, unless that is allowed [P10]', async (t) => {
  // The process's own user may not read /proc files that belong to another user.
  const user = process.getuid() === 0 ? 65534 : process.getuid();
  const owner = async (set) => {
    const directory = mkdtempSync(join(tmpdir(), 'verbatim-e2e-'));
    if (process.getuid() === 0) chownSync(directory, user, user);
    const all = ['server.listen=127.0.0.1:0', `server.data_dir=${join(directory, 'data')}`, ...set];
    const child = spawn(binary, ['serve', ...all.flatMap((one) => ['--set', one])], {
      ...(process.getuid() === 0 ? { uid: user, gid: user } : {}),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const over = new Promise((resolve) => child.on('close', resolve));
    t.after(async () => {
      child.kill('SIGKILL');
      await over; // it writes no more files there
      rmSync(directory, { recursive: true, force: true });
    });
    let log = '';
    await new Promise((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text) => (log += text).includes('server.ready') && resolve());
      child.on('error', reject);
      child.on('close', () => reject(new Error(log)));
    });
    return statSync(`/proc/${child.pid}/mem`).uid;
  };
  assert.equal(await owner(['server.core_dumps=true']), user);
  assert.equal(await owner([]), 0);
});
