// SIGHUP: what changes while the relay runs, what does not, and what a mistake does.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually, sharedSimulator } from './support/cell.mjs';
import { Collector } from './support/collector.mjs';
import { Program, whenReady } from './support/process.mjs';
import { Provider } from './support/provider.mjs';
import { Receiver } from './support/receiver.mjs';
import { Client, makeKey, refusal, run, startRelay, startSimulator, temporaryDirectory, within } from './support/verbatim.mjs';

/** A relay with a configuration file that a test changes. `set` is beyond a reload's reach. */
class Reloadable {
  static async start(t, sections, options = {}) {
    const one = new Reloadable();
    one.file = join(temporaryDirectory(t), 'verbatim.toml');
    one.key = makeKey();
    one.write(sections);
    one.relay = await startRelay(t, { key: one.key, config: one.file, ...options });
    return one;
  }

  write(sections) {
    const all = { ...sections, auth: `api_keys = ["${this.key.hash}"]\n${sections.auth ?? ''}` };
    writeFileSync(this.file, Object.entries(all).map(([name, keys]) => `[${name}]\n${keys}\n`).join('\n'));
  }

  /** Reloads; resolves with the log lines of it. */
  async reload(sections, outcome = 'server.reloaded') {
    this.write(sections);
    const { program } = this.relay;
    const before = program.stderr.length;
    program.child.kill('SIGHUP');
    let look;
    const done = new Promise((resolve) => {
      look = () => program.stderr.slice(before).includes(outcome) && resolve();
      program.child.stderr.on('data', look);
    });
    await within(done, outcome).finally(() => program.child.stderr.off('data', look));
    // The next request comes after everything that the reload logs.
    await this.relay.request('/healthz');
    return program.stderr.slice(before);
  }

  async config() {
    return (await this.relay.request('/v1/config')).json;
  }
}

const simulator = sharedSimulator();

/** Each: a key, its section before and after, and a look that finds the value in force. */
const simple = [
  ['server.console', { server: 'console = true' }, { server: 'console = false' }, async ({ relay }) => (await relay.request('/')).status, 200, 404],
  ['server.allowed_origins', {}, { server: 'allowed_origins = ["https://app.example"]' },
    async ({ relay }) => (await relay.request('/v1/sessions', { headers: { origin: 'https://app.example' } })).headers['access-control-allow-origin'], undefined, 'https://app.example'],
  ['server.header_bytes_max', {}, { server: 'header_bytes_max = "2KiB"' }, async ({ relay }) => (await relay.request('/healthz', { headers: { x: 'x'.repeat(4000) } })).status, 200, 431],
  ['server.body_bytes_max', {}, { server: 'body_bytes_max = "1KiB"' },
    async ({ relay }) => (await relay.request('/v1/sessions/none/transcript', { method: 'POST', body: { role: 'user', text: 'x'.repeat(2000) } })).status, 404, 413],
  ['session.client_message_bytes_max', {}, { session: 'client_message_bytes_max = "1KiB"' },
    async ({ relay, t }) => {
      const client = await Client.connect(t, relay, { token: await relay.mint() });
      await client.event('session.created');
      client.send({ type: 'session.update', session: { type: 'realtime', instructions: 'x'.repeat(2000) } });
      return Promise.race([client.event('session.updated').then(() => 'taken', () => {}), client.closed.then(({ code }) => code)]);
    }, 'taken', 1009],
  ['tls.hsts_max_age', { tls: 'hsts_max_age = "1h"' }, { tls: 'hsts_max_age = "2h"' },
    async ({ relay }) => (await relay.request('/v1/sessions', { headers: { host: 'voice.example' } })).headers['strict-transport-security'], 'max-age=3600', 'max-age=7200'],
  ['auth.token_ttl', { auth: 'token_ttl = "10m"' }, { auth: 'token_ttl = "5m"' },
    async ({ relay }) => {
      const { json } = await relay.request('/v1/realtime/client_secrets', { method: 'POST', body: { session: { type: 'realtime' } } });
      return Math.round((json.expires_at - Date.now() / 1000) / 60);
    }, 10, 5],
  ['limits.connects_per_minute', {}, { limits: 'connects_per_minute = 1' },
    async ({ relay }) => [await refusal(relay, { token: 'ek_no' }), await refusal(relay, { token: 'ek_no' })].map(({ status }) => status).join(), '401,401', '401,429'],
  ['posts.turns_max', {}, { posts: 'turns_max = 1' },
    async ({ relay }) => (await relay.request('/v1/sessions/none/transcript', { method: 'POST', body: { turns: [{ role: 'user', text: 'a' }, { role: 'user', text: 'b' }] } })).status, 404, 413],
  ['posts.per_minute', {}, { posts: 'per_minute = 1' },
    async ({ relay }) => {
      const post = () => relay.request('/v1/sessions/none/transcript', { method: 'POST', body: { role: 'user', text: 'a' } });
      return [await post(), await post()].map(({ status }) => status).join();
    }, '404,404', '429,429'],
];

describe('a key that changes while running has its effect after SIGHUP, without a restart [reload]', { concurrency: 4 }, () => {
  for (const [name, before, after, look, was, is] of simple) {
    test(name, async (t) => {
      const reloadable = await Reloadable.start(t, before, { simulator });
      reloadable.t = t;
      assert.deepEqual(await look(reloadable), was);
      const log = await reloadable.reload(after);
      assert.match(log, new RegExp(`server\\.reloaded.*${name.replaceAll('.', '\\.')}`));
      assert.deepEqual(await look(reloadable), is);
    });
  }

  test('log.format and log.level', async (t) => {
    const reloadable = await Reloadable.start(t, {});
    const { program } = reloadable.relay;
    const [line] = (await reloadable.reload({ log: 'format = "json"' })).split('\n').filter((one) => one.includes('server.reloaded'));
    assert.equal(JSON.parse(line).changed, 'log.format');
    const before = program.stderr.length;
    reloadable.write({ log: 'level = "error"' });
    program.child.kill('SIGHUP');
    await eventually(async () => (await reloadable.config()).log.level === 'error', 'the level');
    await reloadable.reload({ log: 'level = "loud"' }, 'server.not_reloaded');
    assert.deepEqual(program.stderr.slice(before).trim().split('\n').map((one) => /server\.\w+/.exec(one)?.[0]), ['server.not_reloaded']);
  });

  test('webhook.targets: one is added, gets another URL, and is removed; each message is received once', async (t) => {
    const [first, second, third] = [await Receiver.start(t), await Receiver.start(t), await Receiver.start(t)];
    const everything = `, name='crm', events=['session.started','session.ended']`;
    const webhook = (...list) => ({ webhook: `settle = "0s"\ntargets = [${list.join(', ')}]` });
    const reloadable = await Reloadable.start(t, {}, { simulator: await startSimulator(t) });
    const { relay } = reloadable;
    const talk = async () => {
      const client = await Client.connectWithId(t, relay);
      await client.event('session.created');
      await client.close();
      await relay.transcript(client.id);
      return client.id;
    };
    await talk();
    assert.match(await reloadable.reload(webhook(first.target(t, everything))), /server\.reloaded.*webhook\.targets/);
    let release;
    const held = new Promise((resolve) => (release = resolve));
    first.answer = ({ type }) => (type === 'session.ended' ? held.then(() => 204) : 204);
    const id = await talk();
    await first.until('session.ended');
    await reloadable.reload(webhook(second.target(t, everything), third.target(t, `, name='other'`)));
    assert.deepEqual((await reloadable.config()).webhook.targets.map(({ url }) => url), [second.url, third.url]);
    const later = await talk();
    await third.until('session.ended');
    assert.equal(second.calls.length, 0, 'the call at the old URL ends first');
    release();
    await second.until('session.ended');
    assert.deepEqual(first.calls.map(({ type, data }) => [type, data.session_id]), [['session.started', id], ['session.ended', id]]);
    assert.deepEqual(second.calls.map(({ type, data }) => [type, data.session_id]), [['session.started', later], ['session.ended', later]]);
    const { text } = await relay.request('/metrics');
    assert.match(text, /^verbatim_webhook_calls_total\{target="crm",result="delivered"\} 4$/m);
    await reloadable.reload(webhook(third.target(t, `, name='other'`)));
    const last = await talk();
    await eventually(() => third.of('session.ended').some(({ data }) => data.session_id === last), 'the last end');
    assert.equal(second.calls.length, 2);
    const { json } = await relay.request('/v1/webhooks/deliveries?state=waiting');
    assert.deepEqual(json.deliveries ?? json.data, []);
  });

  test('webhook.retry_max and webhook.refused_tries_max, for messages that wait too', async (t) => {
    const receiver = await Receiver.start(t);
    receiver.answer = () => 422;
    const webhook = (more) => ({ webhook: `settle = "0s"\nretry_min = "20ms"\nretry_max = "50ms"\n${more}\ntargets = [${receiver.target(t, `, events=['session.ended']`)}]` });
    const reloadable = await Reloadable.start(t, webhook('refused_tries_max = 1000'), { simulator: await startSimulator(t) });
    const client = await Client.connectWithId(t, reloadable.relay);
    await client.close();
    await receiver.until('session.ended', 4);
    await reloadable.reload(webhook('refused_tries_max = 3'));
    await reloadable.relay.program.logged('webhook.dead');
  });

  test('trace.*: traces begin, go to another collector, and end', async (t) => {
    const [first, second] = [await Collector.start(t), await Collector.start(t)];
    const trace = (collector, more = '') => ({ trace: `otlp_url = "${collector?.url ?? ''}"\nbatch_interval = "100ms"\n${more}` });
    const reloadable = await Reloadable.start(t, {}, { simulator: await startSimulator(t) });
    const { relay } = reloadable;
    const talk = async () => {
      const client = await Client.connectWithId(t, relay);
      await client.ask('Who listens?');
      await client.close();
      return client.id;
    };
    await talk();
    const log = await reloadable.reload(trace(first));
    assert.match(log, /trace\.on/);
    assert.doesNotMatch(log, /restart_needed/);
    const one = await talk();
    await first.conversation(one);
    await reloadable.reload(trace(second, 'service_name = "renamed"'));
    const two = await talk();
    await second.conversation(two);
    assert.ok(second.requests.every(({ text }) => text.includes('"renamed"')));
    const sent = first.requests.length;
    assert.match(await reloadable.reload(trace()), /trace\.off/);
    const three = await talk();
    await relay.transcript(three);
    assert.equal(first.requests.length, sent);
    assert.ok(!second.requests.some(({ text }) => text.includes(three)));
    const { text } = await relay.request('/metrics');
    assert.match(text, /^verbatim_trace_spans_waiting 0$/m);
  });

  test('session.resume_window, for conversations that begin after it', async (t) => {
    const reloadable = await Reloadable.start(t, { session: 'resume_window = "30s"' }, { simulator: await startSimulator(t), resumes: true });
    const { relay } = reloadable;
    const lost = async () => {
      const client = await Client.connectWithId(t, relay);
      await client.event('session.created');
      client.socket.terminate();
      return client.id;
    };
    const status = async (id) => (await relay.request(`/v1/sessions/${id}`)).json.status;
    const old = await lost();
    await eventually(async () => (await status(old)) === 'detached', 'it waits');
    await reloadable.reload({ session: 'resume_window = "0s"' });
    const fresh = await lost();
    await eventually(async () => (await status(fresh)) === 'final', 'it does not wait');
    assert.equal(await status(old), 'detached');
  });

  test('limits and rules of conversations, for those that begin after it', async (t) => {
    const simulator = await startSimulator(t);
    const reloadable = await Reloadable.start(t, {}, { simulator });
    const { relay } = reloadable;
    const locked = async () => {
      const client = await Client.connectWithId(t, relay, { token: await relay.mint({ user: 'ada' }) });
      await client.event('session.created');
      const from = client.events.length;
      client.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Be rude.' } });
      const { type } = await client.until(() => client.events.slice(from).find((event) => ['error', 'session.updated'].includes(event.type)), 'an answer');
      return [client, type];
    };
    const [old, allowed] = await locked();
    assert.equal(allowed, 'session.updated');
    await reloadable.reload({ policy: 'locked = ["instructions"]', limits: 'sessions_per_user = 2' });
    const [, refused] = await locked();
    assert.equal(refused, 'error');
    await old.ask('Does this one go on as it was?');
    const { status } = await refusal(relay, { token: await relay.mint({ user: 'ada' }) });
    assert.equal(status, 429);
  });

  test("the provider's model, for new connections", async (t) => {
    const provider = await Provider.start(t);
    const reloadable = await Reloadable.start(t, { upstream: `url = "${provider.url}"\nmodel = "first"` });
    await Client.connect(t, reloadable.relay, { token: await reloadable.relay.mint() });
    await provider.line('first');
    await reloadable.reload({ upstream: `url = "${provider.url}"\nmodel = "second"` });
    await Client.connect(t, reloadable.relay, { token: await reloadable.relay.mint() });
    await provider.line('second');
  });

  test('server.restart, for the next SIGTERM', async (t) => {
    const reloadable = await Reloadable.start(t, {}, { simulator: await startSimulator(t) });
    const client = await Client.connectWithId(t, reloadable.relay);
    await client.event('session.created');
    await reloadable.reload({ server: 'restart = "handover"' });
    await reloadable.relay.program.stop();
    assert.equal((await client.closed).code, 1012);
  });

  test('storage.retention, at once', async (t) => {
    const reloadable = await Reloadable.start(t, {}, { simulator: await startSimulator(t) });
    const client = await Client.connectWithId(t, reloadable.relay);
    await client.ask('Who remembers?');
    await client.close();
    await reloadable.relay.transcript(client.id);
    await reloadable.reload({ storage: 'retention = "1ms"' });
    await reloadable.relay.program.logged('session.erased');
    assert.equal((await reloadable.relay.request(`/v1/sessions/${client.id}`)).status, 404);
  });

  test('server.connections_per_address and server.trusted_proxies', async (t) => {
    const reloadable = await Reloadable.start(t, { server: 'trusted_proxies = []' });
    const { relay } = reloadable;
    const attempt = () => refusal(relay, { token: 'ek_no', headers: { 'x-forwarded-for': '192.0.2.7' } });
    await attempt();
    assert.doesNotMatch(relay.program.stderr, /192\.0\.2\.7/);
    await reloadable.reload({ server: 'trusted_proxies = ["127.0.0.1"]\nconnections_per_address = 2' });
    await attempt();
    await relay.program.logged('192.0.2.7');
  });
});

test('a changed key that needs a restart is named, and stays as it was [reload]', async (t) => {
  const reloadable = await Reloadable.start(t, { server: 'threads = 1', journal: 'slow_commit = "1s"' });
  const log = await reloadable.reload({ server: 'threads = 2\nshutdown_grace = "4s"', journal: 'slow_commit = "2s"' }, 'server.restart_needed');
  assert.match(log, /server\.restart_needed.*server\.threads, journal\.slow_commit/);
  assert.match(log, /server\.reloaded.*server\.shutdown_grace/);
  const { server, journal } = await reloadable.config();
  assert.deepEqual([server.threads, server.shutdown_grace, journal.slow_commit], [1, '4s', '1s']);
  const again = await reloadable.reload({ server: 'threads = 1\nshutdown_grace = "4s"' });
  assert.doesNotMatch(again, /restart_needed/);
});

for (const [what, wrong] of [
  ['an unknown key', { session: 'idle_timout = "1m"' }],
  ['a bad value', { session: 'idle_timeout = "soon"' }],
  ['text that is not TOML', { session: 'idle_timeout = = 1' }],
  ['a policy field that does not exist', { policy: 'locked = ["instrutcions"]' }],
  ['a certificate that is not there', { tls: 'cert_file = "/nowhere/cert.pem"\nkey_file = "/nowhere/key.pem"' }],
]) {
  test(`${what} in the new file is a clear error, and everything stays as it was [reload]`, async (t) => {
    const reloadable = await Reloadable.start(t, { server: 'console = true' });
    const before = await reloadable.config();
    const [section] = Object.keys(wrong);
    const log = await reloadable.reload({ server: 'console = false', ...wrong }, 'server.not_reloaded');
    assert.match(log, section === 'tls' ? /nowhere/ : section === 'policy' ? /instrutcions/ : /verbatim\.toml:\d+/);
    assert.deepEqual(await reloadable.config(), before);
    assert.equal((await reloadable.relay.request('/')).status, 200);
    await reloadable.reload({ server: 'console = false' });
    assert.equal((await reloadable.relay.request('/')).status, 404);
  });
}

test('the configuration in force is shown to a back end as the check prints it, without a secret [P10]', async (t) => {
  const secret = 'a-secret-that-nobody-may-see';
  const key = 'sk-a-key-that-nobody-may-see';
  const directory = temporaryDirectory(t);
  const hook = join(directory, 'hook');
  writeFileSync(hook, `whsec_${Buffer.from('nobody-may-see-this-hook').toString('base64')}`);
  const set = [
    'server.listen=127.0.0.1:0',
    `webhook.targets=[{url='https://hooks.example/verbatim?key=nobody-may-see-this', secret_file='${hook}', name='billing', events=['session.ended']}]`,
    'upstream.url=wss://provider.example/v1/realtime?token=nobody-may-see-this',
  ];
  const env = { VERBATIM_AUTH_TOKEN_SECRET: secret, VERBATIM_UPSTREAM_API_KEY: key, VERBATIM_UPSTREAM_PROXY: 'http://user:nobody-may-see-this@127.0.0.1:1' };
  const relay = await startRelay(t, { set, env });
  const { status, json, text } = await relay.request('/v1/config');
  assert.equal(status, 200);
  assert.doesNotMatch(text, /nobody|whsec_/);
  assert.equal(json.auth.token_secret, '***');
  assert.deepEqual(json.webhook.targets, [{ name: 'billing', url: 'https://hooks.example/verbatim?key=***', events: ['session.ended'] }]);
  const { stdout } = await run(['check', '--json', ...set.flatMap((one) => ['--set', one])], { env });
  const sections = Object.fromEntries(Object.entries(JSON.parse(stdout)).map(([name, keys]) => [name, Object.keys(keys)]));
  assert.deepEqual(Object.fromEntries(Object.entries(json).map(([name, keys]) => [name, Object.keys(keys)])), sections);
  assert.equal((await relay.request('/v1/config', { key: await relay.mint() })).status, 403);
  assert.equal((await relay.request('/v1/config', { key: undefined })).status, 401);
});

test('a SIGHUP during the start is carried out after it', async (t) => {
  const directory = temporaryDirectory(t);
  const program = new Program(['serve', '--ready-file', join(directory, 'ready.json'),
    '--set', 'server.listen=127.0.0.1:0', '--set', `server.data_dir=${temporaryDirectory(t)}`]);
  t.after(() => program.stop('SIGKILL'));
  await program.logged('recovery.done');
  program.child.kill('SIGHUP');
  await whenReady(program, directory, 'ready.json');
  await program.logged('server.reloaded');
});

test('a directory in the place of the configuration file is refused at the start, by check and by a reload', async (t) => {
  const directory = temporaryDirectory(t);
  for (const command of ['serve', 'check']) {
    const { code, stderr } = await run([command, '--config', directory]);
    assert.equal(code, 2);
    assert.match(stderr, /cannot be read: it is a directory, not a file/);
  }
  const one = await Reloadable.start(t, { log: 'level = "info"' });
  rmSync(one.file);
  mkdirSync(one.file);
  one.relay.program.child.kill('SIGHUP');
  await one.relay.program.logged('it is a directory, not a file');
  assert.equal((await one.relay.request('/v1/sessions')).status, 200, 'the key is still valid');
});
