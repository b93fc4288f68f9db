// A relay behind a proxy, and what its clients and back ends do there.
import https from 'node:https';
import { freePort } from '../../e2e/support/process.mjs';
import { Client, makeKey, startRelay, startSimulator, temporaryDirectory, within } from '../../e2e/support/verbatim.mjs';
import { eventually } from './programs.mjs';
import { Proxy } from './proxies.mjs';

/** A proxy, and a relay behind it that can be replaced by its successor. */
export async function scene(t, name, { prefix } = {}) {
  const simulator = await startSimulator(t);
  const port = await freePort();
  const proxy = await Proxy.start(t, name, port, { prefix });
  const dataDir = temporaryDirectory(t);
  const key = makeKey();
  const set = [
    `server.listen=127.0.0.1:${port}`,
    `server.public_url=${proxy.url}`,
    'server.trusted_proxies=127.0.0.1',
    'server.restart=handover',
    'tls.enabled=false',
    'session.resume_window=30s',
    'session.transcription_grace=0s',
  ];
  const next = async () => startRelay(t, { simulator, dataDir, key, set });
  const relay = await next();
  return { proxy, relay, next, through: proxy.through(relay) };
}

/** A client comes back with its token until it is let in. */
export function comesBack(t, relay, token, query) {
  return eventually(() => Client.connectWithId(t, relay, { token, query }).catch(() => undefined), 'the client comes back');
}

/** Live events of a session until `count` turns have come. */
export function liveTurns(relay, id, count, ms) {
  const seen = new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${relay.key}`, accept: 'text/event-stream' };
    const request = https.get(`${relay.url}/v1/sessions/${id}/events`, { headers, rejectUnauthorized: false, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => {
        text += piece;
        if ([...text.matchAll(/^event: turn/gm)].length < count) return;
        resolve({ type: response.headers['content-type'], text });
        request.destroy();
      });
    });
    request.on('error', reject);
  });
  return within(seen, `${count} live turns`, ms);
}
