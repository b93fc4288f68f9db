// Certificates, keys and secrets must be ordinary files. Others are refused at once: at the start, by the check
// and at SIGHUP. A FIFO is the worst of them: opening it blocks.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, startRelay, startSimulator } from './support/verbatim.mjs';

/** Files of unusual kinds, made at this place. */
const kinds = {
  'a FIFO': (place) => assert.equal(spawnSync('mkfifo', [place]).status, 0),
  'a link to a FIFO': (place) => {
    assert.equal(spawnSync('mkfifo', [`${place}.fifo`]).status, 0);
    symlinkSync(`${place}.fifo`, place);
  },
  'a directory': (place) => mkdirSync(place),
  'an endless device': (place) => symlinkSync('/dev/zero', place),
  'a socket': async (place, t) => {
    const server = createServer().listen(place);
    await once(server, 'listening');
    t.after(() => server.close());
  },
};

const secretFiles = ['upstream.api_key_file', 'auth.token_secret_file', 'auth.internal_service_key_file'];
const whsec = `whsec_${Buffer.alloc(24, 'w').toString('base64')}`;

/** A short name: that of a socket has at most 107 bytes. */
function shortDirectory(t) {
  const directory = mkdtempSync(join(tmpdir(), 'sf-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

for (const [what, make] of Object.entries(kinds)) {
  test(`${what} in the place of a secret or a certificate is refused by the start and the check`, async (t) => {
    const directory = shortDirectory(t);
    const place = join(directory, 'file');
    await make(place, t);
    const own = await startRelay(t); // for a good pair
    const [cert, key] = ['cert', 'key'].map((one) => join(own.dataDir, 'tls', `${one}.pem`));
    const settings = [
      ...secretFiles.map((name) => [`${name}=${place}`]),
      [`tls.cert_file=${place}`, `tls.key_file=${key}`],
      [`tls.cert_file=${cert}`, `tls.key_file=${place}`],
      [`upstream.ca_file=${place}`, 'upstream.url=wss://127.0.0.1:1/'],
      [`webhook.targets=[{url='https://hooks.example/', secret_file='${place}'}]`],
      [`policy.templates=[{name='trainer', file='${place}', variables=[]}]`],
    ];
    for (const set of settings) {
      for (const command of ['check', 'serve']) {
        const data = ['server.listen=127.0.0.1:0', `server.data_dir=${join(directory, 'data')}`];
        const args = [...data, ...set].flatMap((one) => ['--set', one]);
        const { code, stderr } = await run([command, ...args], { env: { VERBATIM_UPSTREAM_API_KEY: set[0].startsWith('upstream.api_key') ? undefined : 'sk-none' } });
        assert.notEqual(code, 0, `${command} ${set[0]}`);
        assert.ok(stderr.length > 0 && stderr.length < 2000, `${command} ${set[0]}: ${stderr}`);
      }
    }
  });

  test(`${what} that replaces a file is refused at SIGHUP, and the earlier content stays in use`, async (t) => {
    const own = await startRelay(t);
    const directory = shortDirectory(t);
    const files = { cert: join(directory, 'cert'), key: join(directory, 'key'), webhook: join(directory, 'webhook'), token: join(directory, 'token') };
    const fill = {
      cert: () => copyFileSync(join(own.dataDir, 'tls', 'cert.pem'), files.cert),
      key: () => copyFileSync(join(own.dataDir, 'tls', 'key.pem'), files.key),
      webhook: () => writeFileSync(files.webhook, whsec, { mode: 0o600 }),
      token: () => writeFileSync(files.token, 't'.repeat(43), { mode: 0o600 }),
    };
    for (const write of Object.values(fill)) write();
    const relay = await startRelay(t, {
      simulator: await startSimulator(t),
      set: [
        `tls.cert_file=${files.cert}`, `tls.key_file=${files.key}`, `auth.token_secret_file=${files.token}`,
        `webhook.targets=[{url='https://127.0.0.1:1/', secret_file='${files.webhook}'}]`,
      ],
    });
    const token = await relay.mint({ user: 'ann' });
    const outcomes = () => relay.program.stderr.split(/server\.(?:not_)?reloaded/).length;
    const reload = async () => {
      const before = outcomes();
      relay.program.child.kill('SIGHUP');
      while (outcomes() === before) await new Promise((resolve) => relay.program.child.stderr.once('data', resolve));
      return /not_reloaded/.test(relay.program.stderr.split('\n').findLast((line) => line.includes('reloaded')));
    };
    for (const [name, file] of Object.entries(files)) {
      rmSync(file);
      await make(file, t);
      assert.equal(await reload(), true, name);
      assert.equal((await relay.request('/healthz')).status, 200, name);
      assert.equal((await relay.request('/v1/sessions/none', { key: token })).status, 404, name);
      for (const one of [file, `${file}.fifo`]) rmSync(one, { recursive: true, force: true });
      fill[name]();
      assert.equal(await reload(), false, relay.program.stderr);
    }
    assert.deepEqual(await relay.program.stop(), { code: 0, signal: null });
  });
}
