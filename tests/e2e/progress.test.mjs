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
