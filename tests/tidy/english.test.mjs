// Plain English: how sentences read, in pages, comments, messages, help and descriptions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proseOf, sentencesOf, unitsOf, wordsOf } from './support/prose.mjs';
import { files, isTest, report } from './support/sources.mjs';
import { expressions, openings } from './support/wording.mjs';

const wordsMax = 30;
const semicolonsMax = 2;

// Texts of others, data, what a log of changes has kept, and the examples of these tests.
const notProse =
  /(^|\/)package(-lock)?\.json$|^(LICENSE|NOTICE|CHANGELOG\.md|deploy\/deb\/copyright)$|^tests\/(recordings\/.*\.json|fuzz\/regressions\/|tidy\/(english\.test|support\/wording)\.mjs)|^(docs\/performance|tests\/cost)\/.*\.json|\.(png|svg|jsonl)$/;

// In tests and the simulator a message that ends like a sentence is spoken text; names and reasons of
// tests end without a stop.
const isSpoken = ({ file, kind, text }) => kind === 'message' && (isTest(file) || file.startsWith('simulator/')) && /[.?!]["')]*$/.test(text.trim());

const sentences = files
  .filter((file) => !notProse.test(file))
  .flatMap((file) => proseOf(file).map((unit) => ({ ...unit, file })))
  .filter((unit) => !isSpoken(unit))
  .flatMap((unit) => [...sentencesOf(unit)].map((one) => ({ ...one, file: unit.file })));

const inWords = (text) => text.replace(/\s+/g, ' ').slice(0, 160);
const place = ({ file, line, text }, more = '') => `${file}:${line}: ${more}${inWords(text)}`;
const texts = (file, text) => unitsOf(file, text).flatMap((unit) => [...sentencesOf(unit)].map((one) => inWords(one.text)));

test('sentences are found in every kind of file', () => {
  assert.ok(sentences.length > 15_000, `found ${sentences.length} sentences`);
  for (const [kind, least] of Object.entries({ paragraph: 1000, heading: 150, cell: 1500, comment: 6000, message: 3000, text: 300 })) {
    const found = sentences.filter((one) => one.kind === kind).length;
    assert.ok(found > least, `found ${found} sentences of the kind ${kind}`);
  }
});

test('a sentence ends at its full stop, not at an abbreviation, a number or code', () => {
  assert.deepEqual(texts('a.md', 'It waits 1.5 s, e.g. after `a. b`. Then\nit ends (see [here](b.md)). "Why?" No.'), [
    'It waits 1.5 s, e.g. after Code.',
    'Then it ends (see here).',
    '"Why?"',
    'No.',
  ]);
  assert.deepEqual(texts('a.md', '# Title\n\nThese stay:\n\n- one thing\n  in two lines\n- another\n\n| a cell | `code` |\n|---|---|\n\n```sh\nnobody\n```\n'), [
    'Title',
    'These stay:',
    'one thing in two lines',
    'another',
    'a cell',
    'Code',
  ]);
});

test('comments and messages are read without their code', () => {
  const cpp = '// One comment\n// in two lines.\nint a = 1;  // Another one.\nfail("the file " + path(a) + " is\\n"\n     "too long; shorten it");\nrun("SELECT a FROM b WHERE c");';
  assert.deepEqual(texts('a.cpp', cpp), ['One comment in two lines.', 'Another one.', 'the file Code is too long; shorten it']);
  const script = "// One.\nconst a = /nobody's \"/.test(b) ? `the ${f(/[`']/g, 'x')} is here` : 'not at all here'; /* Two. */";
  assert.deepEqual(texts('a.mjs', script), ['One.', 'the Code is here', 'not at all here', 'Two.']);
  assert.deepEqual(texts('a.sh', '#!/bin/sh\n# A comment\n# of two lines.\nrun --x # and this'), ['A comment of two lines.', 'and this']);
  assert.deepEqual(texts('a.yaml', 'rule:\n  summary: It is so.\n  description: >-\n    One line\n    of two. Done.\n  expr: up == 0'), ['It is so.', 'One line of two.', 'Done.']);
});

test(`no sentence has more than ${wordsMax} words`, () => {
  const long = sentences.filter(({ text }) => wordsOf(text).length > wordsMax);
  const places = long.map((one) => place(one, `${wordsOf(one.text).length} words: `));
  assert.deepEqual(places, [], report('Long sentences', places, 'Make two sentences, or a list. Code, a link and a number count as one word.'));
});

test(`no sentence has more than ${semicolonsMax} semicolons`, () => {
  const chains = sentences.filter(({ kind, text }) => kind !== 'cell' && text.split(/[\w)]{2,};\s/).length - 1 > semicolonsMax && !/^(?:Code\s*;?\s*)+$/.test(text));
  const places = chains.map((one) => place(one));
  assert.deepEqual(places, [], report('Chains of semicolons', places, 'Make sentences, or a list.'));
});

test('no sentence begins with a What, Who or Where clause', () => {
  const wrong = sentences.filter(({ text }) => openings.wrong.test(text) && !openings.but.test(text) && !/\?["')]*$/.test(text) && wordsOf(text).length > 1);
  const places = wrong.map((one) => place(one));
  assert.deepEqual(places, [], report('Sentences that begin with a What, Who or Where clause', places, `Write ${openings.write}.`));
});

test('no sentence has an expression for which there is a plain one', () => {
  for (const { wrong, example } of expressions) assert.match(example, wrong);
  const all = new RegExp(expressions.map(({ wrong }) => wrong.source).join('|'), 'i');
  const places = [];
  for (const one of sentences.filter(({ text }) => all.test(text))) {
    for (const { wrong, write } of expressions) {
      const found = new RegExp(wrong.source, 'i').exec(one.text);
      if (found) places.push(place(one, `for "${found[0]}" write ${write}: `));
    }
  }
  assert.deepEqual(places, [], report('Expressions of our own', places, 'Rewrite each sentence: subject, verb, object. The list is in tests/tidy/support/wording.mjs.'));
});
