// The dashboard: compared with Grafana's types, with docs/metrics.md, and with Prometheus during a
// conversation.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, startRelay, startSimulator, temporaryDirectory } from '../e2e/support/verbatim.mjs';
import { documentedMetrics } from '../tidy/support/metrics.mjs';
import { metricsIn } from './support/expressions.mjs';
import { eventually, inTree } from './support/programs.mjs';
import { Prometheus } from './support/prometheus.mjs';
import { misfits } from './support/types.mjs';

const file = 'deploy/grafana/verbatim.json';
const dashboard = JSON.parse(readFileSync(inTree(file), 'utf8'));
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const targets = panels.flatMap(({ title, targets: list }) => list.map((one) => ({ title, ...one })));

test("the dashboard has the shape of Grafana's types", (t) => {
  assert.equal(misfits(t, 'dashboard', [{ type: 'Dashboard', value: dashboard }]), '');
});

test('panels do not overlap, and no two have one id', () => {
  const taken = new Map();
  for (const { title, gridPos } of dashboard.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; ++x) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; ++y) {
        assert.equal(taken.get(`${x},${y}`), undefined, `${title} covers another panel`);
        taken.set(`${x},${y}`, title);
      }
    }
  }
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
});

test('each query is about the chosen relays, and uses metrics and labels that docs/metrics.md lists', () => {
  const documented = documentedMetrics();
  for (const { title, expr, legendFormat } of targets) {
    const metrics = metricsIn(expr);
    assert.ok(metrics.length > 0, `${title}: ${expr}`);
    assert.equal(expr.match(/job=~"\$job", instance=~"\$instance"/g)?.length, metrics.length, `${title}: ${expr}`);
    for (const { name, labels } of metrics) {
      assert.ok(documented.has(name), `${title}: ${name} does not stand in docs/metrics.md`);
      const known = documented.get(name).labels;
      const grouped = [...expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, list]) => list.split(/, */));
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      for (const label of [...Object.keys(labels), ...grouped, ...shown]) {
        assert.ok(label in known || ['le', 'instance', ''].includes(label), `${title}: ${name} has no label ${label}`);
      }
      for (const [label, values] of Object.entries(labels)) {
        if (known[label].length > 0) for (const value of values) assert.ok(known[label].includes(value), `${title}: ${label}="${value}"`);
      }
    }
  }
});

/** A back end that takes every webhook. */
async function receiver(t) {
  const server = http.createServer((request, response) => request.resume().on('end', () => response.writeHead(204).end()));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close().closeAllConnections());
  const secret = join(temporaryDirectory(t), 'webhook');
  writeFileSync(secret, `whsec_${Buffer.alloc(32, 7).toString('base64')}`, { mode: 0o600 });
  return `webhook.targets=[{ name = "backend", url = "http://127.0.0.1:${server.address().port}/", secret_file = "${secret}", allow_private = true }]`;
}

/** A spoken and a typed turn, and the end of the conversation. */
async function converse(t, relay) {
  const client = await Client.connectWithId(t, relay, { token: null });
  client.send({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800).toString('base64') });
  await client.ask('What does the dashboard show?');
  await client.close();
  await relay.transcript(client.id);
}

test('each query of the dashboard returns data when Prometheus reads a relay with a conversation', async (t) => {
  const relay = await startRelay(t, {
    key: null,
    simulator: await startSimulator(t),
    set: ['webhook.settle=0s', await receiver(t)],
  });
  const prometheus = await Prometheus.start(t, relay.url);
  const seen = (expression) => eventually(async () => (await prometheus.query(expression)).length > 0, expression);
  await seen('verbatim_sessions_opened_total == 0'); // a rate needs the count before
  await converse(t, relay);
  await seen('verbatim_sessions_ended_total{reason="client_closed"} == 1');
  await seen('verbatim_webhook_calls_total{result="delivered"} > 0');
  // A request's count appears with its first request, and a rate needs two looks at it.
  await seen('rate(verbatim_http_requests_total[1m])');
  const failed = [];
  for (const { title, expr } of targets) {
    const samples = await prometheus.query(expr.replaceAll('$job', 'verbatim').replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m'));
    if (!samples.some(({ value }) => !Number.isNaN(value))) failed.push(`${title}: ${expr}`);
  }
  assert.deepEqual(failed, []);
  const [{ value: spoken }] = await prometheus.query('sum(rate(verbatim_messages_total{kind="audio"}[1m]))');
  assert.ok(spoken > 0, 'the conversation had audio');
  const rules = await prometheus.rules();
  assert.ok(rules.length >= 10, `Prometheus evaluates ${rules.length} rules`);
  for (const { name, health, state, lastError } of rules) {
    assert.equal(health, 'ok', `${name}: ${lastError}`);
    assert.notEqual(state, 'firing', name);
  }
});

test('the variables of the dashboard list the job and the relay', () => {
  const [, job, instance] = dashboard.templating.list;
  for (const variable of [job, instance]) {
    const [, metric, label] = /^label_values\((verbatim_\w+(?:\{[^}]*\})?), (\w+)\)$/.exec(variable.query.query);
    assert.equal(label, variable.name);
    for (const { name } of metricsIn(metric)) assert.ok(documentedMetrics().has(name), name);
  }
});
