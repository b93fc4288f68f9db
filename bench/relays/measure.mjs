// Measures one relay under one load. Starts both, waits for the lines that the load prints, and reads the
// relay's CPU time and memory at these lines.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts } from './accounting.mjs';
import { startPeer } from './peers.mjs';

/** The process with the clients and the provider; a line on its standard input starts the measurement. */
export class Load {
  #lines;
  #child;
  constructor(binary, cores, options) {
    this.#child = spawn(
      'taskset',
      ['--cpu-list', cores, binary, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.pid = this.#child.pid;
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }
  async phase(name) {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the load ended before "${name}"`);
    const line = JSON.parse(value);
    if (line.phase !== name) throw new Error(`"${line.phase}" instead of "${name}"`);
    return line;
  }
  go() {
    this.#child.stdin.write('\n');
  }
  end() {
    this.#child.kill('SIGKILL');
  }
}

/**
 * `place`: directory, binary, loadBinary, cert, key, pem, port, providerPort. `work`: sessions, work,
 * message-ms, seconds, warm-up. `limit`: a CpuLimit for the relay. Returns memory in KiB, and CPU time in
 * microseconds per message.
 */
export async function measure(name, place, work, { relayCores = '0', loadCores = '1', settings, settle = 0, limit } = {}) {
  const load = new Load(place.loadBinary, loadCores, {
    port: name === 'direct' ? place.providerPort : place.port,
    'provider-port': place.providerPort,
    cert: place.cert,
    key: place.key,
    ...work,
  });
  let relay;
  try {
    await load.phase('listening');
    relay = await startPeer(name, place, relayCores, settings);
    if (relay) limit?.hold(relay.pid);
    await sleep(300);
    const look = () => (relay ? accounts(relay.pid) : { cpuUs: 0, cpuUsOf: {}, pssKiB: 0, switches: 0 });
    const empty = look();
    load.go();
    const connected = await load.phase('connected');
    const dialled = look();
    if (settle) await sleep(settle * 1000);
    const idle = look();
    load.go();
    await load.phase('measuring');
    const before = look();
    const loadBefore = accounts(load.pid);
    const done = await load.phase('done');
    const after = look();
    const loadAfter = accounts(load.pid);
    const cpu = after.cpuUs - before.cpuUs;
    const journalUs = ['journal', 'checkpoint'].reduce(
      (sum, thread) => sum + (after.cpuUsOf[thread] ?? 0) - (before.cpuUsOf[thread] ?? 0), 0);
    return {
      relay: name,
      ...work,
      ...(settings ? { settings } : {}),
      connects_per_second: work.sessions / connected.seconds,
      cpu_us_per_connect: (dialled.cpuUs - empty.cpuUs) / work.sessions,
      kib_per_idle_session: (idle.pssKiB - empty.pssKiB) / work.sessions,
      kib_per_session: (after.pssKiB - empty.pssKiB) / work.sessions,
      messages_per_second: done.messages / done.seconds,
      cpu_us_per_message: done.messages ? cpu / done.messages : 0,
      ...(journalUs ? { journal_share: journalUs / cpu } : {}),
      relay_cores: cpu / 1e6 / done.seconds,
      load_cores: (loadAfter.cpuUs - loadBefore.cpuUs) / 1e6 / done.seconds,
      switches_per_message: done.messages ? (after.switches - before.switches) / done.messages : 0,
      failed: done.failed,
      delays: done.delays ?? {},
    };
  } catch (error) {
    throw new Error(`${name}, ${JSON.stringify(work)}: ${error.message}\n${relay?.log() ?? ''}`);
  } finally {
    load.end();
    await relay?.stop();
  }
}
