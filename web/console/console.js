// The console: a single page. The part of the address after the # selects the view.
import { at } from './api.js';
import { element, problem } from './dom.js';
import { forget, key } from './key.js';
import { skeleton } from './ui.js';

const content = document.getElementById('content');
const forgetButton = document.getElementById('forget');
let leave = new AbortController();
let shown;

// A view is loaded when it is shown first.
const views = {
  talk: ['Talk', () => import('./talk.js')],
  sessions: ['Sessions', () => import('./sessions.js')],
  webhooks: ['Webhooks', () => import('./webhooks.js')],
  tokens: ['Tokens', () => import('./tokens.js')],
  health: ['Health', () => import('./health.js')],
  settings: ['Settings', () => import('./settings.js')],
  fleet: ['Fleet', () => import('./fleet.js')],
};
const sessionView = ['Session', () => import('./session.js')];

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

async function show() {
  const { name, id, query } = place();
  const [title, load] = (name === 'sessions' && id ? sessionView : views[name]) ?? ['Page not found'];
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const heading = element('h1', { tabindex: '-1' }, title);
  document.title = `${title} · Verbatim`;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash !== `#/${name}`) link.removeAttribute('aria-current');
    else {
      link.setAttribute('aria-current', 'page');
      link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
  }
  const page = element('div', { class: `page ${name}${id ? ' one' : ''}` }, heading);
  const waiting = skeleton();
  content.replaceChildren(page, waiting);
  // Focus the heading, so that a screen reader announces the new page. Not for the first page, and not when
  // only the query has changed.
  const where = `${name}/${id}`;
  if (shown !== undefined && shown !== where) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  shown = where;
  try {
    const view = await load?.();
    if (signal.aborted) return;
    if (!view) page.append(element('p', {}, element('a', { href: '#/talk' }, 'Go to Talk')));
    await view?.show({ page, heading, id, query, signal, arrived: () => waiting.remove() });
  } catch (error) {
    if (signal.aborted) return;
    const again = element('button', { type: 'button', on: { click: show } }, 'Try again');
    page.append(problem(`${messageOf(error)} `, again));
  } finally {
    waiting.remove();
  }
}

/** The browser's own words for a module that cannot be loaded say nothing to a user. */
const messageOf = (error) =>
  error instanceof TypeError && /import|module/i.test(error.message)
    ? 'The relay cannot be reached, so this page cannot be loaded. Is the relay running?'
    : error.message;

function keyChanged() {
  forgetButton.hidden = key() === null;
}

/** Only a relay of a fleet has the page. */
async function offerFleet() {
  const answer = await fetch(at('/readyz'), { cache: 'no-store' }).catch(() => undefined);
  const { checks } = (await answer?.json().catch(() => undefined)) ?? {};
  if (checks?.fleet) document.querySelector('nav a[href="#/fleet"]').hidden = false;
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
offerFleet();
show();
