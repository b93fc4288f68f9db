// A relay with its simulated provider, and the actions of its clients and back ends.
import { createHash, randomBytes } from 'node:crypto';
import https from 'node:https';
import http from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { asPair, canBePair, startPair } from './pair.mjs';
import { recordings } from './recording.mjs';
import { Program, eventually, temporaryDirectory, whenReady, within } from './process.mjs';

export { binary, run, temporaryDirectory, within, Program } from './process.mjs';
export { Client, refusal } from './client.mjs';

let counter = 0;

/** A provider. It plays the recording that the client names as its model, or a script. */
export async function startSimulator(t, args = [], pace = '0', folder = recordings) {
  let program;
  t.after(() => program?.stop('SIGKILL')); // before its directory is removed
  const directory = temporaryDirectory(t);
  const ready = `simulator-${++counter}.json`;
  program = new Program([
    'simulate',
    ...['--listen', '127.0.0.1:0'],
    ...['--recordings', folder],
    ...['--pace', pace],
    ...['--ready-file', join(directory, ready)],
    ...args,
  ]);
  const { url } = await whenReady(program, directory, ready);
  const address = new URL(url.replace(/^http/, 'ws'));
  if (address.pathname === '/') address.pathname = '/v1/realtime';
  return { program, url: address.href };
}

/** A back end's key, and the form of it that the configuration has. */
export function makeKey() {
  const key = `vk_${randomBytes(32).toString('base64url')}`;
  return { key, hash: `sha256:${createHash('sha256').update(key).digest('hex')}` };
}

class Relay {
  constructor(program, url, dataDir, key) {
    Object.assign(this, { program, url, dataDir, key });
    this.wsUrl = `${url.replace(/^http/, 'ws')}/v1/realtime`;
    this.certificate = join(dataDir, 'tls', 'cert.pem');
  }

  /** HTTP with the back end's key, unless `key` says otherwise. */
  request(path, options = {}) {
    return request(`${this.url}${path}`, { key: this.key, ...options });
  }

  async mint(verbatim = {}, session = { type: 'realtime' }) {
    const answer = await this.request('/v1/realtime/client_secrets', {
      method: 'POST',
      body: { session, verbatim },
    });
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.text}`);
    return answer.json.value;
  }

  async transcript(id, query = '') {
    const answer = await this.request(`/v1/sessions/${id}/transcript?wait=10${query}`);
    if (answer.status !== 200) throw new Error(`no transcript: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  /** The search index is open and has every stored transcript. */
  indexed() {
    return eventually(async () => (await this.request('/v1/sessions?q=any')).json.search_complete, 'a complete index');
  }
}

/**
 * `key: null` leaves it without a back end's key: the development mode. With `config`, a file, the
 * file sets the keys, and only requests use `key`.
 */
export async function startRelay(t, options = {}) {
  const whole = { key: makeKey(), ...options };
  return asPair && canBePair(whole) ? startPair(t, whole, startOne) : startOne(t, options);
}

/** Two relays with one database: the second, whose `first` is the other. */
export const startFleet = (t, options = {}) => startPair(t, { key: makeKey(), ...options }, startOne);

async function startOne(t, options) {
  let program;
  t.after(() => program?.stop('SIGKILL')); // before its directories are removed
  const { simulator, dataDir = temporaryDirectory(t), key = makeKey(), set = [], config, args = [] } = options;
  const directory = temporaryDirectory(t);
  const ready = `relay-${++counter}.json`;
  const assignments = [
    'server.listen=127.0.0.1:0',
    `server.data_dir=${dataDir}`,
    // A lost client's session ends, unless a test is about resuming. `resumes`: its file says how.
    ...(options.resumes ? [] : ['session.resume_window=0s']),
    'upstream.reconnect_attempts_max=0',
    // Many tests read every file of the data directory.
    ...(config ? [] : ['storage.ballast=1MiB']),
    ...(key && !config ? [`auth.api_keys=${key.hash}`] : []),
    ...(simulator ? [`upstream.url=${simulator.url}`] : []),
    ...set,
  ];
  program = new Program(
    [
      'serve',
      ...(config ? ['--config', config] : []),
      ...['--ready-file', join(directory, ready)],
      ...assignments.flatMap((assignment) => ['--set', assignment]),
      ...args,
    ],
    // The simulator ignores it, but a relay with a provider needs one.
    {
      env: { VERBATIM_UPSTREAM_API_KEY: 'sk-simulated-provider', ...options.env },
      openFiles: options.openFiles,
      through: options.through,
    },
  );
  const { url, pid } = await whenReady(program, directory, ready);
  const relay = new Relay(program, url, dataDir, key?.key);
  relay.readyPid = pid;
  relay.keyPair = key; // for the next process on the same data
  return relay;
}

/** One HTTP request; the self-signed certificate is accepted. */
export function request(url, { method = 'GET', headers = {}, body, key } = {}) {
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const transport = url.startsWith('https') ? https : http;
  const answered = new Promise((resolve, reject) => {
    const outgoing = transport.request(
      url,
      {
        method,
        agent: false,
        rejectUnauthorized: false,
        headers: {
          ...(key ? { authorization: `Bearer ${key}` } : {}),
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
          ...headers,
        },
      },
      (incoming) => {
        const pieces = [];
        incoming.on('data', (piece) => pieces.push(piece));
        incoming.on('end', () => {
          const bytes = Buffer.concat(pieces); // as they came; `text` is what they stand for
          const packed = incoming.headers['content-encoding'] === 'gzip' && bytes.length > 0;
          const text = (packed ? gunzipSync(bytes) : bytes).toString();
          const type = incoming.headers['content-type'] ?? '';
          const json = /json/.test(type) && !/jsonl|ndjson/.test(type) ? JSON.parse(text) : undefined;
          resolve({ status: incoming.statusCode, headers: incoming.headers, type, bytes, text, json });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
  return within(answered, `${method} ${url}`);
}
