// One cell of the matrix. People are at different points of their conversations when the fault and the end
// happen, close together. Then the fault is removed, and the program is restarted if it has ended. At last the
// text that clients received is compared with the store (../oracle.mjs). Also checked:
//
//   O4  each conversation has one of the reasons that are right for the cell
//   O6  nothing is written to a file that has failed; the file is sound
//   O7  memory is bounded, and /readyz reports the true state
//   O8  connections end in bounded time, on both sides
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Disk } from '../disk.mjs';
import { Lane, Scope, Tally } from '../lane.mjs';
import { Random } from '../traffic.mjs';
import { kill } from './faults.mjs';
import { Person, points } from './person.mjs';
import { Proxy } from './proxy.mjs';
import { Receiver } from './receiver.mjs';

/** For connections to end, for the program to, for readiness to come back; beside the fault's own. */
const longest_ms = 15_000;
const step_ms = 20;
const stepsMost = 1500;
const memoryMost_kib = 256 * 1024;
const socketsMore = 1; // of the request that was just answered

const socketsOfWebhook = 3; // the kept-alive connection, and the client's own pair
const settings = [
  'upstream.reconnect_attempts_max=0',
  'session.close_timeout=500ms',
  'session.transcription_grace=200ms',
  'server.shutdown_grace=5s',
  'journal.full_retry=300ms',
  'journal.busy_timeout=100ms',
];

export class Cell {
  tally = new Tally();
  #scope = new Scope();
  #armed = [];
  #powerless = false;
  #over = false; // all have ended: a fault that has not happened by now will not
  #disarmed = false;
  #steps = 0;

  /** `path` and `fault` are rows of the tables with their variants folded in. */
  constructor({ path, fault, seed, provider, set = [], hurry = false }) {
    Object.assign(this, { path, fault, provider, hurry, random: new Random(seed), set });
    this.people = points.map((point) => new Person(point, seed));
  }

  breach(rule, kind, what) {
    this.tally.breach(rule, kind, what);
  }

  async run() {
    try {
      await this.#begin();
      await this.#connectPeople();
      const talking = setInterval(() => this.#talk(), step_ms);
      this.#scope.after(() => clearInterval(talking));
      await this.#strike();
      await this.#seeItEnd();
      await this.#recover();
      clearInterval(talking);
      await this.#judge();
    } catch (error) {
      this.breach('cell', 'stuck', error.stack);
    } finally {
      await this.#scope.close();
    }
    return this.tally;
  }

  // --- before ----------------------------------------------------------------------------------

  async #begin() {
    const scope = this.#scope;
    const { random, tally, path, fault } = this;
    if (path.disk || fault.disk) this.disk = new Disk(scope, 64);
    if (fault.webhook) this.receiver = await Receiver.start(scope);
    const far = fault.proxy && (await Proxy.open(scope, this.provider.url, random));
    this.lane = new Lane({
      ...{ random, tally, scope, simulator: far || this.provider },
      set: [
        ...settings,
        ...((this.hurry && this.fault.hurried) || []),
        ...(fault.set ?? []),
        ...(path.set ?? []),
        ...(this.receiver?.set ?? []),
        ...this.set,
      ],
      place: this.disk && (() => this.disk.directory()),
    });
    scope.after(() => this.lane.stop());
    await this.lane.start();
    this.program = this.lane.relay.program;
    const near = fault.proxy && (await Proxy.open(scope, this.lane.relay.wsUrl, random));
    Object.assign(this, { far, near, atStart: this.#sockets() });
  }

  /** Connects the people, and finds the proxied line of each. */
  async #connectPeople() {
    const through = this.near ? { wsUrl: this.near.url } : this.lane.relay;
    const side = this.random.number(0, 1);
    await Promise.all(
      this.people.map(async (person, i) => {
        await person.arrive(this.#scope, through, this.provider).catch((error) => {
          // A limit of the path may have ended it first.
          if (!person.client?.ended) throw error;
        });
        if (!this.fault.proxy) return;
        person.side = this.path.side ?? ((i + side) % 2 ? 'near' : 'far');
        person.line =
          person.side === 'near'
            ? this.near.line(person.client.socket._socket?.localPort)
            : this.far.line(person.voice.port);
      }),
    );
  }

  #talk() {
    if (++this.#steps < stepsMost) for (const person of this.people) person.step();
  }

  // --- the end and the fault -------------------------------------------------------------------

  async #strike() {
    const { path, random } = this;
    await sleep(random.number(0, 60));
    const arm = async () => {
      this.#armed = (await this.fault.arm?.(this)) ?? [];
      if (typeof this.fault.lasts === 'number')
        this.lasting = sleep(this.fault.lasts).then(() => this.#disarm());
      this.#watch();
    };
    if (!path.sudden && random.chance(0.4)) {
      await Promise.all(random.chance(0.5) ? [arm(), this.#end()] : [this.#end(), arm()]);
      return;
    }
    await arm();
    // Before the end, or during it.
    if (path.sudden || random.chance(0.7)) await this.#struck(500);
    await sleep(random.number(0, 20));
    await this.#end();
  }

  async #end() {
    if (!this.ended) await this.path.strike(this);
  }

  get ended() {
    const { child } = this.program;
    return child.exitCode !== null || child.signalCode !== null;
  }

  async #struck(ms, rules = this.#armed) {
    const end = Date.now() + ms;
    const struck = () => rules.length === 0 || rules.some(({ fired }) => fired > 0);
    while (!struck() && !this.ended && !this.#over && Date.now() < end) await sleep(1);
    return struck();
  }

  /** The power goes: for a relay, its disk, and the people on it. */
  async cutPower() {
    if (this.#powerless) return;
    this.#powerless = true;
    for (const person of this.people) person.cut();
    this.disk.cut();
    await this.program.stop('SIGKILL');
  }

  /** O6, O7: what must be so while the fault lasts. */
  #watch() {
    if (this.fault.poisons) this.#nothingWritten();
    if (this.fault.unready && !this.path.process) this.#truth = this.#saysUnready();
  }
  #truth;

  /** Commits and checkpoints go on side by side: what the other one has begun is ended, so this
   * looks from when the program says that it knows. */
  async #nothingWritten() {
    if (!(await this.#struck(longest_ms))) return;
    const known = () => /storage\.trouble|journal\.failed/.test(this.program.stderr);
    while (!known() && !this.ended && !this.#over) await sleep(1);
    if (this.ended || this.#over) return;
    const calls = ['write', 'fsync', 'fdatasync', 'truncate'];
    this.poisoned = ['*verbatim.db', '*verbatim.db-wal'].map((file) =>
      this.lane.shim.arm({ calls, file, action: 'delay', ms: 0 }),
    );
  }

  /** A checkpoint that finds no room is tried again in silence; a commit is not. */
  async #saysUnready() {
    if (!(await this.#struck(longest_ms, this.#armed.slice(0, 1)))) return;
    await this.#becomes(
      async () => (await this.#readiness()) === 503 || this.#disarmed,
      'O7',
      '/readyz did not say 503 while the disk was in trouble',
      5000,
    );
  }

  async #readiness() {
    return (await this.lane.relay.request('/readyz').catch(() => ({}))).status;
  }

  // --- after -----------------------------------------------------------------------------------

  /** Waits until it is so, or until the program has ended. */
  async #becomes(so, rule, what, ms = longest_ms + (this.fault.slow ?? 0)) {
    const end = Date.now() + ms;
    while (!(await so()) && !this.ended) {
      if (Date.now() > end) return this.breach(rule, 'stuck', what);
      await sleep(20);
    }
  }

  /** O8: with the fault still there. */
  async #seeItEnd() {
    if (this.path.process) {
      await this.#becomes(() => false, 'O8', 'the program did not end');
      if (!this.ended) await this.program.stop('SIGKILL');
      return;
    }
    // A client that does not read receives nothing, and neither does anyone behind a line that drops all bytes.
    const ended = ({ client, voice, deaf, line, side, quiet }) =>
      (client.ended || deaf || (line?.dark && side === 'near')) &&
      (voice.ended || quiet || (line?.dark && side === 'far'));
    await this.#becomes(() => this.people.every(ended), 'O8', 'connections did not end');
  }

  #disarm() {
    this.#disarmed = true;
    this.struck = this.#armed.length === 0 || this.#armed.some(({ fired }) => fired > 0);
    const again = this.#armed.reduce((sum, { fired }) => sum + fired, 0);
    const written = (this.poisoned ?? []).reduce((sum, { fired }) => sum + fired, 0);
    if (this.fault.poisons && again + written > 1)
      this.breach('O6', 'lost', 'a file that had failed was written to');
    this.lane.shim.disarmAll();
    this.lane.shim.moveClock(0);
    if (this.receiver) this.receiver.mode = 'up';
  }

  async #recover() {
    const { fault, path } = this;
    if (fault.webhook) await this.#struck(2000); // the message of the end comes after it
    this.#over = true;
    await Promise.all([this.#truth, this.lasting]);
    if (!this.#disarmed) this.#disarm();
    if (!this.ended && fault.again) await this.program.stop('SIGKILL');
    if (!this.ended) {
      await this.#becomes(async () => (await this.#live()) === 0, 'O8', 'conversations are left');
      const onFallback = fault.rotates && this.struck;
      if (!onFallback)
        await this.#becomes(
          async () => (await this.#readiness()) === 200,
          'O7',
          'it did not get ready again',
        );
      await this.#becomes(
        () =>
          this.#sockets() <= this.atStart + socketsMore + (this.receiver ? socketsOfWebhook : 0),
        'O8',
        'connections are left open',
      );
      this.#weigh();
    }
    const { code, signal } = await this.program.stop('SIGTERM', longest_ms + (fault.slow ?? 0));
    this.crashed = code !== 0;
    const mayEnd =
      fault.ends || fault.again || path.sudden || (path.process && fault.unfinished && code === 1);
    if (this.crashed && !mayEnd)
      this.breach('O4', 'stuck', `it ended with ${signal ?? code}:\n${this.program.stderr}`);
    for (const { client } of this.people) client?.socket.terminate();
    await Promise.all(this.people.map(({ client }) => client?.closed));
    if (this.disk) {
      await this.lane.stop();
      await this.disk.revive();
    }
  }

  /** Conversations that the relay still has. */
  async #live() {
    const { text } = await this.lane.relay.request('/metrics').catch(() => ({ text: '' }));
    return Number(/^verbatim_sessions\{state="live"\} (\d+)/m.exec(text)?.[1] ?? 1);
  }

  /** Sockets that the program has; none when it has ended. */
  #sockets() {
    const directory = `/proc/${this.program.pid}/fd`;
    const isSocket = (name) => {
      try {
        return readlinkSync(`${directory}/${name}`).startsWith('socket:');
      } catch {
        return false; // it was closed meanwhile
      }
    };
    return existsSync(directory) ? readdirSync(directory).filter(isSocket).length : 0;
  }

  #weigh() {
    const file = `/proc/${this.program.pid}/status`;
    const status = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const peak = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0); // a process that has ended has none
    if (peak > memoryMost_kib) this.breach('O7', 'stuck', `it has taken ${peak} KiB`);
  }

  async #judge() {
    const { lane, path, fault, random } = this;
    for (let times = fault.again ? random.number(1, 3) : 0; times > 0; --times) {
      const calls = ['open', 'write', 'fsync', 'fdatasync', 'truncate', 'unlink', 'mmap'];
      const rule = { calls, file: '.db', action: kill(random), from: random.number(1, 50) };
      if (!(await lane.startAndDie(rule))) break;
      this.struck = true;
    }
    await lane.start();
    this.program = lane.relay.program;
    if ((await this.#readiness()) !== 200) this.breach('O7', 'stuck', 'not ready after a start');
    const people = this.people.filter(({ client }) => client);
    await lane.verify(people.map((person) => person.seen()));
    for (const person of people) {
      const { id } = person.record;
      if (!id) continue;
      const { json } = await lane.relay.request(`/v1/sessions/${id}`);
      const right = [...path.reasons, ...(fault.reasons ?? [])];
      if (fault.loses) right.push(person.side === 'near' ? 'client_lost' : 'upstream_lost');
      if (this.crashed) right.push('crash_recovered');
      if (!right.includes(json.close_reason)) {
        const what = `${id} (${person.point}) ended with ${json.close_reason}, not ${right.join(' or ')}`;
        this.breach('O4', 'wrong', what);
      }
    }
    // O5
    for (const { record } of this.receiver ? people : []) {
      if (!record.id) continue;
      const what = `the end of ${record.id} was not reported`;
      await this.#becomes(() => this.receiver.endsOf(record.id) > 0, 'O5', what);
      if (this.receiver.endsOf(record.id) > 1)
        this.breach('O5', 'duplicated', `the end of ${record.id} was reported under several ids`);
    }
    await lane.leave();
  }
}
