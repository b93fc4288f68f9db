// The alert rules, by Prometheus's own tool: alerts.test.yaml has the cases.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { documentedMetrics } from '../tidy/support/metrics.mjs';
import { metricsIn } from './support/expressions.mjs';
import { check, inTree } from './support/programs.mjs';

const read = (path) => parse(readFileSync(inTree(path), 'utf8'));
const rules = read('deploy/prometheus/alerts.yaml').groups.flatMap((group) => group.rules);
const cases = read('tests/deploy/alerts.test.yaml').tests;

test('Prometheus takes the rules and the example configuration', () => {
  for (const args of [
    ['check', 'rules', 'deploy/prometheus/alerts.yaml'],
    ['check', 'config', 'deploy/prometheus/prometheus.yaml'],
  ]) {
    const { status, output } = check('promtool', ...args);
    assert.equal(status, 0, output);
  }
});

test('each alert fires when it should, and only then', () => {
  const { status, output } = check('promtool', 'test', 'rules', 'tests/deploy/alerts.test.yaml');
  assert.equal(status, 0, output);
});

test('each alert has a case in which it fires, with a series for which it does not', () => {
  for (const { alert } of rules) {
    const firing = cases.flatMap(({ promql_expr_test: tests }) => tests).filter(({ expr }) => expr.includes(`"${alert}"`));
    assert.ok(firing.some(({ exp_samples: samples }) => samples.length > 0), `${alert}: no case in which it fires`);
    const quiet = cases.filter(({ input_series: series, promql_expr_test: tests }) =>
      tests.some(
        ({ expr, exp_samples: samples }) =>
          expr.includes(`"${alert}"`) && instances(series.map((one) => one.series)) > instances(samples.map((one) => one.labels)),
      ),
    );
    assert.ok(quiet.length > 0 || firing.some(({ exp_samples: samples }) => samples.length === 0), `${alert}: no case in which it stays quiet`);
  }
});

const instances = (series) => new Set(series.map((one) => /instance="(\w+)"/.exec(one)?.[1])).size;

test('each alert says what happens, what to do, and how urgent it is', () => {
  assert.ok(rules.length >= 10, `found ${rules.length} rules`);
  for (const { alert, labels, annotations } of rules) {
    assert.match(alert, /^Verbatim[A-Z]/);
    assert.match(labels.severity, /^(critical|warning)$/, alert);
    assert.match(annotations.summary, /^[A-Z].{20,90}\.$/, alert);
    assert.ok(annotations.description.length > 150, `${alert}: the description says what to do`);
    for (const [, label] of annotations.description.matchAll(/\$labels\.(\w+)/g)) {
      const known = ['instance', 'job', 'why', 'limit'].includes(label) || metricsOf(alert).some((name) => label in documentedMetrics().get(name).labels);
      assert.ok(known, `${alert}: no metric of it has the label ${label}`);
    }
  }
});

const metricsOf = (alert) => metricsIn(rules.find((rule) => rule.alert === alert).expr).map(({ name }) => name);

test('the rules use only metrics, labels and values that docs/metrics.md lists', () => {
  const documented = documentedMetrics();
  let found = 0;
  for (const { alert, expr } of rules) {
    for (const { name, labels } of metricsIn(expr)) {
      ++found;
      assert.ok(documented.has(name), `${alert}: ${name}`);
      for (const [label, values] of Object.entries(labels)) {
        const known = documented.get(name).labels[label];
        assert.ok(known, `${alert}: ${name} has no label ${label}`);
        if (known.length > 0) for (const value of values) assert.ok(known.includes(value), `${alert}: ${label}="${value}"`);
      }
    }
  }
  assert.ok(found >= rules.length, `found ${found} metrics in the rules`);
});
