// Long commands show on a terminal how far they are, and write nothing about it into a pipe.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { binary, Client, run, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

/** Runs the program on a terminal of its own (`script` makes one); the terminal's text with its controls. */
function onTerminal(...args) {
  const words = [binary, ...args].map((word) => `'${word}'`).join(' ');
  return execFileSync('script', ['-qec', words, '/dev/null'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

async function conversation(t) {
  const relay = await startRelay(t, { simulator: await startSimulator(t) });
  const client = await Client.connectWithId(t, relay);
  await client.ask('Is this kept?');
  await client.close();
  await relay.transcript(client.id);
  return { relay, id: client.id, at: ['--set', `server.data_dir=${relay.dataDir}`] };
}

const line = /\r\x1b\[K(\w[^\r\n]*)/g;

test('check --data, backup, recover and delete show their progress on a terminal, and remove it at the end', async (t) => {
  const { relay, id, at } = await conversation(t);
  const copy = join(temporaryDirectory(t), 'copy.db');
  for (const [args, shows] of [
    [['check', '--data', ...at], /^check: \d+ %, /],
    [['backup', copy, ...at], /^backup: \d+ %, /],
    [['sessions', 'delete', id, ...at], /^delete sess_\w+: \d+ s$/],
  ]) {
    const text = onTerminal(...args);
    const lines = [...text.matchAll(line)].map(([, one]) => one);
    assert.match(lines[0] ?? '', shows, JSON.stringify(text));
    assert.match(text, /\r\x1b\[K(?!\w+: \d+ (%|s))[^\r]*$/m, 'the last line is removed');
  }
  await relay.program.stop('SIGKILL');
  assert.match(onTerminal('recover', '--dry-run', ...at), /\r\x1b\[Krecover: \d+ %, /);
});

test('in a pipe there is nothing but the result, with and without --json', async (t) => {
  const { id, at } = await conversation(t);
  for (const args of [['check', '--data', ...at], ['backup', join(temporaryDirectory(t), 'copy.db'), ...at], ['sessions', 'delete', id, ...at]]) {
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.doesNotMatch(stdout, /[\r\x1b]| %/);
  }
  JSON.parse((await run(['check', '--data', '--json', ...at])).stdout);
});

test('a transcript on a terminal has no character that the terminal executes; in a pipe it is as it was said [P10]', async (t) => {
  const relay = await startRelay(t);
  const { json } = await relay.request('/v1/sessions', { method: 'POST', body: { user: 'ada' } });
  const text = 'clear \u001b[2J title \u001b]0;x\u0007 c1 \u009b31m order \u202etxt\u202c tab\tend نص\u200cی 👩\u200d👧';
  await relay.request(`/v1/sessions/${json.id}/transcript`, { method: 'POST', body: { role: 'user', text } });
  const at = ['--set', `server.data_dir=${relay.dataDir}`];
  for (const format of ['text', 'markdown', 'jsonl', 'json', 'vtt']) {
    const args = ['sessions', 'export', json.id, '--format', format, ...at];
    const shown = onTerminal(...args);
    assert.doesNotMatch(shown, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/, format);
    assert.ok(shown.includes('نص\u200cی 👩\u200d👧'), `${format}: letters keep their joiners`);
    const { stdout } = await run(args);
    if (format === 'text') {
      assert.ok(shown.includes('clear \\u001b[2J title'), shown);
      assert.ok(stdout.includes(text), stdout);
    }
  }
});
