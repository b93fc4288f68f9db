// The close matrix: every way in which a conversation can end, at every point of it. Checks the reason and the
// close code, the turns, that there is exactly one end, and that nothing is left behind.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Provider } from '../e2e/support/provider.mjs';
import {
  Client,
  makeKey,
  startRelay,
  temporaryDirectory,
  within,
} from '../e2e/support/verbatim.mjs';
import { deadline, openFiles } from '../e2e/support/process.mjs';
import { Scope } from './lane.mjs';
import { Shim } from './shim.mjs';
import { paths } from './closing/paths.mjs';
import { phases } from './closing/phases.mjs';

const settings = [
  'session.transcription_grace=100ms',
  'session.close_timeout=500ms',
  'session.resume_window=0s',
];

let names = 0;

/** One conversation, with both of its ends in hand. */
class Cell {
  constructor(group, phase) {
    Object.assign(this, { group, phase, model: `cell-${++names}` });
    this.id = `sess_${this.model}`;
  }

  connect() {
    const { scope, relay } = this.group;
    const query = { model: this.model, session: this.id };
    return Client.connectWithId(scope, relay, { query, token: relay.key });
  }

  async begin() {
    const { provider } = this.group;
    const [client, line] = await Promise.all([this.connect(), provider.line(this.model)]);
    Object.assign(this, { client, line });
    this.phase.reach(this);
    await this.phase.there(this);
  }

  /** Loses its connection and opens another; the events that resync it are still to come. */
  async comeBack() {
    this.client.socket.terminate();
    await this.client.closed;
    this.client = await this.connect();
  }

  get query() {
    return '&attempt=1';
  }

  async kept(relay = this.group.relay) {
    return relay.transcript(this.id, this.query);
  }

  async assertEnded(reasons, code, relay) {
    if (code)
      assert.equal((await within(this.client.closed, 'the client to be closed')).code, code);
    const transcript = await this.kept(relay);
    assert.equal(transcript.status, 'final');
    assert.ok(reasons.includes(transcript.close_reason), `ended with ${transcript.close_reason}`);
    assert.ok(transcript.ended_at);
    assert.deepEqual(
      transcript.turns.map(({ role, status, text }) => [role, status, text]),
      this.phase.turns,
    );
    assert.deepEqual(
      transcript.turns.map(({ ordinal }) => ordinal),
      transcript.turns.map((_, i) => i + 1),
    );
    assert.deepEqual(
      transcript.gaps.map(({ kind }) => kind),
      this.phase.gaps,
    );
    this.transcript = transcript;
  }
}

/** A relay, a provider, and the conversations between them. */
class Group {
  scope = new Scope();
  cells = [];

  async start(set = [], { faults = false } = {}) {
    this.provider = await Provider.start(this.scope);
    this.shim = faults ? new Shim(this.scope) : undefined;
    const dataDir = temporaryDirectory(this.scope);
    this.setup = {
      simulator: this.provider,
      dataDir,
      key: makeKey(),
      set: [...settings, ...set],
      env: this.shim?.env,
    };
    this.relay = await startRelay(this.scope, this.setup);
    // Each thread of the relay opens a few files for its event loop when it first has work.
    for (let i = 0; i < 8; ++i) await this.relay.request('/healthz');
    await this.relay.indexed();
    this.files = this.#files();
  }

  cell(phase) {
    const cell = new Cell(this, phase);
    this.cells.push(cell);
    return cell;
  }

  async again() {
    this.relay = await startRelay(this.scope, this.setup);
  }

  #files() {
    return openFiles(this.relay.program);
  }

  async #metric(name) {
    const { text } = await this.relay.request('/metrics');
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        .split(' ')[1],
    );
  }

  /** All clients are gone: no session is live, no more files are open than before, and final sessions are unchanged. */
  async assertNothingLeft({ filesToo = true } = {}) {
    for (const { client, second } of this.cells) {
      client?.socket.terminate();
      second?.socket.terminate();
    }
    const end = Date.now() + deadline;
    let files;
    const left = async () => {
      files = this.#files();
      const live = await this.#metric('verbatim_sessions{state="live"}');
      return [live, filesToo ? Math.max(0, files.length - this.files.length) : 0];
    };
    let now = await left();
    while (now.some((count) => count > 0) && Date.now() < end) {
      await sleep(50);
      now = await left();
    }
    assert.deepEqual(now, [0, 0], `live sessions, open files:\n${this.files.join(' ')}\n${files.join(' ')}`);
    const live = await this.relay.request('/v1/sessions?status=live');
    assert.deepEqual(live.json.sessions, []);
    for (const cell of this.cells.filter(({ transcript }) => transcript)) {
      assert.deepEqual(await cell.kept(), cell.transcript, 'it changed after it was final');
    }
  }
}

const title = (path, phase) => `${path} ${phase}: its reason, its turns, one end [P2]`;
const code = ({ code }) => code;

function groupOf(name, set, options, body) {
  describe(name, { concurrency: true }, () => {
    const group = new Group();
    before(() => group.start(set, options));
    after(() => group.scope.close());
    body(group);
  });
}

// --- paths that end one conversation at a time, in parallel in one relay -------------------------

const single = Object.entries(paths).filter(([, path]) => path.strike);
const groups = new Set(single.map(([, path]) => path.group ?? 'ends'));

for (const name of groups) {
  const own = single.filter(([, path]) => (path.group ?? 'ends') === name);
  describe(`close matrix, ${name}`, () => {
    const group = new Group();
    before(() => group.start(own[0][1].set));
    after(() => group.scope.close());

    describe('cells', { concurrency: 8 }, () => {
      for (const [reason, path] of own) {
        for (const [where, phase] of Object.entries(phases)) {
          test(title(reason, where), async () => {
            const cell = group.cell(phase);
            await cell.begin();
            await path.strike(cell);
            await cell.assertEnded([reason], code(path));
          });
        }
      }
    });

    test(`after ${name} nothing is left [P2][P11]`, () => group.assertNothingLeft());
  });
}

// --- the same while a client reconnects ----------------------------------------------------------

const returning = 'while resuming';
const window = ['session.resume_window=500ms'];

for (const name of groups) {
  const own = single.filter(([, path]) => (path.group ?? 'ends') === name);
  groupOf(`close matrix, ${name} ${returning}`, [...(own[0][1].set ?? []), ...window], {}, (group) => {
    for (const [reason, path] of own) {
      const skip =
        path === paths.replaced
          ? { skip: 'cannot exist: a conversation that can be resumed is carried on by the newer connection' }
          : {};
      test(title(reason, returning), skip, async () => {
        const cell = group.cell(phases['mid assistant delta']);
        await cell.begin();
        await cell.comeBack();
        await path.strike(cell);
        await cell.assertEnded([reason], code(path));
      });
    }
  });
}

// --- paths that end all conversations of a relay at once -----------------------------------------

for (const [reason, path] of Object.entries(paths).filter(([, one]) => one.all)) {
  describe(`close matrix, ${reason}`, () => {
    const group = new Group();
    const cells = new Map();
    before(async () => {
      await group.start([...(path.set ?? []), ...window], { faults: true });
      for (const [where, phase] of Object.entries(phases)) {
        cells.set(where, group.cell(phase));
      }
      cells.set(returning, group.cell(phases['mid assistant delta']));
      await Promise.all([...cells.values()].map((cell) => cell.begin()));
      await cells.get(returning).comeBack();
      await path.all(group);
      const { child } = group.relay.program;
      if (child.exitCode !== null || child.signalCode !== null) {
        await Promise.all(group.cells.map(({ client }) => client.closed));
        await group.again();
      }
    });
    after(() => group.scope.close());
    for (const where of [...Object.keys(phases), returning]) {
      test(title(reason, where), async () => {
        await cells.get(where).assertEnded([reason], code(path));
      });
    }
    test(`after ${reason} nothing is live and nothing changes [P2]`, async () => {
      await group.assertNothingLeft({ filesToo: false });
    });
  });
}

// --- during a flush, and with two causes at once -------------------------------------------------

/** Something else, from the other side. */
const second = {
  client: ({ line }) => line.vanish(),
  provider: ({ client }) => client.socket.terminate(),
};
const sideOf = (reason) =>
  /^(upstream|session_expired)/.test(reason) ? second.provider : second.client;
const otherReason = (reason) =>
  sideOf(reason) === second.provider ? 'client_lost' : 'upstream_lost';

groupOf('close matrix, while a flush is under way', [], { faults: true }, (group) => {
  const direct = single.filter(([, path]) => !path.group && path !== paths.replaced);
  const cells = new Map();
  before(async () => {
    for (const [reason] of direct) cells.set(reason, group.cell(phases['mid assistant delta']));
    await Promise.all([...cells.values()].map((cell) => cell.begin()));
    const held = group.shim.arm({ calls: 'fdatasync', file: '*.db-wal', action: 'hold' });
    for (const [reason, path] of direct) path.strike(cells.get(reason));
    await held.struck();
    // The queue cannot drain now. All ends are submitted when it stops growing.
    const waiting = async () =>
      (await group.relay.request('/metrics')).text.match(/queue_bytes (\d+)/)[1];
    for (let last, now = await waiting(), same = 0; same < 10; same = now === last ? same + 1 : 0) {
      await sleep(20);
      [last, now] = [now, await waiting()];
    }
    for (const [reason] of direct) sideOf(reason)(cells.get(reason));
    held.disarm();
  });
  for (const [reason] of direct) {
    test(`${reason} while its flush is under way: what comes second changes nothing [P2]`, async () => {
      await cells.get(reason).assertEnded([reason]);
    });
  }
  for (const reason of ['idle_timeout', 'max_duration', 'slow_client', 'replaced']) {
    test(`${reason} while its flush is under way`, {
      skip: 'cannot exist apart: an end that has been submitted does not depend on its cause',
    });
  }
});

describe('close matrix, a flush under way when everything ends', () => {
  for (const [how, signal, right] of [
    ['server_shutdown', 'SIGTERM', ['client_closed']],
    ['crash_recovered', 'SIGKILL', ['client_closed', 'crash_recovered']],
    ['storage_failure', 'fail', ['client_closed', 'crash_recovered']],
  ]) {
    test(`${how} while a flush is under way: one end, and every word [P1][P2]`, async () => {
      const group = new Group();
      try {
        await group.start([], { faults: true });
        const cell = group.cell(phases['mid assistant delta']);
        await cell.begin();
        const rule = { calls: 'fdatasync', file: '*.db-wal' };
        const held = group.shim.arm({ ...rule, action: 'hold' });
        cell.client.socket.close(1000);
        await held.struck();
        if (signal === 'fail') group.shim.arm({ ...rule, action: 'fail', from: 1 });
        else group.relay.program.child.kill(signal);
        if (signal !== 'SIGKILL') held.disarm();
        if (signal === 'fail') cell.line.say({ type: 'session.updated', session: {} });
        await Promise.race([group.relay.program.over, sleep(2000)]);
        await group.relay.program.stop(signal === 'SIGTERM' ? 'SIGTERM' : 'SIGKILL');
        group.shim.disarmAll();
        await group.again();
        await cell.assertEnded(right);
      } finally {
        await group.scope.close();
      }
    });
  }
});

groupOf('close matrix, two causes at once', [], {}, (group) => {
  for (const [reason, path] of single.filter(([, one]) => !one.group)) {
    for (const where of ['idle', 'mid assistant delta', 'mid transcription delta']) {
      test(`${reason} and its opposite at once, ${where}: one of the two, once [P2]`, async () => {
        const cell = group.cell(phases[where]);
        await cell.begin();
        const struck = path.strike(cell);
        sideOf(reason)(cell);
        await struck;
        await cell.assertEnded([reason, otherReason(reason)]);
      });
    }
  }
});
