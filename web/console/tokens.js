// Client tokens: mint one, list those that are still good, revoke one.
import { at, call, post, read } from './api.js';
import { cell, choice, element, labelled, rowOf, tableOf } from './dom.js';
import { key } from './key.js';
import { attempt, confirmed, copyButton, emptyState, showTrouble, tabs, toast } from './ui.js';
import { counted, moment } from './words.js';

const pageSize = 100;
const lifetimes = [
  ['60', '1 minute'],
  ['600', '10 minutes'],
  ['3600', '1 hour'],
  ['86400', '1 day'],
];

export async function show({ page, query, signal, arrived }) {
  const trouble = element('div');
  const list = element('div');
  const look = async () => {
    try {
      await showList(list, query, signal, look);
      showTrouble(trouble);
    } catch (error) {
      if (!signal.aborted) showTrouble(trouble, error);
    }
  };
  page.append(mintForm(look), element('h2', {}, 'Tokens that are still good'), userFilter(query), trouble, list);
  await look();
  arrived();
}

function mintForm(look) {
  const field = (label, properties = {}) => {
    const input = element('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', ...properties });
    return [labelled(label, input), input];
  };
  const [userField, user] = field('User', { required: true, placeholder: 'ada' });
  const [sessionField, session] = field('Session (optional)', { placeholder: 'any of the user’s' });
  const [modelField, model] = field('Model (optional)', { placeholder: 'the configured one' });
  const lifetime = choice({}, lifetimes, '600');
  const instructions = element('textarea', { rows: '3', placeholder: 'Be brief.' });
  const terms = element('textarea', { rows: '3', class: 'code', spellcheck: 'false', placeholder: '{"limits": {"max_duration": 600}, "policy": {"locked": "bound"}}' });
  const wrong = element('p', { class: 'wrong', role: 'alert' });
  const submit = element('button', { type: 'submit', class: 'primary' }, 'Mint a token');
  const minted = element('div', { class: 'minted' });
  const form = element(
    'form',
    { class: 'mint', 'aria-label': 'Mint a token' },
    element('h2', {}, 'Mint a token'),
    element('p', { class: 'hint' }, 'A client token lets one browser talk for a short time. Your back end mints them in the same way.'),
    element(
      'div',
      { class: 'fields' },
      userField,
      sessionField,
      labelled('Good for', lifetime),
      modelField,
      element('label', { class: 'field broad' }, element('span', {}, 'Instructions (optional)'), instructions),
      element('label', { class: 'field broad' }, element('span', {}, 'More terms: members of "verbatim" as JSON (optional)'), terms),
    ),
    wrong,
    element('p', { class: 'buttons' }, submit),
    minted,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const body = bodyOf({ user, session, model, lifetime, instructions, terms, wrong });
    if (!body) return;
    attempt(submit, async () => {
      minted.replaceChildren(mintedOf(await post('/v1/realtime/client_secrets', body), body));
      await look();
    });
  });
  return form;
}

function bodyOf({ user, session, model, lifetime, instructions, terms, wrong }) {
  wrong.textContent = '';
  let more = {};
  try {
    if (terms.value.trim()) more = JSON.parse(terms.value);
    if (typeof more !== 'object' || more === null || Array.isArray(more)) throw new Error('it is not an object');
    terms.removeAttribute('aria-invalid');
  } catch (error) {
    terms.setAttribute('aria-invalid', 'true');
    wrong.textContent = `The terms are not JSON: ${error.message}.`;
    terms.focus();
    return undefined;
  }
  return {
    session: {
      type: 'realtime',
      ...(model.value.trim() ? { model: model.value.trim() } : {}),
      ...(instructions.value.trim() ? { instructions: instructions.value.trim() } : {}),
    },
    expires_after: { anchor: 'created_at', seconds: Number(lifetime.value) },
    verbatim: { user: user.value.trim(), ...(session.value.trim() ? { session_id: session.value.trim() } : {}), ...more },
  };
}

/** The token is shown once: no list has its value. */
function mintedOf({ value, expires_at: expires }, body) {
  const relay = at('/').href.replace(/\/$/, '');
  const snippets = {
    curl: [
      `curl ${relay}/v1/realtime/client_secrets \\`,
      `  -H "Authorization: Bearer $VERBATIM_API_KEY" \\`,
      `  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`,
    ].join('\n'),
    node: [
      `const answer = await fetch('${relay}/v1/realtime/client_secrets', {`,
      `  method: 'POST',`,
      `  headers: { authorization: \`Bearer \${process.env.VERBATIM_API_KEY}\`, 'content-type': 'application/json' },`,
      `  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')}),`,
      `});`,
      `const { value } = await answer.json(); // for the browser`,
    ].join('\n'),
    page: [
      `import { Conversation } from '${relay}/web/v1/verbatim.js';`,
      ``,
      `const talk = new Conversation({`,
      `  url: '${relay.replace(/^http/, 'ws')}/v1/realtime',`,
      `  token: '${value}',`,
      `});`,
      `await talk.connect();`,
    ].join('\n'),
  };
  const box = (name) => element('div', { class: 'code-box' }, element('pre', {}, snippets[name]), copyButton(snippets[name], 'Copy the code'));
  return element(
    'div',
    {},
    element('p', {}, element('b', {}, 'The token is shown once.'), ` It opens sessions until ${moment(expires * 1000)}.`),
    element('div', { class: 'value' }, element('code', { class: 'token' }, value), copyButton(value, 'Copy the token')),
    tabs(
      'Code',
      [
        { name: 'page', label: 'Use it in a page', show: () => box('page') },
        { name: 'curl', label: 'Mint by curl', show: () => box('curl') },
        { name: 'node', label: 'Mint by Node', show: () => box('node') },
      ],
      'page',
    ),
    key() === null && element('p', { class: 'hint' }, 'This relay is in development mode: it needs no key, and its own pages need no token.'),
  );
}

function userFilter(query) {
  const user = element('input', { type: 'search', name: 'user', value: query.get('user') ?? '', autocomplete: 'off' });
  const form = element(
    'form',
    { class: 'filters short', role: 'search' },
    labelled('Tokens of the user', user),
    element('button', { type: 'submit' }, 'Search'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const asked = user.value.trim();
    location.hash = asked ? `#/tokens?${new URLSearchParams({ user: asked })}` : '#/tokens';
  });
  return form;
}

async function showList(place, query, signal, look) {
  const asked = new URLSearchParams({ limit: pageSize });
  if (query.get('user')) asked.set('user', query.get('user'));
  const { client_secrets: tokens, next_cursor: next } = await read(`/v1/client_secrets?${asked}`, { signal });
  if (tokens.length === 0) {
    place.replaceChildren(emptyState('No tokens.', query.get('user') ? 'This user has no token that is still good.' : 'Mint one above, or let your back end do it.'));
    return;
  }
  const body = element('tbody', { role: 'rowgroup' }, tokens.map((token) => tokenRow(token, look)));
  place.replaceChildren(
    element('p', { class: 'found', role: 'status' }, `${counted(tokens.length, 'token')}${next ? ', and there are more: search for a user' : ''}`),
    tableOf(['Token', 'User', 'Session', 'Made', 'Good until', 'Action'], body, { class: 'tokens' }),
  );
}

function tokenRow({ id, user, session_id: session, any_session_of_user: any, created_at: made, expires_at: until, expired }, look) {
  const revoke = element('button', { type: 'button', class: 'small danger', 'aria-label': `Revoke ${id}` }, 'Revoke');
  revoke.addEventListener('click', async () => {
    const sure = await confirmed({
      title: 'Revoke this token?',
      text: `The connections of ${user} that use it end at once, and it cannot be used again. A conversation waits for another token.`,
      action: 'Revoke the token',
    });
    if (!sure) return;
    await attempt(revoke, async () => {
      await call(`/v1/client_secrets/${encodeURIComponent(id)}`, { method: 'DELETE' });
      toast('The token is revoked.');
      await look();
    });
  });
  return rowOf(
    cell('Token', element('span', { class: 'id' }, id)),
    cell('User', user),
    cell('Session', element('a', { class: 'id', href: `#/sessions/${encodeURIComponent(session)}` }, session), any && element('span', { class: 'hint' }, ' and others of the user')),
    cell('Made', moment(made * 1000)),
    cell('Good until', expired ? 'its session is over (expired)' : moment(until * 1000)),
    element('td', { role: 'cell', class: 'bare' }, revoke),
  );
}
