// Tool calls, shown as cards between the turns of a conversation.
import { element } from './dom.js';
import { tree } from './tree.js';
import { chip, copyButton } from './ui.js';
import { clock, toolStatuses, wait } from './words.js';

const shownAtOnce = 2000; // characters of arguments or output; longer text needs a click

/** Turns and tool calls in the conversation's order. Only a tool call has `kind`. */
export function inPlace(turns, calls) {
  const list = [];
  const rest = [...calls];
  const takeBehind = (ordinal) => {
    while (rest.length > 0 && rest[0].after < ordinal) list.push(rest.shift());
  };
  for (const turn of turns) {
    takeBehind(turn.ordinal);
    list.push(turn);
  }
  return [...list, ...rest];
}

export function rowOfCall(call, id, { chips = [] } = {}) {
  const started = call.started_at;
  const took = started && call.ended_at && wait(new Date(call.ended_at) - new Date(started));
  return element(
    'li',
    { class: `turn tool ${call.status}`, id, tabindex: '-1' },
    element(
      'div',
      { class: 'who' },
      element('span', { class: 'role' }, 'Tool'),
      started && element('time', { datetime: started }, clock(started)),
      took && call.output !== null && chip(took, { title: 'From the call to its output' }),
      chips,
      element(
        'span',
        { class: 'acts' },
        copyButton(JSON.stringify({ name: call.name, arguments: call.arguments, output: call.output }), `Copy the call of ${call.name}`),
      ),
    ),
    element(
      'div',
      { class: 'said' },
      element('p', { class: 'call' }, titleOf(call)),
      passage('Arguments', call.arguments),
      call.output !== null && passage('Output', call.output),
      call.error && passage('Error', JSON.stringify(call.error)),
      notes(call),
    ),
  );
}

function titleOf({ name, server_label: server }) {
  return [element('code', {}, name || 'unnamed'), server && ` on ${server}`];
}

function passage(label, text) {
  const named = (words) => [element('span', { class: 'label' }, `${label} `), element('code', {}, words)];
  if (text.length <= shownAtOnce) {
    const value = parsed(text);
    return element(
      'div',
      { class: 'passage' },
      named(text || '(empty)'),
      value && element('details', {}, element('summary', {}, `${label} as a tree`), tree(value)),
    );
  }
  return element(
    'details',
    { class: 'passage' },
    element('summary', {}, `${label}: ${text.length} characters`),
    element('code', {}, text),
  );
}

/** An object or a list with something in it; undefined for all else, which is as readable as text. */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' && Object.keys(value).length > 1 ? value : undefined;
  } catch {
    return undefined;
  }
}

function notes(call) {
  const said = [];
  if (call.status !== 'completed') said.push(toolStatuses[call.status] ?? call.status);
  if (call.approval?.approve === true) said.push('approved');
  if (call.approval?.approve === false) said.push('not approved');
  if (call.deleted) said.push('deleted in the conversation');
  return said.length > 0 && element('p', { class: 'note' }, said.join(' · '));
}
