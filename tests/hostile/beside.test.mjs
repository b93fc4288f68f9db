// People talk during attacks: none of them loses a connection or a word, and the relay's memory stays within a
// limit. tests/hostile/delay.mjs measures the effect on their delay.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { attacks } from './attacks.mjs';
import { memoryBound, Scene, settings } from './scene.mjs';

const cleanup = [];
let scene;
before(async () => (scene = await Scene.start({ after: (what) => cleanup.push(what) }, { set: settings })));
after(async () => {
  for (const what of cleanup.reverse()) await what();
});

for (const [name, attack] of Object.entries(attacks))
  test(`twenty people go on talking beside ${name} [P5][P11]`, async () => {
    await attack(scene);
    await scene.allTalk();
  });

test('behind all of it every word has come back, and memory stayed under its bound [P11]', async (t) => {
  await scene.stopTalkers();
  const peak = scene.peak();
  t.diagnostic(`peak of the relay: ${peak.toFixed(0)} MiB`);
  assert.ok(peak < memoryBound, `${peak} MiB`);
});
