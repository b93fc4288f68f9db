// A sample of the matrix of ends and faults: each of both at least once, chosen by a seed
// (VERBATIM_MATRIX_SEED). The whole of it: node tests/faults/matrix.mjs
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Scope } from './lane.mjs';
import { cannot, faults, paths, play, provider } from './matrix.mjs';

const seed = Number(process.env.VERBATIM_MATRIX_SEED ?? 1);
const script = fileURLToPath(new URL('matrix.mjs', import.meta.url));

const names = Object.keys(paths);
const cells = Object.keys(faults).map((fault, i) => [names[(i * 5 + seed) % names.length], fault]);

describe(`ends and faults, seed ${seed}`, { concurrency: 6 }, () => {
  const scope = new Scope();
  let simulator;
  before(async () => (simulator = await provider(scope, seed)));
  after(() => scope.close());

  for (const [path, fault] of cells) {
    const name = `${path} x ${fault}: what was seen is kept, once, with the right reason [P1][P2][P6]`;
    const skip =
      cannot(path, fault) ??
      (faults[fault].slow > 1000 ? 'half a minute: in the whole matrix only' : false);
    test(name, { skip }, async () => {
      if (paths[path].disk) {
        // Its disk wants a namespace of its own.
        const args = [script, '--seed', String(seed), '--path', path, '--fault', fault];
        const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
        assert.equal(status, 0, stdout + stderr);
        return;
      }
      const { breaches } = await play(path, fault, { simulator, seed });
      assert.deepEqual(breaches, []);
    });
  }
});
