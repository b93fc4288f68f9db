// `verbatim doctor` says in plain words what is wrong with the relay, its machine and its provider, and what to do.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { S3 } from './support/s3.mjs';
import { run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const key = 'sk-a-provider-key-that-is-never-printed';
const set = (assignments) => Object.entries(assignments).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

/** A provider that answers `GET .../models` with this, and remembers what it was asked. */
async function provider(t, status, body = '{}', headers = {}) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { asked, url: `ws://127.0.0.1:${server.address().port}/v1/realtime` };
}

/** The doctor's words about each subject, and its exit code. */
async function examine(t, assignments = {}, env = { VERBATIM_UPSTREAM_API_KEY: key }) {
  const dataDir = assignments['server.data_dir'] ?? temporaryDirectory(t);
  const args = ['doctor', '--json', ...set({ 'server.listen': '127.0.0.1:0', 'server.data_dir': dataDir, ...assignments })];
  const { code, stdout, stderr } = await run(args, { env });
  assert.ok(!(stdout + stderr).includes(key), 'a key was printed');
  const { healthy, checks } = JSON.parse(stdout);
  return { code, healthy, checks, about: (subject) => checks.filter((one) => one.subject === subject) };
}

test('each subject is examined, in words or as JSON, and every fault has an advice', async (t) => {
  const { url } = await provider(t, 200, JSON.stringify({ data: [{ id: 'gpt-realtime' }] }));
  const { code, healthy, checks } = await examine(t, { 'upstream.url': url, 'upstream.model': 'gpt-realtime' });
  const subjects = new Set(checks.map(({ subject }) => subject));
  assert.deepEqual([...subjects], ['relay', 'configuration', 'ports', 'tls', 'provider', 'disk', 'space', 'clock', 'limits']);
  for (const { health, what, advice } of checks) {
    assert.match(health, /^(ok|warning|problem)$/);
    if (health !== 'ok') assert.match(advice, /\.$/, what);
  }
  const faults = checks.filter(({ health }) => health === 'problem');
  assert.equal(healthy, faults.length === 0);
  assert.equal(code, healthy ? 0 : 1);
  const words = await run(['doctor', ...set({ 'server.listen': '127.0.0.1:0', 'server.data_dir': temporaryDirectory(t), 'upstream.url': url })]);
  assert.match(words.stdout, /^ok {7}ports: server\.listen: port 0 picks a free port$/m);
  assert.match(words.stdout, /^\d+ problems, \d+ warnings$/m);
});

test('the provider is asked for its models with the key, and for no conversation', async (t) => {
  const { url, asked } = await provider(t, 200, JSON.stringify({ data: [{ id: 'gpt-realtime' }] }));
  const { about } = await examine(t, { 'upstream.url': `${url}?api-version=7`, 'upstream.model': 'gpt-realtime' });
  assert.deepEqual(asked.map(({ method, url: target }) => `${method} ${target}`), ['GET /v1/models?api-version=7']);
  assert.equal(asked[0].headers.authorization, `Bearer ${key}`);
  assert.equal(asked[0].headers.upgrade, undefined);
  const [{ health, what }] = about('provider');
  assert.equal(health, 'ok', what);
  assert.match(what, /accepts the key \(connected in \d+ ms, answered in \d+ ms\)/);
});

for (const [status, body, health, says, advice] of [
  [401, '{}', 'problem', /refuses the key: HTTP status 401/, /upstream\.api_key_file/],
  [200, '{"data":[{"id":"another"}]}', 'warning', /does not list the model gpt-realtime/, /upstream\.model/],
  [429, '{}', 'warning', /limit is used up/, /credit/],
  [500, '{}', 'warning', /in trouble: HTTP status 500/, /status page/],
  [404, '{}', 'ok', /lists no models \(404\): the key is not checked/, /^$/],
]) {
  test(`a provider that answers ${status} ${body} is ${health}`, async (t) => {
    const { url } = await provider(t, status, body);
    const { about } = await examine(t, { 'upstream.url': url, 'upstream.model': 'gpt-realtime' });
    const [one] = about('provider');
    assert.equal(one.health, health);
    assert.match(one.what, says);
    assert.match(one.advice ?? '', advice);
  });
}

test('a provider that is not there, and one whose certificate is unknown, have different advice', async (t) => {
  const gone = await examine(t, { 'upstream.url': 'ws://127.0.0.1:1/v1/realtime' });
  assert.match(gone.about('provider')[0].what, /no answer from 127\.0\.0\.1:1: Couldn't connect/);
  assert.equal(gone.code, 1);
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const { about } = await examine(t, { 'upstream.url': relay.wsUrl.replace('127.0.0.1', 'localhost') });
  assert.match(about('provider')[0].advice, /upstream\.ca_file/);
  const trusted = await examine(t, { 'upstream.url': relay.wsUrl, 'upstream.ca_file': relay.certificate });
  assert.notEqual(trusted.about('provider')[0].what, about('provider')[0].what);
});

const withBucket = (s3) => Object.fromEntries(s3.settings().map((one) => one.split(/=(.*)/s).slice(0, 2)));

test('a bucket that accepts the keys is reported, and nothing is written to it', async (t) => {
  const s3 = await S3.start(t);
  const { about } = await examine(t, withBucket(s3));
  const [{ health, what }] = about('bucket');
  assert.equal(health, 'ok', what);
  assert.match(what, /127\.0\.0\.1:\d+\/calls accepts the keys/);
  assert.deepEqual(s3.calls.map(({ method }) => method), ['GET']);
  const without = await examine(t);
  assert.deepEqual(without.about('bucket'), []);
});

for (const [fault, change, says] of [
  ['a wrong secret key', { secretKey: 'another' }, /SignatureDoesNotMatch: recording\.s3_secret_key is wrong/],
  ['an unknown access key', { accessKey: 'AKIDOTHER' }, /InvalidAccessKeyId: recording\.s3_access_key is not known/],
  ['another region', { region: 'eu-other-1' }, /in the region eu-other-1: set recording\.s3_region/],
  ['a bucket that is not there', { bucket: 'others' }, /NoSuchBucket: there is no such bucket: see recording\.s3_bucket/],
  ['a clock that is wrong', { now: () => Date.now() + 3_600_000 }, /RequestTimeTooSkewed: the clocks differ too much/],
  ['no right to list', { fault: () => ({ status: 403, code: 'AccessDenied' }) }, /AccessDenied: the key lacks a right/],
]) {
  test(`a bucket with ${fault} is a problem with an advice`, async (t) => {
    const s3 = await S3.start(t);
    const settings = withBucket(s3);
    Object.assign(s3, change);
    const { about } = await examine(t, settings);
    const [{ health, what, advice }] = about('bucket');
    assert.equal(health, 'problem', what);
    assert.match(what, says);
    assert.match(advice, /docs\/recording\.md lists the rights/);
    assert.ok(!what.includes(s3.secretKey), 'the secret key was printed');
  });
}

test('a service without this list passes; a service that does not answer does not', async (t) => {
  const s3 = await S3.start(t);
  s3.fault = () => ({ status: 501, code: 'NotImplemented' });
  assert.equal((await examine(t, withBucket(s3))).about('bucket')[0].health, 'ok');
  s3.stop();
  const [{ health, what }] = (await examine(t, withBucket(s3))).about('bucket');
  assert.equal(health, 'problem');
  assert.match(what, /Couldn't connect|Failed to connect/);
});

test('a clock that differs from the provider\'s is found, and files from the future are', async (t) => {
  const { url } = await provider(t, 404, '{}', { date: new Date(Date.now() - 600_000).toUTCString() });
  const late = await examine(t, { 'upstream.url': url });
  assert.ok(late.about('clock').some(({ health, what }) => health === 'problem' && /differs from the provider's by (600|59\d|60\d) s/.test(what)));
  const dataDir = temporaryDirectory(t);
  writeFileSync(join(dataDir, 'file'), '', { mode: 0o600 });
  const future = Date.now() / 1000 + 3600;
  utimesSync(join(dataDir, 'file'), future, future);
  const { about } = await examine(t, { 'server.data_dir': dataDir, 'upstream.url': url });
  assert.ok(about('clock').some(({ what }) => /ahead of the clock: it was set back/.test(what)));
});

test('a port of another program, and one that is not of this machine, are found', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const taken = await examine(t, { 'server.listen': `127.0.0.1:${other.address().port}` });
  assert.match(taken.about('ports')[0].what, /cannot listen on .*Address already in use/);
  assert.match(taken.about('ports')[0].advice, /Stop the program that uses it/);
  const foreign = await examine(t, { 'metrics.listen': '192.0.2.1:9999' });
  assert.match(foreign.about('ports')[1].what, /metrics\.listen: cannot listen on 192\.0\.2\.1:9999/);
});

test('beside a running relay it names the process, asks it, and leaves it alone', async (t) => {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const { about } = await examine(t, { 'server.data_dir': relay.dataDir, 'server.listen': new URL(relay.url).host });
  assert.match(about('relay')[0].what, new RegExp(`a relay uses .* \\(process ${relay.program.child.pid}\\)`));
  assert.match(about('ports')[0].what, /the relay answers at https:/);
  assert.equal(about('ports')[0].health, 'ok');
  const elsewhere = await examine(t, { 'server.data_dir': relay.dataDir, 'server.listen': '127.0.0.1:1' });
  assert.match(elsewhere.about('ports')[0].what, /holds the data directory, but .* does not answer/);
  assert.equal((await relay.request('/readyz')).status, 200);
});

test('a sync of the data folder is measured, and nothing is left in it', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'data');
  mkdirSync(dataDir);
  chmodSync(dataDir, 0o700);
  const { about } = await examine(t, { 'server.data_dir': dataDir });
  assert.match(about('disk')[0].what, /a sync takes \d+\.\d\d ms, at most \d+\.\d\d ms|is in memory/);
  assert.match(about('space')[0].what, /\d+(MiB|GiB) of \d+(MiB|GiB) are free/);
  const { readdirSync } = await import('node:fs');
  assert.deepEqual(readdirSync(dataDir), []);
});

test('a configuration that cannot be read exits with 2, and the machine is still examined', async (t) => {
  const { code, about } = await examine(t, { 'session.idle_timeout': 'never' });
  assert.equal(code, 2);
  assert.match(about('configuration')[0].what, /session\.idle_timeout/);
  assert.ok(about('limits').length > 0);
});
