// The Health page: readiness, version and metrics of the relay, with charts of the last five minutes.
import { at } from './api.js';
import { EventChart, LineChart, decades, linear } from './chart.js';
import { element, facts, problem } from './dom.js';
import { buckets, parse, quantile, since, valueOf, valuesBy } from './metrics.js';
import { clock, counted, reasonWords } from './words.js';

const pollEvery = 2000; // ms
const kept = 5 * 60_000; // ms
const looks = []; // {time, metrics}; stays while other pages are shown

const checks = {
  accepting: ['New conversations', 'are accepted', 'are not accepted'],
  configuration: ['Configuration', 'is valid', 'is not valid'],
  journal: ['Journal', 'is working', 'has a problem'],
  upstream: ['Provider', 'can be reached', 'cannot be reached'],
};

export async function show({ page, signal }) {
  const trouble = element('div');
  const state = element('div', { class: 'readiness' });
  const details = element('div');
  const live = new LineChart({
    title: 'Current conversations',
    format: String,
    scale: linear,
    lines: [
      { name: 'Live', kind: 'first' },
      { name: 'Client disconnected', kind: 'second' },
    ],
  });
  const journal = new LineChart({
    title: 'Wait for a journal commit',
    format: milliseconds,
    scale: decades,
    lines: [
      { name: 'Median', kind: 'first' },
      { name: '99th percentile', kind: 'second' },
    ],
  });
  const ended = new EventChart({
    title: 'Ended conversations, by reason',
    kind: 'Reason',
    nothing: 'None since the relay started.',
  });
  const note = element('p', { class: 'hint', hidden: true });
  const panels = element(
    'div',
    { class: 'panels', hidden: true },
    live.element,
    journal.element,
    ended.element,
  );
  page.append(trouble, state, details, note, panels);

  const look = async () => {
    try {
      const [readiness, version, metrics] = await Promise.all([
        readinessNow(signal),
        versionNow(signal),
        metricsNow(signal),
      ]);
      trouble.replaceChildren();
      state.replaceChildren(...readinessOf(readiness));
      details.replaceChildren(detailsOf(version, metrics.known));
      note.hidden = Boolean(metrics.known);
      note.textContent = metrics.why ?? '';
      panels.hidden = !metrics.known;
      if (metrics.known) {
        looks.push({ time: Date.now(), metrics: metrics.known });
        while (looks[0].time < Date.now() - kept) looks.shift();
        plot(live, journal, ended);
      }
    } catch (error) {
      if (!signal.aborted) trouble.replaceChildren(problem('The relay cannot be reached. Trying again…'));
    }
  };
  await look();
  // One poll at a time, however long it takes.
  const next = async () => {
    if (signal.aborted) return;
    if (!document.hidden) await look();
    timer = setTimeout(next, pollEvery);
  };
  let timer = setTimeout(next, pollEvery);
  signal.addEventListener('abort', () => clearTimeout(timer));
}

const asked = (path, signal) => fetch(at(path), { signal, cache: 'no-store' });

async function readinessNow(signal) {
  return (await asked('/readyz', signal)).json(); // a 503 answer lists what is not ready
}

async function versionNow(signal) {
  return (await asked('/version', signal)).json();
}

/** The metrics as `known`, or `why` there are none here: with metrics.listen they have another address. */
async function metricsNow(signal) {
  const answer = await asked('/metrics', signal);
  if (answer.ok) return { known: parse(await answer.text()) };
  return {
    why:
      answer.status === 404
        ? 'Metrics have an address of their own (metrics.listen), so this page has no charts.'
        : `The relay does not show its metrics here (${answer.status}), so this page has no charts.`,
  };
}

function readinessOf({ status, checks: each }) {
  const ready = status === 'ready';
  return [
    element(
      'p',
      { class: `verdict ${ready ? 'good' : 'bad'}`, role: 'status' },
      ready ? 'Ready' : 'Not ready',
    ),
    element(
      'ul',
      { class: 'checks' },
      Object.entries(each).map(([name, { ok, detail }]) => {
        const [what, well, ill] = checks[name] ?? [name, 'is OK', 'is not OK'];
        return element(
          'li',
          { class: ok ? 'good' : 'bad' },
          element('b', {}, what),
          ` ${ok ? well : ill}`,
          detail && `: ${detail}`,
        );
      }),
    ),
  ];
}

function detailsOf({ version }, metrics) {
  const updated = ['Updated', clock(Date.now())];
  if (!metrics) return facts([['Version', version], updated]);
  const changes = valuesBy(metrics, 'verbatim_upstream_changes_total', 'before');
  const journal = [...valuesBy(metrics, 'verbatim_journal_state', 'state')].find(
    ([, value]) => value === 1,
  )?.[0];
  const failures = sum(valuesBy(metrics, 'verbatim_journal_failures_total', 'kind'));
  const free = valueOf(metrics, 'verbatim_storage_free_bytes');
  return facts([
    ['Version', version],
    ['Attempts since start', String(valueOf(metrics, 'verbatim_sessions_opened_total') ?? 0)],
    [
      'Upstream connections replaced',
      `${changes.get('lost') ?? 0} lost, ${changes.get('rotated') ?? 0} rotated`,
    ],
    ['Journal', journal && (failures ? `${journal}, ${counted(failures, 'failure')}` : journal)],
    ['Free disk space', free && `${(free / 1e9).toFixed(1)} GB`],
    updated,
  ]);
}

const sum = (values) => [...values.values()].reduce((all, value) => all + value, 0);

function plot(live, journal, ended) {
  const span = { from: Date.now() - kept, to: Date.now() };
  live.update(
    looks.map(({ time, metrics }) => {
      const states = valuesBy(metrics, 'verbatim_sessions', 'state');
      return { time, values: [states.get('live'), states.get('detached')] };
    }),
    span,
  );
  journal.update(
    looks.slice(1).map(({ time, metrics }, at) => {
      const name = 'verbatim_journal_wait_seconds';
      const lately = since(buckets(looks[at].metrics, name), buckets(metrics, name));
      return { time, values: [quantile(lately, 0.5), quantile(lately, 0.99)] };
    }),
    span,
  );
  const totals = endings(looks.at(-1));
  ended.update(
    [...totals]
      .filter(([, total]) => total > 0)
      .map(([reason, total]) => ({
        name: reasonWords(reason),
        total,
        events: happened(reason),
      })),
    span,
  );
}

const endings = ({ metrics }) => valuesBy(metrics, 'verbatim_sessions_ended_total', 'reason');

function happened(reason) {
  return looks
    .slice(1)
    .map((each, at) => {
      const [before, now] = [endings(looks[at]).get(reason) ?? 0, endings(each).get(reason) ?? 0];
      return { time: each.time, count: now < before ? now : now - before };
    })
    .filter(({ count }) => count > 0);
}

function milliseconds(seconds) {
  const ms = seconds * 1000;
  return `${ms === 0 ? '0' : ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}
