// One relay with two conversations on one thread: one in trouble, and a bystander that must not notice. Both
// reach the provider through a proxy, which a test can take over for one connection.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { before } from 'node:test';
import tls from 'node:tls';
import { Client, startRelay, startSimulator, temporaryDirectory, within } from './verbatim.mjs';
import { wholeFile } from './file.mjs';
import { eventually, openFiles } from './process.mjs';
import { WireClient, WireProvider } from './wire.mjs';

export { eventually } from './process.mjs';

/** One simulator for all tests of a file; its URL is there once they begin. */
export function sharedSimulator() {
  const shared = {};
  const file = wholeFile();
  before(async () => Object.assign(shared, await startSimulator(file)));
  return shared;
}

/** The address that the relay dials. It passes connections on to the simulator, except those that a test takes. */
class Door {
  #taken = [];
  #sockets = new Set();

  static async open(t, simulator, secure, host) {
    const door = new Door();
    const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      door.#sockets.add(socket);
      socket.on('close', () => door.#sockets.delete(socket));
      socket.on('error', () => {});
      const take = door.#taken.shift();
      if (take) take(socket);
      else door.forward(socket, simulator);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      for (const socket of door.#sockets) socket.destroy();
    });
    const { port } = server.address();
    if (!secure) return Object.assign(door, { url: `ws://${host}:${port}/v1/realtime` });
    const directory = temporaryDirectory(t);
    const file = (name) => join(directory, name);
    execFileSync('openssl', [
      ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'],
      ...['-keyout', file('key.pem'), '-out', file('cert.pem')],
    ], { stdio: 'ignore' });
    door.identity = { key: readFileSync(file('key.pem')), cert: readFileSync(file('cert.pem')) };
    door.certificate = file('cert.pem');
    door.url = `wss://localhost:${port}/v1/realtime`;
    return door;
  }

  /** The next connection, as it was accepted. */
  take() {
    return within(new Promise((resolve) => this.#taken.push(resolve)), 'a connection of the relay');
  }

  secured(socket) {
    const stream = new tls.TLSSocket(socket, { isServer: true, ...this.identity });
    stream.on('error', () => {});
    return stream;
  }

  /** Passes a connection on to a simulator. */
  forward(socket, simulator) {
    const near = this.identity ? this.secured(socket) : socket;
    const { hostname, port } = new URL(simulator.url);
    const far = net.connect({ host: hostname, port: Number(port), noDelay: true });
    far.on('error', () => near.destroy());
    far.on('close', () => near.destroy());
    near.on('close', () => far.destroy());
    near.pipe(far).pipe(near);
  }
}

export class Cell {
  answers = [];

  /** `secure`: TLS on the upstream connection too. `host`: the provider's name, if it is not secure. */
  static async start(t, simulator, { set = [], secure = false, host = '127.0.0.1' } = {}) {
    const cell = new Cell();
    cell.t = t;
    cell.door = await Door.open(t, simulator, secure, host);
    cell.relay = await startRelay(t, {
      set: [
        'server.threads=1',
        'session.transcription_grace=0s',
        'session.close_timeout=500ms',
        `upstream.url=${cell.door.url}`,
        ...(secure ? [`upstream.ca_file=${cell.door.certificate}`] : []),
        ...set,
      ],
    });
    // After a first conversation, everything that the program opens once is open.
    const first = await Client.connectWithId(t, cell.relay);
    await first.ask('First?');
    await first.close();
    await cell.relay.transcript(first.id);
    await cell.relay.indexed();
    await cell.idle();
    cell.baseline = openFiles(cell.relay.program);
    cell.bystander = await Client.connectWithId(t, cell.relay);
    await cell.bystander.event('session.created'); // it has come through the proxy
    return cell;
  }

  descriptors() {
    return openFiles(this.relay.program).length;
  }

  /** Resident memory in bytes. */
  memory() {
    const status = readFileSync(`/proc/${this.relay.program.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) * 1024;
  }

  async live() {
    const { text } = await this.relay.request('/metrics');
    return Number(/^verbatim_sessions\{state="live"\} (\d+)/m.exec(text)[1]);
  }

  idle() {
    return eventually(async () => (await this.live()) === 0, 'no live session');
  }

  /** A victim on a connection to the provider that the test has in hand. */
  async wired(connect = WireClient.connect) {
    const taken = this.door.take();
    const client = await connect(this.t, this.relay);
    const socket = await taken;
    const provider = new WireProvider(this.door.identity ? this.door.secured(socket) : socket);
    provider.tcp = socket;
    await provider.accept();
    provider.created();
    await client.event('session.created');
    return { client, provider };
  }

  async #ask() {
    const events = await this.bystander.ask(`Question ${this.answers.length}?`);
    assert.equal(events.at(-1).response.status, 'completed');
    const { transcript, text } = events.find(({ type }) =>
      ['response.output_audio_transcript.done', 'response.output_text.done'].includes(type));
    this.answers.push(transcript ?? text);
  }

  /** The bystander goes on asking until this has happened, and is answered several times meanwhile. */
  async meanwhile(happening, what) {
    let over = false;
    const settled = within(happening, what).finally(() => (over = true));
    settled.catch(() => {});
    const before = this.answers.length;
    while (!over) await this.#ask();
    const result = await settled;
    this.answered = this.answers.length - before;
    return result;
  }

  /** As above, for trouble that takes a while: the bystander has got on during it. */
  async during(happening, what) {
    const result = await this.meanwhile(happening, what);
    assert.ok(this.answered >= 3, `the bystander was answered ${this.answered} times during: ${what}`);
    return result;
  }

  /** The victim's transcript, once it is final. */
  ending(victim) {
    return this.during(this.relay.transcript(victim.id), 'the end of the session in trouble');
  }

  /** The bystander's conversation is whole, and the process holds nothing of any conversation. */
  async end() {
    for (let i = 0; i < 3; ++i) await this.#ask();
    await this.bystander.close();
    const { turns, complete } = await this.relay.transcript(this.bystander.id);
    assert.ok(complete);
    assert.deepEqual(
      turns.map(({ text }) => text),
      this.answers.flatMap((answer, i) => [`Question ${i}?`, answer]),
    );
    await this.idle();
    let open;
    await eventually(() => {
      open = openFiles(this.relay.program);
      return open.length <= this.baseline.length;
    }, 'descriptors as before').catch((error) => {
      throw new Error(`${error.message}:\n${this.baseline.join(' ')}\n${open.join(' ')}`);
    });
  }
}
