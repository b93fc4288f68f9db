// A disk whose power a test can cut: an ext4 file system in a file, mounted through a loop device. Bytes that
// programs have not synced when the power goes are lost.
//
// Mounts are made in a namespace of their own (ownNamespace), so the kernel removes them with the last process
// in it, however that ends.
import { execFile, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  rmdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { binary, temporaryDirectory } from '../e2e/support/process.mjs';

/** The program that cuts the power: beside the program under test, unless configured otherwise. */
const scissors =
  process.env.VERBATIM_CUT_POWER ?? join(dirname(binary), 'tests', 'verbatim_cut_power');

const timeout = 30_000;
const sign = 'VERBATIM_POWER_NAMESPACE';
const unshare = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

function command(name, ...args) {
  const { status, stderr, error } = spawnSync(name, args, { encoding: 'utf8', timeout });
  if (status !== 0)
    throw new Error(`${name} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/** Why there can be no such disk here, in a few words; nothing if there can. */
export function whyNot() {
  if (process.getuid() !== 0) return 'only root may mount a file system';
  if (!existsSync('/dev/loop-control')) return 'there are no loop devices';
  if (!existsSync(scissors)) return `${scissors} is not built (target verbatim_cut_power)`;
  for (const tool of ['mkfs.ext4', 'mount', 'umount', 'unshare', 'losetup']) {
    if (spawnSync(tool, ['--version']).error) return `${tool} is not installed`;
  }
  if (spawnSync('unshare', [...unshare, 'losetup', '--find']).status !== 0)
    return 'no namespace of mounts, or no loop device, can be had';
  return undefined;
}

/**
 * Runs this script again in a mount namespace of its own. Never returns in the first process, which
 * only removes what the second one leaves, however that ends.
 */
export async function ownNamespace() {
  if (process.env[sign]) return;
  const directory = mkdtempSync(join(tmpdir(), 'verbatim-power-'));
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const inner = spawn('unshare', [...unshare, ...again], {
    env: { ...process.env, [sign]: '1', TMPDIR: directory },
    stdio: 'inherit',
  });
  // The kernel then ends all processes of the namespace and removes their mounts.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => inner.kill('SIGKILL'));
  const code = await new Promise((resolve) => {
    inner.on('error', () => resolve(1));
    inner.on('exit', resolve);
  });
  rmSync(directory, { recursive: true, force: true });
  process.exit(code ?? 1);
}

export class Disk {
  #count = 0;

  constructor(scope, megabytes = 256) {
    const directory = temporaryDirectory(scope);
    this.image = join(directory, 'disk');
    this.mountPoint = join(directory, 'mounted');
    mkdirSync(this.mountPoint);
    const image = openSync(this.image, 'w');
    ftruncateSync(image, megabytes * 1024 * 1024);
    closeSync(image);
    // Nothing may be written later without a request.
    command('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.image);
    command('mount', '-o', 'loop', this.image, this.mountPoint);
    scope.after(() => {
      spawnSync('umount', ['--lazy', this.mountPoint], { timeout });
      rmdirSync(this.mountPoint);
    });
  }

  /** A new, empty directory that is on the disk for good. */
  directory() {
    const path = join(this.mountPoint, `d${++this.#count}`);
    mkdirSync(path);
    const folder = openSync(this.mountPoint, 'r');
    fsyncSync(folder);
    closeSync(folder);
    return path;
  }

  /** The power goes. Returns when it is gone; the event loop stands still meanwhile. */
  cut() {
    command(scissors, this.mountPoint);
  }

  /** The power is back. Nothing may have a file open here. */
  async revive() {
    const run = promisify(execFile);
    await run('umount', [this.mountPoint], { timeout });
    await run('mount', ['-o', 'loop', this.image, this.mountPoint], { timeout });
  }
}
