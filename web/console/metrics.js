// Reads the part of Prometheus' text format that the relay writes.

/** Returns a Map by name: [{labels, value}]. */
export function parse(text) {
  const metrics = new Map();
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (!name) continue;
    if (!metrics.has(name)) metrics.set(name, []);
    metrics.get(name).push({ labels: labelsOf(labels), value: number(value) });
  }
  return metrics;
}

function labelsOf(text) {
  return Object.fromEntries(
    [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
      name,
      value.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character)),
    ]),
  );
}

const number = (text) => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

export function valueOf(metrics, name, labels = {}) {
  const same = (sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
  return metrics.get(name)?.find(same)?.value;
}

/** Values of a metric by the value of one label. */
export function valuesBy(metrics, name, label) {
  return new Map((metrics.get(name) ?? []).map(({ labels, value }) => [labels[label], value]));
}

/** The buckets of a histogram, ascending: [[upper bound, number of values at or below it]]. */
export function buckets(metrics, name) {
  return (metrics.get(`${name}_bucket`) ?? [])
    .map(({ labels, value }) => [number(labels.le), value])
    .sort(([a], [b]) => a - b);
}

/** The counts between two polls. After a restart of the relay, the counts since the restart. */
export function since(before, now) {
  const known = new Map(before);
  const restarted = now.some(([bound, count]) => count < (known.get(bound) ?? 0));
  return restarted ? now : now.map(([bound, count]) => [bound, count - (known.get(bound) ?? 0)]);
}

/** A quantile, interpolated within its bucket as Prometheus does; undefined for an empty histogram. */
export function quantile(histogram, share) {
  const total = histogram.at(-1)?.[1] ?? 0;
  if (total === 0) return undefined;
  const rank = share * total;
  let lower = 0;
  let below = 0;
  for (const [upper, count] of histogram) {
    if (count >= rank) {
      if (upper === Infinity) return lower;
      return lower + (upper - lower) * ((rank - below) / Math.max(1, count - below));
    }
    lower = upper;
    below = count;
  }
  return lower;
}
