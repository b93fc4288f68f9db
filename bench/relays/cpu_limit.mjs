// Limits the CPU time of a process with a control group. Without the right to make one, `CpuLimit.make`
// returns undefined.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const periodUs = 10_000;

export class CpuLimit {
  #directory;

  /** `cores`: the limit in cores, for example 0.3. */
  static make(cores) {
    const old = existsSync('/sys/fs/cgroup/cpu/cpu.cfs_quota_us');
    const limit = new CpuLimit();
    limit.#directory = join(old ? '/sys/fs/cgroup/cpu' : '/sys/fs/cgroup', `verbatim-bench-${process.pid}`);
    const write = (file, value) => writeFileSync(join(limit.#directory, file), String(value));
    try {
      mkdirSync(limit.#directory);
      if (old) {
        write('cpu.cfs_period_us', periodUs);
        write('cpu.cfs_quota_us', Math.round(cores * periodUs));
      } else {
        write('cpu.max', `${Math.round(cores * periodUs)} ${periodUs}`);
      }
      return limit;
    } catch {
      limit.end();
      return undefined;
    }
  }

  hold(pid) {
    writeFileSync(join(this.#directory, 'cgroup.procs'), String(pid));
  }

  /** Call it after the process has ended. */
  end() {
    try {
      rmdirSync(this.#directory);
    } catch {
      // The group does not exist, or the system removes it later.
    }
  }
}
