// 75 seconds of silence behind each proxy: longer than the usual time limits of proxies for idle connections.
// It takes as long as that, so it is run by hand:
//
//   node --test tests/deploy/silence.mjs
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as silence } from 'node:timers/promises';
import { Client } from '../e2e/support/verbatim.mjs';
import { proxyNames } from './support/proxies.mjs';
import { liveTurns, scene } from './support/scene.mjs';

const seconds = 75;

describe('silence', { concurrency: true }, () => {
  for (const name of proxyNames) {
    test(`${name}: a conversation and its live events survive ${seconds} s of silence`, async (t) => {
      const { through } = await scene(t, name);
      const client = await Client.connectWithId(t, through);
      await client.ask('Before the silence?');
      const live = liveTurns(through, client.id, 4, (seconds + 20) * 1000);
      await silence(seconds * 1000);
      assert.equal(client.ended, undefined, 'the connection is open');
      await client.ask('After the silence?');
      assert.match((await live).text, /After the silence\?/);
      await client.close();
      assert.equal((await through.transcript(client.id)).turns.length, 4);
    });
  }
});
