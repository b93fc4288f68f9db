// Reads CPU time and memory of a process and its children from the operating system.
import { readFileSync, readdirSync } from 'node:fs';

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}

function list(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The process and all its descendants. */
function family(pid) {
  const children = list(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number));
  return [pid, ...children.flatMap(family)];
}

/**
 * `cpuUs`: CPU time of all threads so far, in microseconds; `cpuUsOf`: the same by thread name; `pssKiB`:
 * memory, with shared pages divided among their processes.
 */
export function accounts(pid) {
  let cpuUs = 0;
  let pssKiB = 0;
  let switches = 0;
  const cpuUsOf = {};
  for (const process of family(pid)) {
    for (const task of list(`/proc/${process}/task`)) {
      const [ran] = read(`/proc/${process}/task/${task}/schedstat`).split(' ');
      const us = Number(ran || 0) / 1000;
      const name = read(`/proc/${process}/task/${task}/comm`).trim();
      cpuUs += us;
      cpuUsOf[name] = (cpuUsOf[name] ?? 0) + us;
      for (const [, count] of read(`/proc/${process}/task/${task}/status`).matchAll(/ctxt_switches:\s+(\d+)/g))
        switches += Number(count);
    }
    pssKiB += Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${process}/smaps_rollup`))?.[1] ?? 0);
  }
  return { cpuUs, cpuUsOf, pssKiB, switches };
}
