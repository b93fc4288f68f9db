// A bare Debian in a folder, as a machine of its own: systemd is its first process, and it has its own network,
// with a loopback device only. Needs root, debootstrap and systemd-nspawn.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Background, eventually } from './programs.mjs';

const quiet = ['--quiet', '--register=no', '--keep-unit'];

export class Machine {
  /** A new one, switched off: Debian's smallest system, or a copy of one that VERBATIM_DEBIAN names. */
  static make(t) {
    const machine = new Machine();
    machine.root = mkdtempSync(join(tmpdir(), 'verbatim-machine-'));
    t.after(() => machine.program?.stop());
    t.after(() => rmSync(machine.root, { recursive: true, force: true }));
    const base = process.env.VERBATIM_DEBIAN;
    if (base) execFileSync('cp', ['--archive', `${base}/.`, machine.root]);
    else execFileSync('debootstrap', ['--variant=minbase', 'bookworm', machine.root], { stdio: ['ignore', 'ignore', 'inherit'] });
    chmodSync(machine.root, 0o755); // users other than root have to reach it
    return machine;
  }

  path(path) {
    return join(this.root, path);
  }

  has(path) {
    return existsSync(this.path(path));
  }

  take(file) {
    copyFileSync(file, this.path(basename(file)));
    return `/${basename(file)}`;
  }

  /** Runs a command while the machine is off, with the network of this one, so that apt can load packages. */
  before(...command) {
    const options = [...quiet, '--pipe', '--setenv=DEBIAN_FRONTEND=noninteractive', '--directory', this.root];
    return execFileSync('systemd-nspawn', [...options, ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Switches it on, and waits until all of its services have started. */
  async boot(t) {
    this.program = new Background(t, 'systemd-nspawn', [...quiet, '--boot', '--private-network', '--console=pipe', '--directory', this.root]);
    this.init = await eventually(() => this.#firstProcess(), 'the first process of the machine');
    await eventually(() => ['running', 'degraded'].includes(this.run('systemctl', 'is-system-running').output.trim()), 'the machine has started');
  }

  /** systemd-nspawn's child is the machine's first process. */
  #firstProcess() {
    const { pid } = this.program.child;
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return child && readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'systemd' ? child : undefined;
  }

  /** Runs a command on the machine: {status, output}. */
  run(...command) {
    const { status, stdout, stderr } = spawnSync('nsenter', ['--target', this.init, '--all', ...command], { encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }

  /** A program of this system in the machine's network. */
  withItsNetwork(t, ...command) {
    return new Background(t, 'nsenter', ['--target', this.init, '--net', ...command]);
  }
}
