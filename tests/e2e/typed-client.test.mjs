// The description serves generated clients: it has no warnings, its types compile, and a back end
// with these types works with the program and with its webhooks.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import openapiTypes, { astToString } from 'openapi-typescript';
import { Webhook } from 'standardwebhooks';
import { eventually } from './support/cell.mjs';
import { Provider } from './support/provider.mjs';
import { acceptItems, answer, functionCall } from './support/spoken.mjs';
import { Client, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

const execute = promisify(execFile);
const file = fileURLToPath(new URL('../../server/api/openapi.json', import.meta.url));
const source = fileURLToPath(new URL('typed', import.meta.url));
const described = () => JSON.parse(readFileSync(file, 'utf8'));
const methods = ['get', 'post', 'patch', 'put', 'delete'];
const operations = (paths) =>
  Object.entries(paths).flatMap(([path, item]) => methods.filter((one) => item[one]).map((one) => [`${one} ${path}`, item[one]]));

async function warnings(document) {
  const config = await createConfig({
    extends: ['recommended'],
    rules: {
      'no-invalid-schema-examples': 'error',
      'no-invalid-parameter-examples': 'error',
      'no-invalid-media-type-examples': 'error',
      'operation-4xx-response': 'off', // a health check or a page has no error of its own
    },
  });
  const found = await lintFromString({ source: JSON.stringify(document), absoluteRef: 'openapi.json', config });
  return found.map(({ ruleId, message, location }) => `${ruleId} ${location[0].pointer}: ${message}`);
}

/** The example of docs/api.md. */
function documented() {
  const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const [, example] = page.match(/^```ts\n([^]*?)^```$/m);
  return `declare const key: string;\n${example.replace('./verbatim.js', './api.js')}`;
}

let compiledOnce;
/** The back end, compiled with the description's own types; several tests use it. */
function compiled() {
  return (compiledOnce ??= compile(described()));
}

/** Generates the types, and compiles the back end with them. Returns the directory of its modules. */
async function compile(document, edit = (text) => text) {
  const cache = fileURLToPath(new URL('node_modules/.cache', import.meta.url)); // it finds its packages from there
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'typed-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'api.d.ts'), astToString(await openapiTypes(document)));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  copyFileSync(join(source, 'main.ts'), join(directory, 'main.ts'));
  writeFileSync(join(directory, 'conversation.ts'), edit(readFileSync(join(source, 'conversation.ts'), 'utf8')));
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
  };
  writeFileSync(join(directory, 'documented.ts'), documented());
  const files = ['documented.ts', 'main.ts', 'conversation.ts', 'api.d.ts'];
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  try {
    await execute(process.execPath, [tsc, '--project', directory]);
  } catch ({ stdout, stderr }) {
    return { errors: stdout + stderr };
  }
  return { directory };
}

test('a linter has no warnings about the description, and would warn about a damaged one', async () => {
  const document = described();
  assert.deepEqual(await warnings(document), []);
  document.paths['/v1/sessions'].get.responses['200'].content['application/json'].example.sessions[0].turns = 'two';
  document.tags[0].description = undefined;
  const found = await warnings(document);
  assert.ok(found.some((one) => one.startsWith('no-invalid-media-type-examples')), found.join('\n'));
  assert.ok(found.some((one) => one.startsWith('tag-description')), found.join('\n'));
});

test('the generated types have no object without members', async () => {
  const empty = async (document) => {
    const lines = astToString(await openapiTypes(document)).split('\n');
    return lines.filter((line) => /Record<string, never>/.test(line) && !line.startsWith('export type'));
  };
  assert.deepEqual(await empty(described()), []);
  const damaged = described();
  damaged.components.schemas.Session.properties.metadata = { type: 'object' };
  assert.equal((await empty(damaged)).length, 1);
});

test('each request, each JSON answer and each webhook has an example', () => {
  const { paths, webhooks, components } = described();
  const resolved = (part) => (part.$ref ? components.responses[part.$ref.split('/').at(-1)] : part);
  const lacking = [];
  for (const [name, { requestBody, responses, operationId, tags }] of [...operations(paths), ...operations(webhooks)]) {
    assert.match(operationId, /^[a-z]+([A-Z][a-z]+)*$/, name);
    assert.equal(tags.length, 1, name);
    const bodies = [['request', requestBody], ...Object.entries(responses)].filter(([, body]) => body);
    for (const [which, body] of bodies)
      for (const [type, content] of Object.entries(resolved(body).content ?? {}))
        if (/json$/.test(type) && name !== 'get /openapi.json' && !content.example && !content.examples) lacking.push(`${name} ${which}`);
  }
  assert.deepEqual(lacking.filter((one) => !/ndjson|jsonl/.test(one) && !one.includes('transcript 200')), []);
});

test('the description names each title that a problem can have', () => {
  const server = fileURLToPath(new URL('../../server', import.meta.url));
  const names = readdirSync(server, { recursive: true }).filter((name) => /\.[ch]pp$/.test(name));
  const text = names.map((name) => readFileSync(join(server, name), 'utf8')).join('\n');
  const sent = [/\bproblem\(\s*\d+,\s*"([^"]+)"/g, /AuthFailure\{\s*\d+,\s*"([^"]+)"/g, /\bfailure\(\s*\d+,\s*"([a-z_]+)"/g, /return \{40[13], "([a-z_]+)"/g]
    .flatMap((form) => [...text.matchAll(form)].map(([, title]) => title));
  assert.ok(sent.length > 40, 'the forms in which the program names problems are not found');
  assert.deepEqual([...new Set(sent)].sort(), [...described().components.schemas.Problem.properties.title.enum].sort());
});

test('a back end with types of the description compiles under --strict, and a wrong one does not', async () => {
  const { errors } = await compiled();
  assert.equal(errors, undefined);
  const untyped = described();
  untyped.components.schemas.Turn.properties.text = {};
  const edit = (text) =>
    text.replace("status: 'final'", "status: 'finished'").replace('message.data.close_reason', 'message.data.why');
  const wrong = await compile(untyped, edit);
  const expected = [/"finished"/, /'why' does not exist/, /'unknown' is not assignable to parameter of type 'string'/];
  for (const error of expected) assert.match(wrong.errors ?? '', error);
});

/** Calls a function of the typed back end, in a process of its own that trusts the relay's certificate. */
function caller(directory, relay) {
  const env = { ...process.env, VERBATIM_URL: relay.url, VERBATIM_KEY: relay.key, NODE_EXTRA_CA_CERTS: relay.certificate };
  return async (...args) =>
    JSON.parse((await execute(process.execPath, [join(directory, 'main.js'), ...args], { env })).stdout);
}

test('a typed back end makes a session, finds it, reads its transcript and understands its webhooks', async (t) => {
  const document = described();
  const { directory, errors } = await compiled();
  assert.equal(errors, undefined);
  const { describe } = await import(pathToFileURL(join(directory, 'conversation.js')));

  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const messages = [];
  const receiver = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    messages.push({ headers: request.headers, ...new Webhook(secret).verify(body, request.headers) });
    response.writeHead(204).end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.after(() => receiver.close());
  const secretFile = join(temporaryDirectory(t), 'secret');
  writeFileSync(secretFile, secret);
  const events = "events=['session.started', 'session.ended', 'transcript.updated', 'turn.completed']";
  const url = `http://127.0.0.1:${receiver.address().port}/`;
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: ['webhook.settle=0s', `webhook.targets=[{url='${url}', secret_file='${secretFile}', allow_private=true, ${events}}]`],
  });
  const call = caller(directory, relay);

  const { id, token, instructions } = await call('prepare', 'ada');
  assert.equal(instructions, 'Be brief.');
  const client = await Client.connectWithId(t, relay, { token });
  assert.equal(client.id, id);
  await client.ask('Is this typed?');
  await client.close();
  const seen = await call('read', id);
  assert.deepEqual(seen.scores, [1, 2.5, null]);
  assert.equal(seen.reason, 'client_closed');
  assert.equal(seen.turns[0].text, 'Is this typed?');
  assert.equal(seen.turns.length, 2);
  assert.ok(seen.tokens > 0);
  assert.match(seen.hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(await call('find', 'ada', '7'), { ids: [id], next: null });
  assert.deepEqual(await call('find', 'ada', '8'), { ids: [], next: null });
  assert.equal(await call('missing'), 'urn:verbatim:problem:not-found');
  await eventually(() => messages.some(({ type }) => type === 'session.ended'), 'session.ended');
  assert.deepEqual((await call('complete', id)).skipped, []);
  await eventually(() => messages.some(({ type }) => type === 'transcript.updated'), 'transcript.updated');

  // Each message is as its section says, and the typed handler understands it.
  const ajv = new Ajv({ strict: false, validateSchema: false });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'api', components: document.components });
  const sections = Object.values(document.webhooks).map(({ post }) => post);
  const schemaOf = ({ requestBody }) => `api${requestBody.content['application/json'].schema.$ref}`;
  const kinds = new Set();
  for (const { headers, ...message } of messages) {
    const valid = sections.filter((one) => ajv.validate({ $ref: schemaOf(one) }, message));
    assert.equal(valid.length, 1, `${message.type}: ${ajv.errorsText()}`);
    for (const { $ref } of valid[0].parameters) {
      const { name, schema } = document.components.parameters[$ref.split('/').at(-1)];
      assert.ok(ajv.validate(schema, headers[name]), name);
    }
    assert.ok(describe(message).startsWith(id));
    kinds.add(message.type);
  }
  assert.deepEqual([...kinds].sort(), ['session.ended', 'session.started', 'transcript.updated', 'turn.completed']);
  const ended = messages.find(({ type }) => type === 'session.ended');
  assert.match(describe(ended), /client_closed: Is this typed\? \/ ./);
});

test('a typed back end reads tool calls, and the usage that the provider reported', async (t) => {
  const { directory, errors } = await compiled();
  assert.equal(errors, undefined);
  const provider = await Provider.start(t);
  const relay = await startRelay(t, { simulator: provider });
  const connected = provider.line('typed');
  const client = await Client.connectWithId(t, relay, { token: await relay.mint(), query: { model: 'typed' } });
  const line = await connected;
  line.say({ type: 'session.created', session: { type: 'realtime', id: 'sess_1' } });
  acceptItems(line);
  functionCall(line, { id: 'item_f', callId: 'call_1', name: 'weather', args: '{}' });
  client.send({
    type: 'conversation.item.create',
    item: { id: 'item_o', type: 'function_call_output', call_id: 'call_1', output: '{"degrees":4}' },
  });
  const placed = ({ type, item }) => type === 'conversation.item.done' && item.id === 'item_o';
  await client.until(({ events }) => events.some(placed), 'the output in its place');
  answer(line, { id: 'item_a', text: 'Four degrees.', after: 'item_o' });
  const usage = {
    ...{ input_tokens: 30, output_tokens: 12, total_tokens: 42 },
    ...{ input_token_details: { audio_tokens: 20, text_tokens: 10 }, output_token_details: { audio_tokens: 12 } },
  };
  const response = { id: 'resp_u', conversation_id: 'conv_1', output: [] };
  line.say({ type: 'response.created', response });
  line.say({ type: 'response.done', response: { ...response, status: 'completed', usage } });
  await client.until(({ events }) => events.filter(({ type }) => type === 'response.done').length === 3, 'all responses');
  await client.close();

  const { turns, tools, gaps, tokens, audioTokens, completed } = await caller(directory, relay)('read', client.id);
  assert.deepEqual(turns, [{ role: 'assistant', text: 'Four degrees.' }]);
  assert.deepEqual(tools, [{ name: 'weather', output: '{"degrees":4}' }]);
  assert.deepEqual({ gaps, tokens, audioTokens, completed }, { gaps: [], tokens: 42, audioTokens: 20, completed: 3 });
});
