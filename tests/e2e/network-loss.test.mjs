// Lost packets and names that do not resolve, in a network of its own: support/isolated.mjs runs in namespaces
// that this test makes and that end with it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary, temporaryDirectory } from './support/verbatim.mjs';

const apart = ['--user', '--map-root-user', '--net', '--mount', '--'];

/** Why it cannot be done here; empty if it can. */
function obstacle() {
  const probe = spawnSync('unshare', [...apart, 'sh', '-ec',
    'ip link set lo up; nft add table inet probe; mount --bind /etc/hosts /etc/resolv.conf']);
  if (probe.error) return `no unshare here: ${probe.error.message}`;
  return probe.status === 0 ? '' : `no network of its own here: ${probe.stderr}`;
}

test('lost packets and unresolved names end only their own session [P2][P11]', async (t) => {
  const why = obstacle();
  if (why) return t.skip(why);
  const directory = temporaryDirectory(t);
  // A resolver with long timeouts: the relay must not wait for them.
  writeFileSync(join(directory, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:30 attempts:1\n');
  const env = { ...process.env, VERBATIM_BIN: binary };
  delete env.NODE_TEST_CONTEXT; // otherwise the child would believe itself part of this run, and test nothing
  const inside = spawnSync('unshare', [...apart, 'sh', '-ec',
    'ip link set lo up; mount --bind "$1" /etc/resolv.conf; shift; exec "$@"', 'sh',
    join(directory, 'resolv.conf'), process.execPath, '--test-reporter=spec',
    fileURLToPath(new URL('support/isolated.mjs', import.meta.url)),
  ], { encoding: 'utf8', timeout: 120_000, env });
  t.diagnostic(inside.stdout.split('\n').filter((line) => /^\s*[✔✖]/.test(line)).join('\n'));
  assert.match(inside.stdout, /pass [1-9]/);
  assert.equal(inside.status, 0, inside.stdout + inside.stderr);
});
