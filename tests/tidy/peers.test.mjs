// A relay that passes a request on to another one passes each header that the other reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { productCpp, report, textOf } from './support/sources.mjs';

const list = 'server/fleet/peers/peer_request.cpp';

/** Headers of the connection, and of a preflight, which names no session. */
const own = new Set(['Access-Control-Request-Method', 'Connection', 'Expect', 'Transfer-Encoding', 'Upgrade']);

test(`every header that the server reads of a request is passed on to another relay (${list})`, () => {
  const passed = new Set([.../passed_on = \{([^}]*)\}/.exec(textOf(list))[1].matchAll(/"([^"]+)"/g)].map(([, name]) => name));
  const read = new Set(
    productCpp
      .filter((file) => file.startsWith('server/'))
      .flatMap((file) => [...textOf(file).matchAll(/\bheader\("([A-Za-z-]+)"\)/g)].map(([, name]) => name)),
  );
  assert.ok(read.size >= 15, `found ${read.size} headers`);
  const missing = [...read].filter((name) => !passed.has(name) && !own.has(name));
  assert.deepEqual(missing, [], report('Headers that are not passed on', missing, `Add each to passed_on in ${list}.`));
  const idle = [...passed].filter((name) => !read.has(name));
  assert.deepEqual(idle, [], report('Headers that are passed on and not read', idle, `Take each out of ${list}.`));
});
