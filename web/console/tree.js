// A JSON value as a tree that opens level by level.
import { element } from './dom.js';

const shownAtOnce = 400; // characters of a text
const membersAtOnce = 100;

export const tree = (value) => element('div', { class: 'tree' }, branch(value, undefined, true));

function branch(value, name, open = false) {
  const named = name === undefined ? [] : [element('span', { class: 'member' }, name), ': '];
  if (value === null || typeof value !== 'object') return element('div', {}, named, leaf(value));
  const list = Array.isArray(value);
  const members = Object.entries(value);
  if (members.length === 0) return element('div', {}, named, list ? '[]' : '{}');
  const shown = element('ul');
  const fill = () => {
    if (shown.children.length > 0) return;
    shown.append(...members.slice(0, membersAtOnce).map(([key, one]) => element('li', {}, branch(one, key, open && members.length < 8))));
    if (members.length > membersAtOnce)
      shown.append(element('li', { class: 'hint' }, `and ${members.length - membersAtOnce} more`));
  };
  const count = list ? `[${members.length}]` : `{${members.length}}`;
  const whole = element('details', { on: { toggle: fill } }, element('summary', {}, named, count), shown);
  if (open) {
    fill();
    whole.open = true;
  }
  return whole;
}

function leaf(value) {
  if (typeof value === 'number') return element('span', { class: 'number' }, String(value));
  if (typeof value !== 'string') return element('span', { class: 'word' }, String(value));
  const cut = value.length > shownAtOnce ? `${value.slice(0, shownAtOnce)}… (${value.length} characters)` : value;
  return element('span', { class: 'string' }, JSON.stringify(cut));
}
