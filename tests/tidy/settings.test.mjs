// Settings: what config/ declares, what config/verbatim.toml documents, and what pages and messages
// name. That file and declaration agree on names, defaults and accepted values is asked of the
// program itself: tests/config/verbatim_toml_test.cpp.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, files, isCpp, isTest, lineAt, productCpp, report, textOf, wordingOf } from './support/sources.mjs';

const toml = textOf('config/verbatim.toml');

const saysWhetherItChanges = /^(Changes while running|A change needs a restart)\.$/;

/** In order: [{name, comment, line}]; a key that is commented out has a value as well. */
function documentedKeys() {
  const keys = [];
  let section = '';
  let comment = [];
  for (const [index, text] of toml.split('\n').entries()) {
    const heading = /^\[(\w+)\]$/.exec(text);
    const key = /^(?:# )?(\w+) = \S/.exec(text);
    if (heading) section = heading[1];
    if (key) keys.push({ name: `${section}.${key[1]}`, comment, line: index + 1 });
    if (heading || key || text === '') comment = [];
    else if (text.startsWith('#')) comment.push(text.slice(2));
    // A key directly below another one shares its comment: a certificate and its key.
    if (key) comment = [...keys.at(-1).comment.filter((one) => !one.startsWith('Accepts:') && !saysWhetherItChanges.test(one))];
  }
  return keys;
}

const declarations = files.filter((file) => /^config\/keys_\w+\.cpp$/.test(file));

const declarationsMade = [...declarations.map(textOf).join('\n').matchAll(/\b(key|add_secret)\((?:table, )?\s*"(\w+\.\w+)"/g)];

/** Names in the tables of config/keys_*.cpp; a secret is declared with its file. */
function declaredKeys() {
  return declarationsMade.flatMap(([, kind, name]) => (kind === 'add_secret' ? [name, `${name}_file`] : [name]));
}

const documented = documentedKeys();
const declared = new Set(declaredKeys());
const sections = new Set([...declared].map((name) => name.split('.')[0]));

test('the declaration of the settings is understood', () => {
  assert.ok(declared.size > 100, `found ${declared.size} keys in ${declarations.join(', ')}`);
  const calls = declarations.map(codeOf).join('\n').match(/\b(key|add_secret)\(/g).length;
  assert.equal(declarationsMade.length, calls);
});

test('a section of the configuration is taken from Settings, which has the defaults', () => {
  const names = [...textOf('config/settings.hpp').matchAll(/^  (\w+) \w+;$/gm)].map(([, type]) => type).filter((type) => new RegExp(`^struct ${type} {`, 'm').test(textOf('config/settings.hpp')));
  assert.ok(names.length > 12, `found the sections ${names}`);
  const bare = new RegExp(`\\bconfig::(${names.join('|')}) \\w+(;|{)`, 'g');
  const places = files
    .filter((file) => /\.cpp$/.test(file))
    .flatMap((file) => [...codeOf(file).matchAll(bare)].map((match) => `${file}:${lineAt(codeOf(file), match.index)}: ${match[0]}`));
  assert.deepEqual(places, [], report('Sections without the defaults', places, 'Write `= config::Settings().server` or the like.'));
});

test('every key in config/verbatim.toml is declared, those that are commented out as well', () => {
  const places = documented.filter(({ name }) => !declared.has(name)).map(({ name, line }) => `config/verbatim.toml:${line}: ${name}`);
  assert.deepEqual(places, [], report('Documented keys that do not exist', places, 'Remove each, or correct its name.'));
});

test('every declared key stands in config/verbatim.toml', () => {
  const names = new Set(documented.map(({ name }) => name));
  const places = [...declared].filter((name) => !names.has(name) && !names.has(`${name}_file`));
  assert.deepEqual(places, [], report('Keys without documentation', places, 'Add each with its default, what it is, and `# Accepts:`.'));
});

test('every key in config/verbatim.toml says whether a running program takes a change over', () => {
  const places = documented.filter(({ comment }) => comment.filter((line) => saysWhetherItChanges.test(line)).length !== 1).map(({ name, line }) => `config/verbatim.toml:${line}: ${name}`);
  assert.deepEqual(places, [], report('Keys that do not say it, or twice', places, 'Write the file anew: `config_tests "[.write]"`.'));
});

test('every key in config/verbatim.toml has a comment that states what it is', () => {
  const places = documented
    .filter(({ comment }) => !comment.some((line) => !line.startsWith('Accepts:') && !saysWhetherItChanges.test(line) && line.split(' ').length >= 3))
    .map(({ name, line }) => `config/verbatim.toml:${line}: ${name}`);
  assert.deepEqual(places, [], report('Keys that only say what they accept', places, 'State above each what it is, its unit if it has one, and why the default is what it is.'));
});

// Names that begin like a setting and are none.
const fieldsOfSession = ['session.type', 'session.model', 'session.voice', 'session.tools', 'session.audio', 'session.instructions', 'session.metadata'];

/** Anything that the program itself calls so: an event of the interface, a line of the log. */
const literals = new Set(productCpp.flatMap((file) => wordingOf(file).map(({ text }) => text.replace(/^"|"$/g, ''))));
/** table.column of the database: both words stand in the schema. */
const schema = textOf('storage/sqlite/schema.cpp');
const isColumn = ([table, column]) =>
  new RegExp(`TABLE ${table}\\b`).test(schema) && new RegExp(`\\b${column}\\b`).test(schema);

function isSetting(name) {
  const [section, member] = name.split('.');
  return declared.has(name) || (name.includes('*') && [...declared].some((one) => one.startsWith(name.replace(/\*$/, '')))) || !sections.has(section) || member === '';
}

test('settings that pages name exist', () => {
  const places = [];
  for (const file of files.filter((one) => /\.md$/.test(one) && !isTest(one))) {
    const text = textOf(file);
    for (const match of text.matchAll(/`([a-z_]+\.[a-z_]+\*?)(?: ?= ?[^`]*)?`/g)) {
      const name = match[1];
      if (isSetting(name) || literals.has(name) || fieldsOfSession.includes(name)) continue;
      if (isColumn(name.split('.')) || /\.(cpp|hpp|mjs|js|md)$/.test(name)) continue;
      places.push(`${file}:${lineAt(text, match.index)}: ${name}`);
    }
  }
  assert.deepEqual(places, [], report('Names that begin like a setting and are not a setting, event or log line', places, 'Correct the name; `grep "^# Accepts" -A1 config/verbatim.toml` has all.'));
});

test('settings that messages and comments name exist', () => {
  const places = [];
  const see = (file, text, line) => {
    for (const [, name] of text.matchAll(/(?<![\w./])([a-z]+\.[a-z]+_[a-z_]+\*?)(?![\w.(/])/g)) {
      if (isSetting(name) || literals.has(name) || /_\.|^\w+\.(cpp|hpp|mjs)$/.test(name)) continue;
      if (isColumn(name.split('.'))) continue;
      places.push(`${file}:${line}: ${name}`);
    }
  };
  for (const file of productCpp.filter(isCpp)) for (const { text, line } of wordingOf(file)) see(file, text, line);
  see('config/verbatim.toml', toml, 1);
  see('server/api/openapi.json', textOf('server/api/openapi.json'), 1);
  assert.deepEqual(places, [], report('Names that begin like a setting and are none', places, 'Correct the name.'));
});
