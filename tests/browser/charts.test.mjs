// The console's charts: their scales, and the quantiles that they draw.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decades, linear } from '../../web/console/chart.js';
import * as metrics from '../../web/console/metrics.js';

test('every value to draw lies between the marks, and the marks are few', () => {
  for (let value = 1e-5; value < 1e5; value *= 1.37) {
    for (const [scale, values] of [
      [linear, [value]],
      [linear, [0, value]],
      [decades, [value]],
      [decades, [value, value * 900]],
    ]) {
      const { marks, share } = scale(values);
      assert.ok(marks.length > 1 && marks.length < 6, `${scale.name} of ${values}: ${marks}`);
      for (const each of [...values, ...marks])
        assert.ok(share(each) >= 0 && share(each) <= 1, `${each} of ${marks}`);
    }
    assert.equal(linear([Math.ceil(value)]).marks[1] % 1, 0); // no fractions of conversations
  }
  assert.ok(decades([]).marks.length === 0 && linear([]).marks.length === 1);
});

test("a histogram's quantiles between two scrapes are those of the values between them", () => {
  const text = (counts) =>
    ['# HELP h x', ...counts.map(([le, count]) => `h_bucket{a="\\"",le="${le}"} ${count}`)].join('\n');
  const before = metrics.buckets(
    metrics.parse(
      text([
        ['0.001', 100],
        ['0.01', 100],
        ['+Inf', 100],
      ]),
    ),
    'h',
  );
  const now = metrics.buckets(
    metrics.parse(
      text([
        ['+Inf', 300],
        ['0.001', 150],
        ['0.01', 250],
      ]),
    ),
    'h',
  );
  const between = metrics.since(before, now);
  assert.deepEqual(between, [
    [0.001, 50],
    [0.01, 150],
    [Infinity, 200],
  ]);
  assert.equal(metrics.quantile(between, 0.25), 0.001);
  assert.ok(Math.abs(metrics.quantile(between, 0.5) - 0.0055) < 1e-12);
  assert.equal(metrics.quantile(between, 0.99), 0.01); // beyond the last known bound
  assert.equal(metrics.quantile(metrics.since(now, now), 0.5), undefined);
  assert.deepEqual(metrics.since(now, before), before); // a restart: counters begin again at 0
  assert.equal(metrics.parse('h_bucket{a="\\"",le="1"} 2').get('h_bucket')[0].labels.a, '"');
});
