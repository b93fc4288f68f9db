// The console: a single page. The part of the address after the # selects the view.
import { element, problem } from './dom.js';
import { forget, key } from './key.js';
import * as health from './health.js';
import * as session from './session.js';
import * as sessions from './sessions.js';
import * as talk from './talk.js';

const content = document.getElementById('content');
const forgetButton = document.getElementById('forget');
let leave = new AbortController();
let shown;

/** #/sessions/ID?attempt=2 */
function place() {
  const [path, query = ''] = location.hash.replace(/^#/, '').split('?');
  const [, name = 'talk', ...rest] = path.split('/');
  return {
    name: name || 'talk',
    id: rest.length ? decodeURIComponent(rest.join('/')) : '',
    query: new URLSearchParams(query),
  };
}

function viewOf({ name, id }) {
  if (name === 'talk') return { view: talk, title: 'Talk' };
  if (name === 'health') return { view: health, title: 'Health' };
  if (name === 'sessions')
    return id ? { view: session, title: `Session ${id}` } : { view: sessions, title: 'Sessions' };
  return undefined;
}

async function show() {
  const { name, id, query } = place();
  const found = viewOf({ name, id });
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const heading = element('h1', { tabindex: '-1' }, found?.title ?? 'Page not found');
  document.title = `${found?.title ?? 'Not found'} · Verbatim`;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#/${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const page = element('div', { class: `page ${name}` }, heading);
  content.replaceChildren(page);
  // Focus the heading, so that a screen reader announces the new page. Not for the first page, and not when
  // only the query has changed.
  const where = `${name}/${id}`;
  if (shown !== undefined && shown !== where) heading.focus();
  shown = where;
  try {
    await found?.view.show({ page, heading, id, query, signal });
  } catch (error) {
    if (signal.aborted) return;
    const again = element('button', { type: 'button', on: { click: show } }, 'Try again');
    page.append(problem(`${error.message} `, again));
  }
}

function keyChanged() {
  forgetButton.hidden = key() === null;
}

// Without this, the link's #content would be read as a view.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  content.focus();
});
forgetButton.addEventListener('click', () => {
  forget();
  show();
});
addEventListener('keychange', keyChanged);
addEventListener('hashchange', show);
keyChanged();
show();
