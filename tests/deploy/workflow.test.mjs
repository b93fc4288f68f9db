// .github/workflows/ci.yml, read by the parser of the forge that it is for. Its steps call scripts that run here
// as well.
import assert from 'node:assert/strict';
import { accessSync, constants, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from './support/workflow_parser.mjs';
import { inTree } from './support/programs.mjs';

const name = '.github/workflows/ci.yml';

async function workflow() {
  const content = readFileSync(inTree(name), 'utf8');
  const { context, value } = parseWorkflow({ name, content }, new NoOperationTraceWriter());
  assert.deepEqual(context.errors.getErrors().map(String), []);
  const template = await convertWorkflowTemplate(context, value);
  assert.deepEqual(context.errors.getErrors().map(String), []);
  return template;
}

const commandsOf = (job) => job.steps.filter((step) => 'run' in step).map((step) => step.run.toString());

test("the forge's own parser takes the workflow", async () => {
  const { jobs } = await workflow();
  assert.deepEqual(jobs.map(({ id }) => id.toString()), ['check', 'packages', 'image', 'release']);
});

test('the workflow calls .ci/run and scripts/release, which can be run at home, and no other way to build or test', async () => {
  const { jobs } = await workflow();
  const commands = jobs.flatMap(commandsOf);
  const scripts = commands.flatMap((command) => command.match(/^(?:\.ci|scripts)\/\w+/) ?? []);
  assert.deepEqual(scripts, ['.ci/run', 'scripts/release']);
  for (const script of scripts) accessSync(inTree(script), constants.X_OK);
  for (const command of commands) assert.doesNotMatch(command, /\b(cmake|ninja|node|npm|ctest)\b/);
});

test('a release waits for all other jobs, and only it may write', async () => {
  const { jobs } = await workflow();
  const release = jobs.find(({ id }) => id.toString() === 'release');
  assert.deepEqual(release.needs.map(String).sort(), jobs.map(({ id }) => id.toString()).filter((id) => id !== 'release').sort());
  const writers = readFileSync(inTree(name), 'utf8').match(/: write$/gm);
  assert.equal(writers.length, 1);
});
