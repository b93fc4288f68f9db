// server/api/openapi.json explains its names. tests/e2e/openapi.test.mjs asks the program whether it is true.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { report, textOf } from './support/sources.mjs';

const file = 'server/api/openapi.json';
const api = JSON.parse(textOf(file));

/** Every object of the description with its path and the objects around it, innermost first. */
function* nodes(value, path = '#', around = []) {
  if (!value || typeof value !== 'object') return;
  if (!Array.isArray(value)) yield { value, path, around };
  for (const [key, inner] of Object.entries(value)) {
    if (!/^examples?$/.test(key)) yield* nodes(inner, `${path}/${key.replaceAll('/', '~1')}`, Array.isArray(value) ? around : [value, ...around]);
  }
}

const all = [...nodes(api)];
const explained = ({ description, title, summary }) => [description, title, summary].some((text) => typeof text === 'string' && text.trim());

test('every set of values is explained, where it stands or by its property, parameter or schema', () => {
  // A schema's own keywords may stand between: items, anyOf, oneOf. A property's text must be its own.
  const sets = all.filter(({ value }) => Array.isArray(value.enum));
  assert.ok(sets.length > 15, `found ${sets.length} enums`);
  const places = sets
    .filter(({ value, path, around }) => {
      const owner = /\/(items|schema|(?:anyOf|oneOf|allOf)\/\d+)$/.test(path) ? around[0] : undefined;
      return !explained(value) && !(owner && explained(owner));
    })
    .map(({ path, value }) => `${file}: ${path}: ${value.enum.join(', ')}`);
  assert.deepEqual(places, [], report('Values without an explanation', places, 'Add a description that says what the values mean, or names the page that does.'));
});

test('every operation has a summary, and every parameter and answer a description', () => {
  const places = [];
  const resolved = (part) => (part.$ref ? part.$ref.slice(2).split('/').reduce((at, name) => at[name], api) : part);
  for (const [group, paths] of Object.entries({ paths: api.paths, webhooks: api.webhooks })) {
    for (const [path, item] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(item).filter(([name]) => /^(get|put|post|patch|delete|head)$/.test(name))) {
        const where = `${file}: ${group} ${method} ${path}`;
        if (!operation.summary) places.push(`${where}: no summary`);
        for (const one of [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolved)) {
          if (!one.description) places.push(`${where}: ${one.name} has no description`);
        }
        for (const [status, answer] of Object.entries(operation.responses)) {
          if (!resolved(answer).description) places.push(`${where}: ${status} has no description`);
        }
      }
    }
  }
  assert.deepEqual(places, [], report('Names without an explanation', places, 'Add a summary or a description.'));
});
