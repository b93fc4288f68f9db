// The Health page: readiness, version and metrics of the relay, with charts of the last five minutes.
import { at } from './api.js';
import { element, facts, problem } from './dom.js';
import { Charts, kept } from './health-charts.js';
import { parse, valueOf, valuesBy } from './metrics.js';
import { poll } from './ui.js';
import { clock, counted } from './words.js';

const pollEvery = 2000; // ms
const looks = []; // {time, metrics}; stays while other pages are shown

const checks = {
  accepting: ['New conversations', 'are accepted', 'are not accepted'],
  configuration: ['Configuration', 'is valid', 'is not valid'],
  journal: ['Journal', 'is working', 'has a problem'],
  fleet: ['Database of the fleet', 'is connected', 'has a problem'],
  upstream: ['Provider', 'can be reached', 'cannot be reached'],
};

export async function show({ page, signal, arrived }) {
  const trouble = element('div');
  const state = element('div', { class: 'readiness' });
  const details = element('div');
  const note = element('p', { class: 'hint', hidden: true });
  const charts = new Charts();
  const panels = element('div', { class: 'panels', hidden: true }, charts.elements);
  page.append(trouble, state, details, note, panels);

  // While the relay cannot be reached, nothing on the page may look as if it were so now.
  const away = () => {
    trouble.replaceChildren(problem('The relay cannot be reached. Trying again…'));
    state.replaceChildren(element('p', { class: 'verdict bad', role: 'status' }, 'Not reachable'));
    for (const part of [details, panels]) part.classList.add('stale');
  };
  const look = async () => {
    try {
      const [readiness, version, metrics] = await Promise.all([
        readinessNow(signal),
        versionNow(signal),
        metricsNow(signal),
      ]);
      arrived();
      trouble.replaceChildren();
      for (const part of [details, panels]) part.classList.remove('stale');
      state.replaceChildren(...readinessOf(readiness));
      details.replaceChildren(detailsOf(version, metrics.known));
      note.hidden = Boolean(metrics.known);
      note.textContent = metrics.why ?? '';
      panels.hidden = !metrics.known;
      if (!metrics.known) return;
      looks.push({ time: Date.now(), metrics: metrics.known });
      while (looks[0].time < Date.now() - kept) looks.shift();
      charts.show(looks);
    } catch (error) {
      if (signal.aborted) return;
      arrived();
      away();
    }
  };
  await poll(signal, pollEvery, look);
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
  const warned = Object.values(each).some(({ warning }) => warning);
  return [
    element(
      'p',
      { class: `verdict ${ready ? 'good' : 'bad'}`, role: 'status' },
      !ready ? 'Not ready' : warned ? 'Ready, with a warning' : 'Ready',
    ),
    element(
      'ul',
      { class: 'checks' },
      Object.entries(each).map(([name, { ok, detail, warning }]) => {
        const [what, well, ill] = checks[name] ?? [name, 'is OK', 'is not OK'];
        const more = detail ?? warning;
        return element(
          'li',
          { class: !ok ? 'bad' : warning ? 'warned' : 'good' },
          element('b', {}, what),
          ` ${ok ? well : ill}`,
          more && `: ${more}`,
        );
      }),
    ),
  ];
}

function detailsOf({ version }, metrics) {
  const updated = ['Updated', clock(Date.now())];
  if (!metrics) return facts([['Version', version], updated], 'row');
  const changes = valuesBy(metrics, 'verbatim_upstream_changes_total', 'before');
  const journal = [...valuesBy(metrics, 'verbatim_journal_state', 'state')].find(
    ([, value]) => value === 1,
  )?.[0];
  const failures = sum(valuesBy(metrics, 'verbatim_journal_failures_total', 'kind'));
  const free = valueOf(metrics, 'verbatim_storage_free_bytes');
  const started = valueOf(metrics, 'process_start_time_seconds');
  return facts(
    [
      ['Version', version],
      ['Running since', started && new Date(started * 1000).toLocaleString()],
      ['Attempts since start', String(valueOf(metrics, 'verbatim_sessions_opened_total') ?? 0)],
      [
        'Upstream connections replaced',
        `${changes.get('lost') ?? 0} lost, ${changes.get('rotated') ?? 0} rotated`,
      ],
      ['Journal', journal && (failures ? `${journal}, ${counted(failures, 'failure')}` : journal)],
      ['Free disk space', free && `${(free / 1e9).toFixed(1)} GB`],
      updated,
    ],
    'row',
  );
}

const sum = (values) => [...values.values()].reduce((all, value) => all + value, 0);
