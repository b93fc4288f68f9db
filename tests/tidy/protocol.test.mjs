// A provider's protocol stands behind an interface (session/protocol/provider_dialect.hpp). Each folder
// of session/protocol/ is one dialect, of a provider or of a client: only there are its events named.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { includesOf } from './support/includes.mjs';
import { folderOf, productCpp, report, wordingOf } from './support/sources.mjs';

const protocol = 'session/protocol';
const isDialect = (file) => folderOf(file).startsWith(`${protocol}/`);
// It plays the provider, and knows its protocol from the other side.
const playsProvider = (file) => file.startsWith('simulator/');
// Their literals are the documentation of the settings.
const documents = (file) => /^config\/keys_\w+\.cpp$/.test(file);
const others = productCpp.filter((file) => !isDialect(file) && !playsProvider(file) && !documents(file));

/** The literals of a file, without quotes: [{text, line}]. */
const literalsOf = (file) =>
  wordingOf(file)
    .filter(({ text }) => !/^\/[/*]/.test(text))
    .map(({ text, line }) => ({ text: text.replace(/^R"([^(\s"]*)\(([\s\S]*)\)\1"$/, '$2').replace(/^"([\s\S]*)"$/, '$1'), line }));

/** The names of events: literals of the dialects like `response.output_text.delta`. */
const events = new Set(
  productCpp.filter(isDialect).flatMap(literalsOf).map(({ text }) => text).filter((text) => /^[a-z]\w*(\.\w+)+$/.test(text)),
);

test('the dialects name the events of their protocols', () => {
  assert.ok(events.size >= 60, `found ${events.size} names`);
  for (const name of ['session.update', 'response.output_audio.delta', 'input_audio_buffer.append'])
    assert.ok(events.has(name), `${name} is not among them`);
});

test("the name of a provider's event stands only in the folder of a dialect", () => {
  const places = others.flatMap((file) =>
    literalsOf(file).flatMap(({ text, line }) =>
      [...text.matchAll(/[a-z]\w*(?:\.\w+)+/g)].filter(([name]) => events.has(name)).map(([name]) => `${file}:${line}: "${name}"`),
    ),
  );
  assert.deepEqual(
    places,
    [],
    report('Names of events outside of session/protocol/*/', places, 'Ask ProviderDialect what the message means, or let it write the message.'),
  );
});

// The REST form of beta's session, which is a route of its own.
const restForms = ['server/api/handlers/client_secrets.cpp', 'server/api/requests/client_secret.cpp'];

test('a dialect is reached through its interface: only a table includes its folder', () => {
  const tables = [`${protocol}/provider_dialects.cpp`, `${protocol}/client_dialects.cpp`];
  const arrows = others.flatMap((file) => includesOf(file).filter(({ path }) => isDialect(path)).map((one) => ({ file, ...one })));
  for (const one of [...tables, ...restForms]) assert.ok(arrows.some(({ file }) => file === one), `${one} includes no dialect any more; take it out of this test`);
  const places = arrows.filter(({ file }) => !tables.includes(file) && !restForms.includes(file)).map(({ file, line, path }) => `${file}:${line}: "${path}"`);
  assert.deepEqual(
    places,
    [],
    report('Includes of a dialect', places, 'Include session/protocol/provider_dialect.hpp or client_dialect.hpp, and get the dialect passed in.'),
  );
});
