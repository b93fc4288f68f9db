// Creates elements. Text always becomes text nodes, so spoken text cannot become markup.

/** `properties` are attributes, except `on`: listeners by event. Null and false values are left out. */
export function element(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same for SVG elements. */
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

/** A list of terms and values, without empty values. */
export function facts(entries, kind = '') {
  const known = entries.filter(
    ([, value]) => value !== null && value !== undefined && value !== false && value !== '',
  );
  return element(
    'dl',
    { class: `facts ${kind}` },
    known.map(([term, value]) => element('div', {}, element('dt', {}, term), element('dd', {}, value))),
  );
}

/** A drop-down list; each option is [value, label]. */
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

/** A table. A narrow page shows its rows as cards, so the roles are explicit. */
export function tableOf(columns, body, properties = {}) {
  return element(
    'table',
    { role: 'table', ...properties, class: `cards ${properties.class ?? ''}` },
    element(
      'thead',
      { role: 'rowgroup' },
      element(
        'tr',
        { role: 'row' },
        columns.map((name) => element('th', { role: 'columnheader', scope: 'col' }, name)),
      ),
    ),
    body,
  );
}

/** A cell of such a table; a card shows the label. */
export const cell = (label, ...content) => element('td', { role: 'cell', 'data-label': label }, ...content);

export const rowOf = (...cells) => element('tr', { role: 'row' }, ...cells);

/** An error message, and what to do about it. */
export function problem(words, ...more) {
  return element('p', { class: 'problem', role: 'alert' }, words, ...more);
}
