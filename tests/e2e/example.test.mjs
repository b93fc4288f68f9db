// The example of the README: it holds a conversation, and explains what a first attempt usually gets wrong.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Runs the example with this suite's packages. */
async function runExample(t, variables) {
  const directory = temporaryDirectory(t);
  cpSync(here('../../examples'), join(directory, 'examples'), { recursive: true, filter: (path) => !path.includes('node_modules') });
  symlinkSync(here('node_modules'), join(directory, 'node_modules'));
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  const child = spawn(process.execPath, ['examples/conversation.mjs'], { cwd: directory, env: { ...environment, ...variables } });
  const said = { out: '', err: '' };
  child.stdout.on('data', (bytes) => (said.out += bytes));
  child.stderr.on('data', (bytes) => (said.err += bytes));
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { ...said, code };
}

const certificateOf = (relay) => join(relay.dataDir, 'tls', 'cert.pem');

for (const [how, key] of [['in development mode', null], ['with a credential, on a relay with keys', undefined]]) {
  test(`the example talks, and prints the stored transcript: ${how}`, async (t) => {
    const relay = await startRelay(t, { key, simulator: await startSimulator(t) });
    const token = key === null ? {} : { VERBATIM_TOKEN: relay.key };
    const { code, out, err } = await runExample(t, { VERBATIM_URL: relay.url, NODE_EXTRA_CA_CERTS: certificateOf(relay), ...token });
    assert.equal(code, 0, err);
    assert.match(out, /--- stored as hello_\d+ ---\nUser: Hello! Who are you\?\nAssistant: \S/);
  });
}

test('without the certificate, the example says which file to name, and prints no stack', async (t) => {
  const relay = await startRelay(t);
  const { code, err } = await runExample(t, { VERBATIM_URL: relay.url });
  assert.equal(code, 1);
  assert.match(err, /does not trust the certificate/);
  assert.match(err, /NODE_EXTRA_CA_CERTS=data\/tls\/cert\.pem/);
  assert.doesNotMatch(err, /^ {4}at /m);
});

test('with a token that the relay does not know, the example says how to get one', async (t) => {
  const relay = await startRelay(t);
  const { code, err } = await runExample(t, { VERBATIM_URL: relay.url, NODE_EXTRA_CA_CERTS: certificateOf(relay), VERBATIM_TOKEN: 'ek_foreign' });
  assert.equal(code, 1);
  assert.match(err, /refused the credential \(401\)[\s\S]*verbatim token --user/);
});

test('without a relay, the example says that none listens', async (t) => {
  const relay = await startRelay(t);
  await relay.program.stop();
  const { code, err } = await runExample(t, { VERBATIM_URL: relay.url, NODE_EXTRA_CA_CERTS: certificateOf(relay) });
  assert.equal(code, 1);
  assert.match(err, /No relay listens/);
});
