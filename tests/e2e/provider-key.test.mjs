// The provider's key, which providers and gateways may repeat in error messages, reaches no client, no log line
// and no file.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { eventually } from './support/cell.mjs';
import { Client, makeKey, startRelay, temporaryDirectory, within } from './support/verbatim.mjs';

const key = 'sk-proj-a/b+4711';
const said = 'my-cat-has-died';

/** A provider that refuses with this answer, or accepts and does this. */
async function provider(t, { refusal, accepted = () => {} }) {
  const server = http.createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    if (refusal) return socket.end(refusal);
    sockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on('error', () => {});
      connection.send(JSON.stringify({ type: 'session.created', event_id: 'e0', session: { id: 's' } }));
      accepted(connection, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${server.address().port}/v1/realtime`;
}

async function start(t, behaviour, set = [], used = key) {
  const captured = temporaryDirectory(t);
  const relay = await startRelay(t, {
    env: { VERBATIM_UPSTREAM_API_KEY: used },
    set: [`upstream.url=${await provider(t, behaviour)}`, `capture.dir=${captured}`, 'log.level=debug', ...set],
  });
  relay.captured = captured;
  return relay;
}

function* files(directory) {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

/** Nowhere: in what the client got, in the log, in the store, in captured streams. */
async function assertHidden(relay, client, secrets = [key]) {
  const { reason } = await within(client.closed, 'the end');
  const transcript = await relay.transcript(client.id);
  const session = await relay.request(`/v1/sessions/${client.id}`);
  const metrics = await relay.request('/metrics');
  await relay.program.stop();
  const seen = {
    frames: client.frames.join('\n'),
    reason,
    log: relay.program.stderr,
    transcript: JSON.stringify(transcript),
    session: session.text,
    metrics: metrics.text,
  };
  for (const path of [...files(relay.dataDir), ...files(relay.captured)]) seen[path] = readFileSync(path, 'latin1');
  for (const [where, text] of Object.entries(seen)) {
    for (const secret of secrets) assert.ok(!text.includes(secret), `${secret} in ${where}`);
    assert.ok(!text.includes(key.replaceAll('/', '\\/')), `the escaped key in ${where}`);
  }
  return seen;
}

const answer = (status, body, more = '') =>
  `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${more}\r\n${body}`;

describe('refusals', { concurrency: 3 }, () => {
  for (const [what, refusal, code] of [
    ['its body', answer('401 Unauthorized', JSON.stringify({ error: { code: 'invalid_api_key', message: `Incorrect: ${key}` } })),
      'HTTP status 401, code invalid_api_key'],
    ['its code', answer('403 Forbidden', JSON.stringify({ error: { code: key, message: said } })), 'HTTP status 403)'],
    ['its status line', answer(`400 Bad key ${key} ${said}`, ''), 'HTTP status 400)'],
    ['a page', answer('502 Bad Gateway', `<html>Authorization: Bearer ${key} ${said}</html>`), 'HTTP status 502)'],
    ['a header', answer('429 Slow down', '{"error":{"type":"rate_limit"}}', `X-Key: ${key}\r\n`),
      'HTTP status 429, code rate_limit'],
  ]) {
    test(`a key that a provider repeats in ${what} of its refusal reaches no client [P10]`, async (t) => {
      const relay = await start(t, { refusal });
      const client = await Client.connectWithId(t, relay);
      const { error } = await client.event('error');
      assert.ok(error.message.startsWith('the provider refused the connection ('), error.message);
      assert.ok(error.message.includes(code), error.message);
      const { log } = await assertHidden(relay, client, [key, said]);
      const status = code.match(/\d+/)[0];
      assert.match(log, new RegExp(`upstream\\.unavailable .*status=${status}`));
    });
  }
});

describe('its later messages', { concurrency: 3 }, () => {
  test('an error event that repeats the key passes without it, all others byte for byte [P10][P9]', async (t) => {
    const escaped = key.replaceAll('/', '\\/');
    const errors = [key, escaped].map((shown) =>
      `{"type":"error", "event_id":"e1","error":{"type":"invalid_request_error","code":"invalid_api_key","message":"Incorrect API key: ${shown}."}}`);
    const other = '{"type":"error", "event_id":"e2","error":{"type":"x","code":null,"message":"no \\u0061ctive response"}}';
    const note = '{"type":"vendor.note","text":"a\\/b"}';
    const relay = await start(t, {
      accepted(connection) {
        for (const message of [...errors, other, note]) connection.send(message);
        connection.send(Buffer.from(errors[0])); // as a binary frame
        connection.send('{"type":"vendor.last"}');
      },
    });
    const client = await Client.connectWithId(t, relay);
    await client.event('vendor.last');
    const cut = errors[0].replace(key, '[hidden]');
    assert.deepEqual(client.frames.filter((frame) => frame.includes('invalid_api_key')), [cut, cut, cut]);
    assert.ok(client.frames.includes(other) && client.frames.includes(note));
    client.socket.close();
    await assertHidden(relay, client);
  });

  test('a frame that may be read as an error passes without the key, for every way to read it [P10]', async (t) => {
    const frames = [
      `{"type":"response.output_audio.delta","delta":"AAAA","type":"error","n":1,"message":"${key}"}`,
      `{"type":"vendor.note","n":2,"message":"${key}","type":"error"}`,
      `{"type":"vendor.note","Type":"error","n":3,"message":"${key}"}`,
      `{"type":"Error","n":4,"message":"${key}"}`,
      `{"type":"invalid_request_error","n":5,"message":"${key}"}`,
      `{"error":{"message":"${key}"},"n":6}`,
      `{"type":"vendor.note","error":{"message":"${key}"},"n":7}`,
      `[{"type":"error","n":8,"message":"${key}"}]`,
      `"Incorrect API key: ${key} (n:9)"`,
    ];
    const relay = await start(t, {
      accepted(connection) {
        for (const frame of frames) connection.send(frame);
        connection.send('{"type":"vendor.last"}');
      },
    });
    const client = await Client.connectWithId(t, relay);
    await client.event('vendor.last');
    const cut = frames.map((frame) => frame.replace(key, '[hidden]'));
    assert.deepEqual(client.frames.filter((frame) => /n"?:[1-9]/.test(frame)), cut);
    client.socket.close();
    await assertHidden(relay, client);
  });

  test('an error further within a frame passes without the key, and is kept without it [P10]', async (t) => {
    const item = {
      id: 'i1', type: 'mcp_call', status: 'failed', name: 'n', server_label: 's', arguments: '{}',
      error: { type: 'http_error', code: 401, message: `the server said: ${key}` },
    };
    const answered = { id: 'r1', object: 'realtime.response', status: 'failed', output: [item] };
    const details = { type: 'failed', error: { type: key, code: key, message: `${key}.` } };
    const frames = [
      { type: 'conversation.item.added', previous_item_id: null, item },
      { type: 'conversation.item.done', previous_item_id: null, item },
      { type: 'response.created', response: { ...answered, status: 'in_progress', output: [] } },
      { type: 'response.output_item.done', response_id: 'r1', output_index: 0, item },
      { type: 'response.done', response: { ...answered, status_details: details } },
      { type: 'response.done', response: { id: 'r2', status: 'failed', status_details: key } },
      { type: 'mcp_list_tools.failed', item_id: 'i2', error: { message: key } },
      { type: 'mcp_list_tools.failed', item_id: 'i2', message: key },
      { type: 'response.mcp_call.failed', item_id: 'i1', reason: { text: key } },
      { type: 'conversation.item.input_audio_transcription.failed', item_id: 'i3', content_index: 0, error: { code: key } },
    ].map((event, n) => JSON.stringify({ event_id: `k${n}`, ...event }));
    const relay = await start(t, {
      accepted(connection) {
        // Also as another library writes them.
        for (const frame of frames) connection.send(frame.replaceAll('/', '\\/'));
        for (const frame of frames) connection.send(frame.replaceAll('"k', '"again'));
        connection.send('{"type":"vendor.last"}');
      },
    });
    const client = await Client.connectWithId(t, relay);
    await client.event('vendor.last');
    const cut = frames.map((frame) => frame.replaceAll(key, '[hidden]'));
    const got = client.frames.filter((frame) => /"(k|again)\d/.test(frame));
    assert.deepEqual(got, [...cut, ...cut.map((frame) => frame.replaceAll('"k', '"again'))]);
    client.socket.close();
    await within(client.closed, 'the end');
    const { tool_calls: calls } = await relay.transcript(client.id);
    assert.match(JSON.stringify(calls), /the server said: \[hidden\]/);
    for (const format of ['markdown', 'jsonl']) {
      const { text } = await relay.request(`/v1/sessions/${client.id}/transcript?format=${format}`);
      assert.ok(!text.includes(key), format);
    }
    await assertHidden(relay, client);
  });

  test('a message that is not an error passes byte for byte, and is kept without the key [P10][P9]', async (t) => {
    const content = (text) => [{ type: 'output_text', text }];
    const text = `Say ${key.replaceAll('/', '\\/')} aloud.`;
    const frames = [
      `{"type":"conversation.item.added","event_id":"k1","previous_item_id":null, "item":{"id":"i1","type":"message","role":"user","content":[{"type":"input_text","text":"${text}"}]}}`,
      `{"type":"response.created","event_id":"k2","response":{"id":"r1","status":"in_progress","output":[]}}`,
      `{"type":"response.output_text.delta","event_id":"k3","response_id":"r1","item_id":"i2","content_index":0,"delta":"${text}"}`,
      JSON.stringify({
        type: 'response.done', event_id: 'k4',
        response: { id: 'r1', status: 'completed', output: [{ id: 'i2', type: 'message', role: 'assistant', content: content(`Say ${key} aloud.`) }] },
      }),
    ];
    const relay = await start(t, {
      accepted(connection) {
        for (const frame of frames) connection.send(frame);
        connection.send('{"type":"vendor.last"}');
      },
    });
    const client = await Client.connectWithId(t, relay);
    await client.event('vendor.last');
    assert.deepEqual(client.frames.filter((frame) => /"k\d/.test(frame)), frames);
    client.frames.length = 0;
    client.socket.close();
    await within(client.closed, 'the end');
    const { turns } = await relay.transcript(client.id);
    assert.deepEqual(turns.map(({ text }) => text), ['Say [hidden] aloud.', 'Say [hidden] aloud.']);
    await assertHidden(relay, client);
  });

  for (const [what, code, end] of [
    ['a refusal', 4001, 'upstream_error'],
    ['a normal close', 1000, 'upstream_closed'],
    ['the end of its session', 1001, 'upstream_closed'],
  ]) {
    test(`a close reason of the provider goes no further: ${what} [P10]`, async (t) => {
      const relay = await start(t, {
        accepted(connection) {
          connection.send(JSON.stringify({
            type: 'error', event_id: 'e1',
            error: { type: key, code: key, message: `${key}: ${said}` },
          }));
          connection.send('{"type":"vendor.note","event_id":"e2"}');
          connection.close(code, `${key} ${said}`);
        },
      });
      const client = await Client.connectWithId(t, relay);
      await within(client.closed, 'the close');
      const { close_reason } = await relay.transcript(client.id);
      assert.ok(['upstream_error', end].includes(close_reason));
      await assertHidden(relay, client);
    });
  }

  test('a failed response whose code is the key is counted as other [P10]', async (t) => {
    const plain = 'sk-proj-4711'; // it could be taken for an error code
    const relay = await start(t, {
      accepted(connection) {
        const response = { id: 'r1', object: 'realtime.response', output: [] };
        connection.send(JSON.stringify({ type: 'response.created', event_id: 'e1', response: { ...response, status: 'in_progress' } }));
        connection.send(JSON.stringify({
          type: 'response.done', event_id: 'e2',
          response: { ...response, status: 'failed', status_details: { type: 'failed', error: { code: plain } } },
        }));
      },
    }, [], plain);
    const client = await Client.connectWithId(t, relay);
    await client.event('response.done');
    client.socket.close();
    await within(client.closed, 'the close');
    const { responses } = (await relay.request(`/v1/sessions/${client.id}`)).json;
    assert.equal(responses.last_reason, 'other');
    await relay.program.stop();
    assert.ok(!relay.program.stderr.includes(plain));
  });
});

test("the provider's address is logged without what may be a secret in it [P10]", async (t) => {
  const url = await provider(t, {});
  const relay = await startRelay(t, { set: [`upstream.url=${url}?api-key=query-secret-1`] });
  await relay.program.stop();
  assert.match(relay.program.stderr, /server\.ready/);
  assert.ok(!relay.program.stderr.includes('query-secret-1'));
});

describe('a key that is replaced', { concurrency: 3 }, () => {
  const [first, second, third] = ['first-of-4711/keys+abc', 'second-of-4712-keys', 'third:of_4713.keys'];

  /** A relay whose key is in a file, and its connections to the provider in order. */
  async function withFile(t, set = []) {
    const file = join(temporaryDirectory(t), 'key');
    writeFileSync(file, `${first}\n`, { mode: 0o600 });
    const seen = [];
    const accepted = (socket, { headers }) => {
      // Only then the error does not answer a request of the relay itself.
      socket.on('message', (data) => {
        const { type, session } = JSON.parse(data);
        if (type === 'session.update') socket.send(JSON.stringify({ type: 'session.updated', event_id: 'e0', session }));
      });
      seen.push({ socket, headers });
    };
    const relay = await startRelay(t, {
      set: [
        `upstream.url=${await provider(t, { accepted })}`,
        `upstream.api_key_file=${file}`, 'upstream.reconnect_attempts_max=5', 'session.transcription_grace=0s', 'log.level=debug', ...set],
    });
    relay.captured = temporaryDirectory(t);
    let reloads = 0;
    const reload = async (outcome = 'server\\.reloaded') => {
      const count = () => relay.program.stderr.match(/server\.(not_)?reloaded/g)?.length ?? 0;
      process.kill(relay.program.pid, 'SIGHUP');
      ++reloads;
      await eventually(() => count() === reloads, 'the reload');
      assert.match(relay.program.stderr.slice(relay.program.stderr.lastIndexOf('server.')), new RegExp(`^${outcome}`));
    };
    const connect = async () => {
      const before = seen.length;
      const client = await Client.connectWithId(t, relay);
      await client.event('session.created');
      client.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'] } });
      await client.event('session.updated');
      return { client, provider: seen[before] };
    };
    return { relay, file, seen, reload, connect };
  }

  /** The provider repeats these keys in an error; the client sees none of them. */
  async function assertCut({ client, provider: { socket } }, keys) {
    const from = client.events.length;
    socket.send(JSON.stringify({ type: 'error', event_id: 'e1', error: { type: 'x', code: 'y', message: `Keys: ${keys.join(' and ')}.` } }));
    const { error } = await client.event('error', from);
    assert.equal(error.message, `Keys: ${keys.map(() => '[hidden]').join(' and ')}.`);
  }

  test('is shown by new connections after SIGHUP, and each that was one stays hidden [P10]', async (t) => {
    const { relay, file, seen, reload, connect } = await withFile(t);
    const one = await connect();
    assert.equal(one.provider.headers.authorization, `Bearer ${first}`);
    writeFileSync(file, `${second}\n`);
    await reload();
    // The running conversation keeps its connection, and must get neither key.
    assert.equal(seen.length, 1);
    await assertCut(one, [first, second]);
    const two = await connect();
    assert.equal(two.provider.headers.authorization, `Bearer ${second}`);
    await assertCut(two, [first, second]);
    writeFileSync(file, `${third}\n`);
    await reload();
    const three = await connect();
    assert.equal(three.provider.headers.authorization, `Bearer ${third}`);
    for (const each of [one, two, three]) await assertCut(each, [third, second, first]);
    // A conversation that must connect again uses the newest key.
    one.provider.socket.terminate();
    await eventually(() => seen.length === 4, 'another connection');
    assert.equal(seen[3].headers.authorization, `Bearer ${third}`);
    // None of them may be an id.
    for (const id of [second, third]) {
      const refused = await relay.request('/v1/sessions', { method: 'POST', body: { session_id: id } });
      assert.equal(refused.status, 400, refused.text);
    }
    three.provider.socket.close(4001, `bad key ${second} ${third}`);
    two.provider.socket.close(4001, third);
    for (const { client } of [one, two, three]) await client.close();
    await assertHidden(relay, three.client, [first, second, third]);
  });

  test('stays in use as long as nothing takes its place, and the log says why [P10][P11]', async (t) => {
    const { relay, file, reload, connect } = await withFile(t, ['upstream.auth=api_key_header']);
    for (const [spoil, why] of [
      [() => rmSync(file), /cannot be read/],
      [() => writeFileSync(file, `${second} ${third}\n`), /api_key_file/],
      [() => writeFileSync(file, ''), /shorter than/],
    ]) {
      spoil();
      await reload('server\\.not_reloaded');
      assert.match(relay.program.stderr.slice(relay.program.stderr.lastIndexOf('server.not_reloaded')), why);
      const { client, provider: { headers } } = await connect();
      assert.equal(headers['api-key'], first);
      await client.close();
    }
    writeFileSync(file, second);
    await reload();
    const { client, provider: { headers } } = await connect();
    assert.equal(headers['api-key'], second);
    await client.close();
    await assertHidden(relay, client, [first, second, third]);
  });

  test('and taken out of the configuration is used until a restart [P11]', async (t) => {
    const directory = temporaryDirectory(t);
    const [config, file] = [join(directory, 'verbatim.toml'), join(directory, 'key')];
    const seen = [];
    const url = await provider(t, { accepted: (_, { headers }) => seen.push(headers.authorization) });
    writeFileSync(file, first, { mode: 0o600 });
    const key = makeKey();
    const keys = `[auth]\napi_keys = ["${key.hash}"]\n`;
    writeFileSync(config, `${keys}[upstream]\napi_key_file = "${file}"\n`);
    const relay = await startRelay(t, { config, key, set: [`upstream.url=${url}`], env: { VERBATIM_UPSTREAM_API_KEY: undefined } });
    writeFileSync(config, keys);
    process.kill(relay.program.pid, 'SIGHUP');
    await eventually(() => /server\.reloaded/.test(relay.program.stderr), 'the reload');
    assert.match(relay.program.stderr, /upstream\.key_kept/);
    await (await Client.connectWithId(t, relay)).event('session.created');
    assert.deepEqual(seen, [`Bearer ${first}`]);
  });
});
