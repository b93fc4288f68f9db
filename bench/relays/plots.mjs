// Draws bar charts and line charts as SVG. Verbatim's own values have a colour.
const width = 760;
const font = 'font-family="system-ui, sans-serif" font-size="13"';
const ours = '#0b6e4f';
const others = ['#8a8f98', '#b08c3e', '#5577aa', '#a0558a', '#777'];

const svg = (height, title, content) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="26" ${font} font-weight="600" fill="#111">${title}</text>
${content.join('\n')}
</svg>
`;
const round = (value) =>
  Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** About five round numbers up to `most`. */
function roundSteps(most) {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor(most / step) }, (_, i) => step * (i + 1));
}

/** `rows`: { label, value, ours }. */
export function bars(title, unit, rows) {
  const most = Math.max(...rows.map(({ value }) => value));
  const left = 250;
  return svg(50 + 30 * rows.length, title, rows.flatMap(({ label, value, ours: own }, i) => {
    const y = 44 + 30 * i;
    const long = Math.max(1, ((width - left - 110) * value) / most);
    return [
      `<text x="${left - 10}" y="${y + 15}" ${font} text-anchor="end" fill="#222">${label}</text>`,
      `<rect x="${left}" y="${y}" width="${long.toFixed(1)}" height="20" fill="${own ? ours : others[0]}"/>`,
      `<text x="${left + long + 8}" y="${y + 15}" ${font} fill="#222">${round(value)} ${unit}</text>`,
    ];
  }));
}

/** `curves`: { label, points: [[x, y]], ours }. */
export function lines(title, xUnit, yUnit, curves, { log = false } = {}) {
  const [left, right, top, bottom] = [70, 190, 62, 340];
  const xs = curves.flatMap(({ points }) => points.map(([x]) => x));
  const ys = curves.flatMap(({ points }) => points.map(([, y]) => y));
  const scale = log ? Math.log10 : (value) => value;
  const least = log ? scale(Math.min(...ys)) : 0;
  const most = scale(Math.max(...ys));
  const at = (x) => left + ((width - left - right) * x) / Math.max(...xs);
  const up = (y) => bottom - ((bottom - top) * (scale(y) - least)) / (most - least || 1);
  const ticks = log
    ? [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].filter((y) => scale(y) >= least && scale(y) <= most)
    : roundSteps(most);
  let nextColour = 0;
  return svg(390, title, [
    `<path d="M${left} ${top} V${bottom} H${width - right}" fill="none" stroke="#444"/>`,
    ...ticks.flatMap((y) => [
      `<path d="M${left} ${up(y).toFixed(1)} H${width - right}" stroke="#e3e3e3"/>`,
      `<text x="${left - 8}" y="${(up(y) + 4).toFixed(1)}" ${font} text-anchor="end" fill="#444">${round(y)}</text>`,
    ]),
    ...(new Set(xs).size <= 8 ? [...new Set(xs)] : roundSteps(Math.max(...xs))).map((x) => `<text x="${at(x).toFixed(1)}" y="${bottom + 18}" ${font} text-anchor="middle" fill="#444">${x}</text>`),
    `<text x="${(left + width - right) / 2}" y="${bottom + 38}" ${font} text-anchor="middle" fill="#444">${xUnit}</text>`,
    `<text x="${left - 8}" y="${top - 14}" ${font} text-anchor="end" fill="#444">${yUnit}</text>`,
    ...curves.flatMap(({ label, points, ours: own }, i) => {
      const colour = own ? ours : others[nextColour++ % others.length];
      const path = points.map(([x, y], n) => `${n ? 'L' : 'M'}${at(x).toFixed(1)} ${up(y).toFixed(1)}`).join(' ');
      return [
        `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${own ? 3 : 1.8}"/>`,
        ...points.map(([x, y]) => `<circle cx="${at(x).toFixed(1)}" cy="${up(y).toFixed(1)}" r="3" fill="${colour}"/>`),
        `<rect x="${width - right + 24}" y="${top + 22 * i}" width="16" height="4" fill="${colour}"/>`,
        `<text x="${width - right + 48}" y="${top + 6 + 22 * i}" ${font} fill="#222">${label}</text>`,
      ];
    }),
  ]);
}
