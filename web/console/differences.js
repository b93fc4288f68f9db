// The differences between two texts, by words.

const cellsMax = 4_000_000; // of the table; longer texts are shown as wholly different

/** A list of {kind: 'same' | 'removed' | 'added', text}. */
export function differences(before, after) {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  if (a.length * b.length > cellsMax) {
    return [
      { kind: 'removed', text: before },
      { kind: 'added', text: after },
    ];
  }
  const common = lengths(a, b);
  const parts = [];
  const add = (kind, text) => {
    if (parts.at(-1)?.kind === kind) parts.at(-1).text += text;
    else parts.push({ kind, text });
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add('same', a[i++]);
      j += 1;
    } else if (i < a.length && (j === b.length || common(i + 1, j) >= common(i, j + 1))) add('removed', a[i++]);
    else add('added', b[j++]);
  }
  return parts;
}

/** Words with the blanks behind them. */
const wordsOf = (text) => text.match(/\s*\S+\s*?(?=\s|$)|\s+$/g) ?? [];

/** Lengths of the longest common part of a from i on and b from j on. */
function lengths(a, b) {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      table[i * width + j] =
        a[i] === b[j]
          ? table[(i + 1) * width + j + 1] + 1
          : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  return (i, j) => table[i * width + j];
}
