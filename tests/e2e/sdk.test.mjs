// Public SDKs hold a conversation through the relay: only the URL is changed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startRelay, startSimulator } from './support/verbatim.mjs';

const script = fileURLToPath(new URL('support/sdk.mjs', import.meta.url));
const major = Number(process.versions.node.split('.')[0]);
const nodeOptions = major >= 20 && major < 22 ? ['--experimental-websocket'] : [];

async function converse(t, client) {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const token = await relay.mint({ user: client });
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...nodeOptions, script, client, relay.url, token],
    { env: { ...process.env, NODE_EXTRA_CA_CERTS: relay.certificate }, timeout: 20_000 },
  );
  const listed = await relay.request(`/v1/sessions?user=${client}`);
  const transcript = await relay.transcript(listed.json.sessions[0].id);
  return { seen: JSON.parse(stdout), transcript };
}

function assertKept(transcript) {
  assert.deepEqual(
    transcript.turns.filter(({ role }) => role === 'user').map(({ text }) => text),
    ['First?', 'Second?', 'Third?'],
  );
  assert.equal(transcript.turns.filter(({ role }) => role === 'assistant').length, 3);
}

const answers = ['completed', 'completed', 'completed'];

test('openai, OpenAIRealtimeWS [P9]', async (t) => {
  const { seen, transcript } = await converse(t, 'ws');
  assert.deepEqual(seen, { first: 'session.created', answers });
  assertKept(transcript);
});

const withoutNative = major < 20 && 'this Node has no WebSocket of its own';
test('openai, OpenAIRealtimeWebSocket [P9]', { skip: withoutNative }, async (t) => {
  const { seen, transcript } = await converse(t, 'native');
  assert.deepEqual(seen, { first: 'session.created', answers });
  assertKept(transcript);
});

// Its dependency @modelcontextprotocol/client wants Node 20, and npm leaves it out below that.
const withoutAgents = major < 20 && 'this package does not run on a Node below 20';
test('@openai/agents-realtime, RealtimeSession [P9]', { skip: withoutAgents }, async (t) => {
  const { seen, transcript } = await converse(t, 'agents');
  assert.deepEqual(seen.answers, answers);
  assert.equal(seen.history.filter((role) => role === 'user').length, 3);
  assertKept(transcript);
});
