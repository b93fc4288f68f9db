// Elements made by calls. Text only ever becomes text nodes: what somebody said can not become markup.

/** `properties` are attributes, but for `on`: listeners by event. What is null or false is left out. */
export function element(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same for drawings. */
export function drawn(name, properties = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), properties, children);
}

function fill(made, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? '' : value);
  }
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Terms and what they are, without those that are nothing. */
export function facts(entries) {
  const known = entries.filter(
    ([, value]) => value !== null && value !== undefined && value !== false && value !== '',
  );
  return element(
    'dl',
    { class: 'facts' },
    known.map(([term, value]) => element('div', {}, element('dt', {}, term), element('dd', {}, value))),
  );
}

/** A list of choices: [value, words] each. */
export function choice(properties, options, chosen) {
  const list = element(
    'select',
    properties,
    options.map(([value, words]) => element('option', { value }, words)),
  );
  list.value = chosen ?? options[0]?.[0] ?? '';
  return list;
}

export function labelled(words, control) {
  return element('label', { class: 'field' }, element('span', {}, words), control);
}

/** Something that went wrong, and what to do. */
export function problem(words, ...more) {
  return element('p', { class: 'problem', role: 'alert' }, words, ...more);
}
