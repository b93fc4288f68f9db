// Every metric stands in docs/metrics.md, and every metric that is named anywhere exists. tests/e2e/metrics.test.mjs
// compares types and labels with a running relay.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentedMetrics, page } from './support/metrics.mjs';
import { files, isTest, lineAt, productCpp, report, textOf, wordingOf } from './support/sources.mjs';

/** Members of JSON objects, and targets of the build: no metrics. */
const others = /^verbatim_(audio|usage_of|incident|responses|first_audio|provider|language|faults|count|cut_power|notified|passed|message_cost)$/;

/** Name -> where the server registers it: a literal that is a metric's name and nothing else. */
const registered = new Map(
  productCpp
    .filter((file) => file.startsWith('server/'))
    .flatMap((file) => wordingOf(file).map(({ text, line }) => [/^"((?:verbatim|process)_[a-z0-9_]+)"$/.exec(text)?.[1], `${file}:${line}`]))
    .filter(([name]) => name && !others.test(name)),
);
const documented = documentedMetrics();

test('the metrics of the server are found', () => {
  assert.ok(registered.size >= 40, `found ${registered.size} literals "verbatim_..." in server/`);
});

test(`every metric that the server registers stands in ${page}`, () => {
  const places = [...registered].filter(([name]) => !documented.has(name)).map(([name, where]) => `${name} (${where})`);
  assert.deepEqual(places, [], report('Metrics without documentation', places, `Add each to ${page}: | name | type | labels | meaning |`));
});

test(`every metric in ${page} is one that the server registers, and has a meaning`, () => {
  const places = [...documented]
    .filter(([name, { meaning }]) => !registered.has(name) || meaning.trim().split(' ').length < 2)
    .map(([name, { line }]) => `${page}:${line}: ${name}`);
  assert.deepEqual(places, [], report('Documented metrics that do not exist, or without a meaning', places, 'Remove each, or correct it.'));
});

test(`${page} names each metric once`, () => {
  const names = [...textOf(page).matchAll(/^\| `((?:verbatim|process)_\w+)`/gm)].map(([, name]) => name);
  assert.deepEqual(names.filter((name, at) => names.indexOf(name) !== at), [], 'Take the second row out.');
  assert.equal(names.length, documented.size, 'A row is not understood: | `name` | type | labels | meaning |');
});

test('metrics that pages, the console, recipes and tests name exist', () => {
  const places = [];
  for (const file of files.filter((one) => /\.(md|m?js)$|^deploy\//.test(one) && !one.startsWith('tests/tidy/') && one !== 'CHANGELOG.md')) {
    const text = textOf(file);
    for (const match of text.matchAll(/\bverbatim_[a-z0-9_]+\b/g)) {
      const name = match[0].replace(/_(bucket|sum|count)$/, '');
      if (registered.has(match[0]) || registered.has(name) || others.test(match[0])) continue;
      if (!isTest(file) || /_(total|bytes|seconds)$/.test(name)) places.push(`${file}:${lineAt(text, match.index)}: ${match[0]}`);
    }
  }
  assert.deepEqual(places, [], report('Names of metrics that the server does not have', places, 'Correct the name, or take the sentence out.'));
});
