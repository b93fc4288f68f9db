// A power cut of the fallback directory's disk.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  Client,
  makeKey,
  startRelay,
  startSimulator,
  temporaryDirectory,
} from '../e2e/support/verbatim.mjs';
import { Disk, ownNamespace, whyNot } from './disk.mjs';
import { Scope } from './lane.mjs';
import { Shim } from './shim.mjs';

const skip = whyNot() ?? false;
if (!skip) await ownNamespace();

test(
  'a segment that has been merged does not come back with the power [P7]',
  { skip },
  async (t) => {
    const scope = new Scope();
    t.after(() => scope.close());
    const disk = new Disk(scope, 64);
    const shim = new Shim(scope);
    const fallback = disk.directory();
    const simulator = await startSimulator(scope);
    const setup = {
      simulator,
      dataDir: temporaryDirectory(scope),
      key: makeKey(),
      env: shim.env,
      set: [`storage.fallback_dir=${fallback}`],
    };
    const relay = await startRelay(scope, setup);
    const client = await Client.connectWithId(scope, relay);
    const broken = shim.arm({ calls: 'fdatasync', file: 'verbatim.db-wal', action: 'fail' });
    await client.ask('Are you still there?');
    await relay.program.stop('SIGKILL');
    broken.disarm();
    const segment = join(fallback, 'verbatim-segment.db');
    assert.ok(existsSync(segment));

    const again = await startRelay(scope, setup);
    assert.equal((await again.transcript(client.id)).turns.length, 2);
    assert.ok(!existsSync(segment));
    disk.cut();
    await again.program.stop('SIGKILL');
    await disk.revive();
    assert.ok(!existsSync(segment), 'it is there again');
  },
);
