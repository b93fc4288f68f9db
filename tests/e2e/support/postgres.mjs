// A PostgreSQL server of a test: a cluster in a folder of its own, on a loopback port of its own. The
// server refuses to run as root, so then it runs as the user postgres.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './process.mjs';

const programs = '/usr/lib/postgresql/15/bin';
const isRoot = process.geteuid() === 0;

/** Why there is none; undefined if there is. */
export const missing = existsSync(join(programs, 'postgres')) ? undefined : 'needs postgresql-15: scripts/packages e2e';

const idOf = (option) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));

/** Runs one of PostgreSQL's programs as the owner of the cluster. */
function ran(folder, program, ...args) {
  const command = [join(programs, program), ...args];
  const [file, ...rest] = isRoot ? ['runuser', '-u', 'postgres', '--', ...command] : command;
  const { status, stdout, stderr } = spawnSync(file, rest, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (status !== 0) throw new Error(`${program}: ${stderr}${stdout}`);
  return stdout;
}

export class Postgres {
  #running = false;

  constructor(folder, port) {
    Object.assign(this, { folder, port, data: join(folder, 'data') });
  }

  /** A new cluster, started. `settings`: lines of postgresql.conf. */
  static async start(t, settings = {}) {
    const server = await Postgres.#place(t);
    ran(server.folder, 'initdb', '--no-sync', '-A', 'trust', '-U', 'relay', '-D', server.data);
    server.start(settings);
    return server;
  }

  static async #place(t) {
    const folder = mkdtempSync(join(tmpdir(), 'verbatim-pg-'));
    if (isRoot) chownSync(folder, idOf('-u'), idOf('-g'));
    const server = new Postgres(folder, await freePort());
    t.after(() => {
      server.kill();
      rmSync(folder, { recursive: true, force: true });
    });
    return server;
  }

  /** A standby of this server, streaming. `name`: for synchronous_standby_names. */
  async standby(t, name) {
    const other = await Postgres.#place(t);
    const from = `host=127.0.0.1 port=${this.port} user=relay application_name=${name}`;
    ran(other.folder, 'pg_basebackup', '--no-sync', '-X', 'stream', '-c', 'fast', '-R', '-d', from, '-D', other.data);
    other.start();
    return other;
  }

  start(settings = {}) {
    const options = { listen_addresses: '127.0.0.1', port: this.port, unix_socket_directories: this.folder, fsync: 'off', ...settings };
    const written = Object.entries(options).map(([name, value]) => `-c ${name}='${value}'`);
    ran(this.folder, 'pg_ctl', '-w', '-t', '60', '-D', this.data, '-l', join(this.folder, 'log'), '-o', written.join(' '), 'start');
    this.#running = true;
  }

  /** kill -9 of the server with all its children. */
  kill() {
    if (!this.#running) return;
    this.#running = false;
    const pid = Number(readFileSync(join(this.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    signal(pid, 'SIGSTOP'); // it starts no child while they are counted
    const all = [pid, ...this.#children(pid)];
    for (const one of all) signal(one, 'SIGKILL');
    // The next start is refused while one of them still has the shared memory.
    while (all.some((one) => signal(one, 0))) spawnSync('true');
  }

  #children(pid) {
    const { stdout } = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    return stdout.split('\n').filter(Boolean).map(Number);
  }

  promote() {
    ran(this.folder, 'pg_ctl', '-w', '-t', '60', '-D', this.data, 'promote');
  }

  /** Stops or continues the processes that send to standbys: replication then lags. */
  signalWalSenders(name) {
    const pids = this.sql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'");
    for (const pid of pids.split('\n').filter(Boolean)) signal(Number(pid), name);
  }

  /** The output of psql, unaligned and without a heading. */
  sql(database, text) {
    return execFileSync(join(programs, 'psql'), this.#question(database, text), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  }

  /** The same, and this process goes on meanwhile. */
  async ask(database, text) {
    return (await promisify(execFile)(join(programs, 'psql'), this.#question(database, text))).stdout.trim();
  }

  #question(database, text) {
    return ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(this.port), '-U', 'relay', '-d', database, '-c', text];
  }

  /** The URL of a database; `others`: further members of the cluster. */
  url(database, { user = 'relay', others = [] } = {}) {
    const members = [this, ...others].map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `postgresql://${user}@${members}/${database}?sslmode=disable`;
  }
}

function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}
