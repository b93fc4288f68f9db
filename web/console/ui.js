// Parts that several pages use: dialogs, menus, buttons that copy, chips, and the states of a page that has
// nothing to show yet.
import { element, problem } from './dom.js';

/** Asks before something happens that cannot be undone. Resolves to whether it may happen. */
export function confirmed({ title, text, action, extra }) {
  return new Promise((resolve) => {
    const dialog = element('dialog', { 'aria-labelledby': 'confirm-title' });
    const close = (value) => {
      resolve(value);
      dialog.close();
    };
    const cancel = element('button', { type: 'button', on: { click: () => close(false) } }, 'Cancel');
    dialog.append(
      element('h2', { id: 'confirm-title' }, title),
      element('p', {}, text),
      ...(extra ? [extra] : []),
      element(
        'p',
        { class: 'buttons' },
        element('button', { type: 'button', class: 'danger', on: { click: () => close(true) } }, action),
        cancel,
      ),
    );
    dialog.addEventListener('close', () => {
      resolve(false);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}

const toastFor = 6000; // ms

/** A short message that goes away by itself. */
export function toast(words, kind = '') {
  const shown = element('p', { class: `toast ${kind}` }, words);
  document.getElementById('toasts').append(shown);
  setTimeout(() => shown.remove(), toastFor);
}

/** Does something for a click, and reports a failure in place of an exception. */
export async function attempt(button, work) {
  button.disabled = true;
  try {
    return await work();
  } catch (error) {
    toast(error.message, 'bad');
    return undefined;
  } finally {
    button.disabled = false;
  }
}

export function copyButton(text, label, shown = 'Copy') {
  const button = element('button', { type: 'button', class: 'small copy', 'aria-label': label }, shown);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(await (typeof text === 'function' ? text() : text));
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not copied';
    }
    setTimeout(() => (button.textContent = shown), 1500);
  });
  return button;
}

/** A button with a list of choices below it. `items` are elements. */
export function menu(label, items, properties = {}) {
  const list = element('div', { class: 'items' }, items);
  const whole = element('details', { ...properties, class: `menu ${properties.class ?? ''}` }, element('summary', {}, label), list);
  const close = (event) => {
    if (!whole.contains(event.target)) whole.open = false;
  };
  whole.addEventListener('toggle', () => {
    if (whole.open) document.addEventListener('click', close);
    else document.removeEventListener('click', close);
  });
  whole.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !whole.open) return;
    whole.open = false;
    whole.querySelector('summary').focus();
  });
  return whole;
}

export const chip = (words, { kind = '', title } = {}) =>
  element('span', { class: `chip ${kind}`, ...(title ? { title } : {}) }, words);

/** Shown until the data of a page is there. */
export function skeleton() {
  return element(
    'div',
    { class: 'skeleton' },
    element('p', { class: 'unseen', role: 'status' }, 'Loading…'),
    Array.from({ length: 4 }, () => element('div', { class: 'bone', 'aria-hidden': 'true' })),
  );
}

export const emptyState = (title, ...text) =>
  element('div', { class: 'empty' }, element('p', { class: 'title' }, title), element('p', {}, text));

/** Tabs; each is {name, label, show()}. `chosen(name)` is called when the user selects one. */
export function tabs(label, list, selected, chosen) {
  const row = element('div', { class: 'tabs', role: 'tablist', 'aria-label': label });
  const panel = element('div', { role: 'tabpanel', id: `${label.replace(/\W/g, '-')}-panel` });
  const buttons = list.map(({ name, label: words }) =>
    element(
      'button',
      { type: 'button', role: 'tab', 'aria-controls': panel.id, on: { click: () => select(name, true) } },
      words,
    ),
  );
  const select = (name, byUser) => {
    list.forEach((one, at) => {
      const on = one.name === name;
      buttons[at].setAttribute('aria-selected', String(on));
      buttons[at].tabIndex = on ? 0 : -1;
      if (!on) return;
      panel.replaceChildren(one.show());
      panel.setAttribute('aria-label', one.label);
      if (byUser) {
        buttons[at].focus();
        chosen?.(name);
      }
    });
  };
  row.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: list.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    select(list[(to + list.length) % list.length].name, true);
  });
  row.append(...buttons);
  select(selected, false);
  return element('div', {}, row, panel);
}

/**
 * Calls `look` now and every `every` ms while the page is shown and visible; one look at a time. A look that
 * returns true is the last.
 */
export async function poll(signal, every, look) {
  let timer;
  const next = async () => {
    if (signal.aborted) return;
    const over = !document.hidden && (await look());
    if (!over && !signal.aborted) timer = setTimeout(next, every);
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  await next();
}

/** Replaces what `place` has by a failure, or clears it. */
export const showTrouble = (place, error) => place.replaceChildren(...(error ? [problem(error.message)] : []));
