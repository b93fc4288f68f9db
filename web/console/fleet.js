// The Fleet page: the relays that share one database, with their leases, their lag and their
// conversations.
import { Refused, read } from './api.js';
import { cell, element, rowOf, tableOf } from './dom.js';
import { poll, showTrouble } from './ui.js';
import { clock, counted, moment } from './words.js';

const pollEvery = 2000; // ms

const states = {
  alive: ['good', 'alive'],
  silent: ['bad', 'does not answer'],
  left: ['', 'stopped in order'],
  fenced: ['bad', 'marked as dead'],
  forgotten: ['', 'given up'],
};

const columns = ['Relay', 'State', 'Lease', 'Lag', 'Conversations', 'Version', 'Started'];

export async function show({ page, signal, arrived }) {
  const trouble = element('div');
  const found = element('p', { class: 'found', role: 'status' });
  const rows = element('tbody', { role: 'rowgroup' });
  const table = tableOf(columns, rows, { class: 'nodes', hidden: true });
  page.append(trouble, found, table);
  await poll(signal, pollEvery, async () => {
    try {
      const { nodes } = await read('/v1/fleet', { signal });
      showTrouble(trouble);
      rows.replaceChildren(...nodes.map(nodeRow));
      table.hidden = nodes.length === 0;
      found.textContent = `${summary(nodes)}. Updated ${clock(Date.now())}.`;
    } catch (error) {
      if (signal.aborted) return true;
      showTrouble(trouble, error);
      // A relay that is alone stays so until it starts again.
      return error instanceof Refused && [401, 403, 404].includes(error.status);
    } finally {
      arrived();
    }
    return false;
  });
}

function summary(nodes) {
  const alive = nodes.filter(({ state }) => state === 'alive');
  const conversations = nodes.reduce((sum, { sessions }) => sum + sessions, 0);
  return `${alive.length} of ${counted(nodes.length, 'relay')} alive, ${counted(conversations, 'conversation')}`;
}

function nodeRow(node) {
  const [kind, words] = states[node.state] ?? ['', node.state];
  const name = node.url ? new URL(node.url).host : node.node_id.slice(0, 8);
  const waiting = node.left_copies > 0 && `, ${counted(node.left_copies, 'post')} waiting for it`;
  return rowOf(
    cell('Relay', element('b', { title: node.node_id }, name), node.this && ' (this one)'),
    cell('State', element('span', { class: kind }, words)),
    cell('Lease', lease(node)),
    cell('Lag', seconds(node.lag_seconds)),
    cell('Conversations', String(node.sessions), waiting),
    cell('Version', node.version),
    cell('Started', element('time', { datetime: node.started_at }, moment(node.started_at))),
  );
}

function lease({ state, lease_seconds: left }) {
  if (state === 'alive') return 'held';
  return `over for ${seconds(-left)}`;
}

function seconds(value) {
  if (value < 10) return `${Math.max(value, 0).toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  return value < 7200 ? `${Math.round(value / 60)} min` : `${Math.round(value / 3600)} h`;
}
