// The tables of docs/metrics.md. Also read by tests/e2e/metrics.test.mjs, which compares
// types and labels with the metrics that the program serves.
import { lineAt, textOf } from './sources.mjs';

export const page = 'docs/metrics.md';

/** Name -> {type, labels: name -> documented values, meaning, line}; no values: any. */
export function documentedMetrics() {
  const text = textOf(page);
  const rows = [...text.matchAll(/^\| `((?:verbatim|process)_\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$/gm)];
  return new Map(
    rows.map(([whole, name, type, labels, meaning]) => [
      name,
      { type, labels: labelsOf(labels), meaning, line: lineAt(text, text.indexOf(whole)) },
    ]),
  );
}

/** "`a`, `b`: `x`, `y`; `c`" -> a: [], b: [x, y], c: []. Before a colon stands the label whose values follow. */
function labelsOf(cell) {
  const labels = {};
  for (const part of cell.split(';')) {
    const [names, values = ''] = part.split(':');
    const list = (text) => [...text.matchAll(/`(\w+)`/g)].map(([, word]) => word);
    for (const name of list(names)) labels[name] = [];
    if (list(names).length > 0) labels[list(names).at(-1)] = list(values);
  }
  return labels;
}
