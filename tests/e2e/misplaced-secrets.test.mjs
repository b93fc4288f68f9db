// A key or token in the place of an id is refused, and appears in no log line, list or file.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { holders } from './support/holders.mjs';
import { refusal, run, startRelay, startSimulator } from './support/verbatim.mjs';

const keys = {
  'a client token of another kind': 'ek_68af296e8e408191a1120ab6383263c2',
  "a back end's key": 'vk_Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56Qr78St90Uv1',
  "a provider's key": 'sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56',
  "the relay's own key for the provider": 'simulated.provider.key-1',
  'a web token': 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N',
};

const start = async (t) =>
  startRelay(t, {
    simulator: await startSimulator(t),
    env: { VERBATIM_UPSTREAM_API_KEY: keys["the relay's own key for the provider"] },
  });

/** Every place for an id: what is sent with `key` in it. */
const places = {
  'the session of a WebSocket': (relay, key) =>
    relay.mint({ user: 'ann' }).then((token) => refusal(relay, { token, query: { session: key } })),
  'the session of a WebSocket with a back end\'s key': (relay, key) =>
    refusal(relay, { token: relay.key, query: { session: key } }),
  'the model of a WebSocket': (relay, key) =>
    relay.mint({ user: 'ann' }).then((token) => refusal(relay, { token, query: { model: key } })),
  "a token's session": (relay, key) => secret(relay, { verbatim: { user: 'ann', session_id: key } }),
  "a token's user": (relay, key) => secret(relay, { verbatim: { user: key } }),
  "a token's model": (relay, key) => secret(relay, { session: { type: 'realtime', model: key } }),
  'a session made ahead': (relay, key) => post(relay, '/v1/sessions', { session_id: key, user: 'ann' }),
  'its user': (relay, key) => post(relay, '/v1/sessions', { user: key }),
  'a writer': async (relay, key) => {
    const { json } = await post(relay, '/v1/sessions', { user: 'ann' });
    return post(relay, `/v1/sessions/${json.id}/transcript`, { writer: key, turns: [{ role: 'user', text: 'Hi.' }] });
  },
};

const post = (relay, path, body) => relay.request(path, { method: 'POST', body });
const secret = (relay, body) => post(relay, '/v1/realtime/client_secrets', body);

describe('is refused in the place of an id, and is kept and logged nowhere [P10]:', () => {
  for (const [what, key] of Object.entries(keys)) {
    test(what, async (t) => {
      const relay = await start(t);
      for (const [place, send] of Object.entries(places)) {
        const { status, text } = await send(relay, key);
        assert.equal(status, 400, `${place}: ${text}`);
        assert.match(text, /key or a token|1 to 128/, place);
        assert.ok(!text.includes(key), `${place} is not given back`);
      }
      assert.equal((await relay.request(`/v1/sessions/${key}`, { method: 'DELETE' })).status, 404);
      assert.equal((await relay.request(`/v1/client_secrets/${key}`, { method: 'DELETE' })).status, 404);
      const { text } = await relay.request('/v1/sessions');
      assert.ok(!text.includes(key));
      assert.deepEqual(holders([relay.dataDir], key), []);
      await relay.program.stop();
      assert.ok(!relay.program.stderr.includes(key), relay.program.stderr);
    });
  }

  test('its own token, in the URL', async (t) => {
    const relay = await start(t);
    const token = await relay.mint();
    assert.equal((await refusal(relay, { token, query: { session: token } })).status, 400);
    assert.equal((await refusal(relay, { token: relay.key, query: { session: relay.key } })).status, 400);
    await relay.program.stop();
    for (const one of [token, relay.key]) assert.ok(!relay.program.stderr.includes(one));
  });
});

test('a key that is given for the name of its file is not printed [P10]', async () => {
  const key = keys["a provider's key"];
  for (const name of ['upstream.api_key_file', 'auth.token_secret_file', 'tls.key_file', 'upstream.url', 'server.listen']) {
    for (const command of ['check', 'serve']) {
      const { code, stdout, stderr } = await run([command, '--set', `${name}=${key}`]);
      assert.notEqual(code, 0, `${command} ${name}`);
      assert.ok(!(stdout + stderr).includes(key), `${command} ${name}: ${stderr}`);
    }
  }
  for (const option of ['--user', '--session']) {
    const { code, stderr } = await run(['token', '--user', 'ann', option, key]);
    assert.equal(code, 2, stderr);
    assert.ok(!stderr.includes(key), stderr);
  }
});
