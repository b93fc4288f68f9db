// Tool calls, shown between the turns of a conversation.
import { element } from './dom.js';
import { between, clock, toolStatuses } from './words.js';

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

export function rowOfCall(call, id) {
  const started = call.started_at;
  const time =
    started &&
    element('time', { datetime: started, title: between(started, call.ended_at) }, clock(started));
  return element(
    'li',
    { class: `turn tool ${call.status}`, id, tabindex: '-1' },
    element('p', { class: 'who' }, element('span', { class: 'role' }, 'Tool'), ' ', time),
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
  if (text.length <= shownAtOnce) return element('p', { class: 'passage' }, named(text || '(empty)'));
  return element(
    'details',
    { class: 'passage' },
    element('summary', {}, `${label}: ${text.length} characters`),
    element('code', {}, text),
  );
}

function notes(call) {
  const said = [];
  if (call.status !== 'completed') said.push(toolStatuses[call.status] ?? call.status);
  if (call.approval?.approve === true) said.push('approved');
  if (call.approval?.approve === false) said.push('not approved');
  if (call.deleted) said.push('deleted in the conversation');
  return said.length > 0 && element('p', { class: 'note' }, said.join(' · '));
}
