// The charts of the page Health: what each draws from two readings of the metrics, one after the other.
import { EventChart, LineChart, decades, linear } from './chart.js';
import { buckets, quantile, since, valueOf, valuesBy } from './metrics.js';
import { reasonWords } from './words.js';

export const kept = 5 * 60_000; // ms that the charts show

/** Sums over all samples of a metric; undefined if it is absent. */
function sumOf(metrics, name) {
  const samples = metrics.get(name);
  return samples?.reduce((all, { value }) => all + value, 0);
}

const gauge = (name, label, value) => ({ metrics }) => (metrics.get(name) ? valueOf(metrics, name, { [label]: value }) : undefined);
const total = (name) => ({ metrics }) => sumOf(metrics, name);
/** Growth of a counter since the reading before; the first reading has none. */
const growth = (of) => (now, before) => {
  if (!before) return undefined;
  const [a, b] = [of(before), of(now)];
  return a === undefined || b === undefined ? undefined : b < a ? b : b - a;
};
/** A quantile of the values between two readings; at the first reading, of all since the start. */
const spread = (name, share) => (now, before) => {
  const present = buckets(now.metrics, name);
  const wanted = before ? since(buckets(before.metrics, name), present) : present;
  return quantile(wanted, share);
};
const failures = growth(({ metrics }) => {
  const failed = (metrics.get('verbatim_responses_total') ?? []).filter(({ labels }) => labels.status === 'failed');
  return failed.reduce((all, { value }) => all + value, 0);
});
const lost = growth(({ metrics }) => valuesBy(metrics, 'verbatim_upstream_changes_total', 'before').get('lost') ?? 0);
const gigabytes = ({ metrics }) => {
  const bytes = valueOf(metrics, 'verbatim_storage_free_bytes');
  return bytes === undefined ? undefined : bytes / 1e9;
};

const lines = [
  {
    title: 'Current conversations',
    format: String,
    scale: linear,
    lines: [
      ['Live', gauge('verbatim_sessions', 'state', 'live')],
      ['Client disconnected', gauge('verbatim_sessions', 'state', 'detached')],
    ],
  },
  {
    title: 'Wait for the first audio of an answer',
    format: milliseconds,
    scale: decades,
    lines: [
      ['Median', spread('verbatim_first_audio_seconds', 0.5)],
      ['95th percentile', spread('verbatim_first_audio_seconds', 0.95)],
    ],
  },
  {
    title: 'Wait for a journal commit',
    format: milliseconds,
    scale: decades,
    lines: [
      ['Median', spread('verbatim_journal_wait_seconds', 0.5)],
      ['99th percentile', spread('verbatim_journal_wait_seconds', 0.99)],
    ],
  },
  {
    title: 'Delay of a message in the relay',
    format: milliseconds,
    scale: decades,
    lines: [
      ['Median', spread('verbatim_relay_delay_seconds', 0.5)],
      ['99th percentile', spread('verbatim_relay_delay_seconds', 0.99)],
    ],
  },
  {
    title: 'Trouble at the provider',
    format: String,
    scale: linear,
    lines: [
      ['Failed answers', failures],
      ['Lost connections', lost],
    ],
  },
  {
    title: 'Webhooks that wait',
    format: String,
    scale: linear,
    lines: [
      ['Waiting', webhooks('waiting')],
      ['Given up', webhooks('dead')],
    ],
  },
  {
    title: 'Processor and memory',
    format: (value) => `${Math.round(value)}`,
    scale: linear,
    lines: [
      ['Processor, percent of one core', processor],
      ['Memory, MB', ({ metrics }) => bytesOf(metrics, 'process_resident_memory_bytes')],
    ],
  },
  {
    title: 'Free disk space',
    format: (value) => `${value.toFixed(value < 10 ? 1 : 0)} GB`,
    scale: linear,
    lines: [['Free', gigabytes]],
  },
];

function webhooks(state) {
  return ({ metrics }) => {
    const samples = (metrics.get('verbatim_webhook_messages') ?? []).filter(({ labels }) => labels.state === state);
    return samples.reduce((all, { value }) => all + value, 0);
  };
}

function bytesOf(metrics, name) {
  const bytes = valueOf(metrics, name);
  return bytes === undefined ? undefined : bytes / 1e6;
}

function processor(now, before) {
  if (!before) return undefined;
  const used = growth(total('process_cpu_seconds_total'))(now, before);
  return used === undefined ? undefined : (100 * used) / ((now.time - before.time) / 1000);
}

export class Charts {
  #charts = lines.map((one) => {
    const chart = new LineChart({
      ...one,
      lines: one.lines.map(([name], at) => ({ name, kind: at === 0 ? 'first' : 'second' })),
    });
    return { chart, of: one.lines.map(([, of]) => of) };
  });
  #ended = new EventChart({
    title: 'Ended conversations, by reason',
    kind: 'Reason',
    nothing: 'None since the relay started.',
  });

  constructor() {
    this.elements = [...this.#charts.map(({ chart }) => chart.element), this.#ended.element];
  }

  /** `looks`: [{time, metrics}], oldest first. */
  show(looks) {
    const span = { from: Date.now() - kept, to: Date.now() };
    for (const { chart, of } of this.#charts)
      chart.update(
        looks.map((look, at) => ({ time: look.time, values: of.map((value) => value(look, looks[at - 1])) })),
        span,
      );
    const totals = [...endings(looks.at(-1))].filter(([, number]) => number > 0);
    this.#ended.update(
      totals.map(([reason, number]) => ({ name: reasonWords(reason), total: number, events: happened(looks, reason) })),
      span,
    );
  }
}

const endings = ({ metrics }) => valuesBy(metrics, 'verbatim_sessions_ended_total', 'reason');

function happened(looks, reason) {
  return looks
    .slice(1)
    .map((each, at) => {
      const [before, now] = [endings(looks[at]).get(reason) ?? 0, endings(each).get(reason) ?? 0];
      return { time: each.time, count: now < before ? now : now - before };
    })
    .filter(({ count }) => count > 0);
}

function milliseconds(value) {
  const ms = value * 1000;
  return `${ms === 0 ? '0' : ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}
