// Compares docs/metrics.md with the metrics that a relay serves. That each name stands there is asked of the
// sources, without a relay: tests/tidy/metrics.test.mjs.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { documentedMetrics, page } from '../tidy/support/metrics.mjs';
import { Client, startRelay, startSimulator, temporaryDirectory } from './support/verbatim.mjs';

/** Name -> {type, labels: name -> values seen}; `le` is part of every histogram. */
function served(text) {
  const families = new Map();
  for (const [, name, type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) families.set(name, { type, labels: {} });
  for (const [, name, labels = ''] of text.matchAll(/^(\w+?)(?:\{(.*)\})? \S+$/gm)) {
    const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
    assert.ok(family, `${name} belongs to no family`);
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      if (label !== 'le') (family.labels[label] ??= new Set()).add(value);
    }
  }
  return families;
}

test('every metric has the type, the labels and the values of labels that docs/metrics.md states', async (t) => {
  const secret = join(temporaryDirectory(t), 'webhook');
  writeFileSync(secret, `whsec_${Buffer.alloc(32, 7).toString('base64')}`, { mode: 0o600 });
  const relay = await startRelay(t, {
    simulator: await startSimulator(t),
    set: [`webhook.targets=[{ url = "http://127.0.0.1:9/", secret_file = "${secret}", allow_private = true }]`],
  });
  const client = await Client.connectWithId(t, relay);
  await client.ask('What is counted?');
  await client.close();
  await relay.transcript(client.id);
  const families = served((await relay.request('/metrics')).text);
  const documented = documentedMetrics();
  assert.deepEqual([...families.keys()].sort(), [...documented.keys()].sort(), page);
  for (const [name, { type, labels }] of families) {
    const stated = documented.get(name);
    assert.equal(type, stated.type, `${page}: the type of ${name}`);
    assert.deepEqual(Object.keys(labels).sort(), Object.keys(stated.labels).sort(), `${page}: the labels of ${name}`);
    for (const [label, values] of Object.entries(labels)) {
      // `direction` and `kind` have their values where they first stand.
      if (stated.labels[label].length > 0) {
        assert.deepEqual([...values].sort(), [...stated.labels[label]].sort(), `${page}: the values of ${label} of ${name}`);
      }
    }
  }
});
