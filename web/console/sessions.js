// The list of sessions. It is searched, filtered, sorted and live, has totals, and exports and erases several at once.
import { Refused, call, read, sessionPath } from './api.js';
import { costOfSession, money, pricing } from './costs.js';
import { element, problem } from './dom.js';
import { eraseSessions } from './ending.js';
import { download } from './exports.js';
import { columnMenu, csvOf, lengthOf, shownColumns } from './list-columns.js';
import { apiQuery, filterChips, filterForm, filtersOf, hashOf } from './list-query.js';
import { attempt, emptyState, menu, toast } from './ui.js';
import { watchList } from './watch.js';
import { RowWindow } from './window.js';
import { counted, duration, grouped } from './words.js';

const pageSize = 100;
const liveRows = 50; // the newest, which are followed
const phone = matchMedia('(max-width: 640px)');
const rowHeight = () => (phone.matches ? 112 : 58); // px; pages.css has the same

export async function show({ page, query, signal, arrived }) {
  page.append(filterForm(query), filterChips(query));
  const prices = await pricing();
  if (signal.aborted) return;
  const list = new SessionList({ query, prices, signal });
  page.append(list.element);
  await list.load();
  arrived();
  list.follow();
}

class SessionList {
  #query;
  #prices;
  #signal;
  #sessions = [];
  #byId = new Map();
  #rowOf = new Map(); // id -> {row, signature}
  #selected = new Set();
  #cursor;
  #total;
  #complete = true; // the index of words
  #loading;
  #columns;
  #window;
  #found = element('p', { class: 'found', role: 'status' });
  #trouble = element('div');
  #bulk = element('div', { class: 'bulk', hidden: true });
  #tools = element('div', { class: 'buttons' });
  #table = element('div');
  #nothing = element('div');
  #more = element('button', { type: 'button', hidden: true, on: { click: () => this.#loadMore() } }, 'Show more');
  #all = element('input', { type: 'checkbox', 'aria-label': 'Select all sessions that are loaded' });

  constructor({ query, prices, signal }) {
    this.#query = query;
    this.#prices = prices;
    this.#signal = signal;
    this.#all.addEventListener('change', () => this.#selectAll(this.#all.checked));
    this.#makeTools();
    this.#makeTable();
    this.element = element(
      'div',
      {},
      element('div', { class: 'list-bar' }, this.#found, this.#tools),
      this.#bulk,
      this.#trouble,
      this.#table,
      this.#nothing,
      element('p', { class: 'buttons' }, this.#more),
    );
  }

  // ---- The table ----

  #makeTable() {
    this.#columns = shownColumns(this.#prices);
    this.#rowOf.clear();
    const body = element('tbody', { role: 'rowgroup' });
    const head = element(
      'tr',
      { role: 'row' },
      element('th', { role: 'columnheader', scope: 'col', class: 'pick' }, this.#all),
      this.#columns.map((column) => this.#headOf(column)),
    );
    this.#table.replaceChildren(
      element('table', { class: 'sessions', role: 'table' }, element('thead', { role: 'rowgroup' }, head), body),
    );
    this.#window = new RowWindow({
      body,
      columns: this.#columns.length + 1,
      heightOf: rowHeight,
      make: (session, at) => this.#row(session, at),
      near: () => this.#cursor && this.#loadMore(),
      signal: this.#signal,
    });
    this.#show();
  }

  #headOf({ name, label, sort, number }) {
    const now = this.#query.get('sort') ?? '-created_at';
    const at = sort?.indexOf(now) ?? -1;
    const searching = this.#query.get('q') && sort && !sort.includes('created_at'); // a search has one order
    const properties = { role: 'columnheader', scope: 'col', class: `${name} ${number ? 'number' : ''}` };
    if (!sort || searching) return element('th', properties, label);
    if (at >= 0) properties['aria-sort'] = now.startsWith('-') ? 'descending' : 'ascending';
    const go = () => {
      const asked = new Map(this.#query);
      asked.set('sort', at === 0 ? sort[1] : sort[0]);
      location.hash = hashOf(asked);
    };
    const arrow = at < 0 ? '' : now.startsWith('-') ? ' ↓' : ' ↑';
    return element('th', properties, element('button', { type: 'button', on: { click: go } }, label, element('span', { 'aria-hidden': 'true' }, arrow)));
  }

  #row(session, at) {
    const signature = JSON.stringify(session);
    const known = this.#rowOf.get(session.id);
    if (known?.signature === signature) {
      known.row.setAttribute('aria-rowindex', at + 2);
      return known.row;
    }
    const box = element('input', { type: 'checkbox', 'aria-label': `Select ${session.id}` });
    box.checked = this.#selected.has(session.id);
    box.addEventListener('change', () => {
      if (box.checked) this.#selected.add(session.id);
      else this.#selected.delete(session.id);
      this.#showBulk();
    });
    const row = element(
      'tr',
      { role: 'row', 'aria-rowindex': at + 2, 'data-id': session.id },
      element('td', { role: 'cell', class: 'pick' }, box),
      this.#columns.map(({ name, label, of, number }) =>
        element('td', { role: 'cell', 'data-label': label, class: `${name} ${number ? 'number' : ''}` }, of(session, this.#prices)),
      ),
    );
    if (known) known.row.replaceWith(row);
    this.#rowOf.set(session.id, { row, signature });
    return row;
  }

  #show() {
    this.#window.rows = this.#sessions;
    const table = this.#table.firstChild;
    const none = this.#sessions.length === 0;
    table.hidden = none;
    table.setAttribute('aria-rowcount', this.#cursor ? -1 : this.#sessions.length + 1);
    this.#more.hidden = !this.#cursor;
    this.#nothing.replaceChildren(...(none && this.#total !== undefined ? [this.#emptyState()] : []));
    this.#tools.hidden = none;
    this.#found.textContent = none ? '' : this.#totals();
  }

  #emptyState() {
    if (filtersOf(this.#query).length > 0)
      return emptyState('No session matches.', 'Remove a filter, or search for other words. ', this.#unindexed());
    return emptyState('No sessions yet.', 'Start the first one on the Talk page. ', element('a', { href: '#/talk' }, 'Talk'));
  }

  #unindexed() {
    return this.#complete ? '' : ' Not every stored conversation is in the index of words yet.';
  }

  #totals() {
    const shown = this.#sessions;
    const sum = (of) => shown.reduce((all, one) => all + (of(one) ?? 0), 0);
    const tokens = sum(({ usage }) => usage.total_tokens);
    const cost = sum((one) => costOfSession(one, this.#prices));
    const parts = [
      counted(sum(({ turns }) => turns), 'turn'),
      duration(sum(lengthOf)),
      tokens > 0 && `${grouped(tokens)} tokens`,
      this.#prices.prices.length > 0 && money(cost, this.#prices),
    ].filter(Boolean);
    const all = Math.max(this.#total ?? 0, shown.length);
    const whole = `${grouped(all)} ${all === 1 ? 'session' : 'sessions'}`;
    const which = this.#cursor ? `; in the first ${shown.length}: ` : ': ';
    return `${whole}${which}${parts.join(', ')}.${this.#unindexed()}`;
  }

  // ---- Pages ----

  async load() {
    this.#found.textContent = 'Loading…';
    try {
      await this.#loadPage();
      const asked = this.#query.get('q');
      if (asked && !this.#byId.has(asked)) await this.#addExact(asked);
    } catch (error) {
      this.#found.textContent = '';
      throw error;
    }
  }

  async #loadPage() {
    const asked = apiQuery(this.#query);
    asked.set('limit', pageSize);
    if (this.#cursor) asked.set('cursor', this.#cursor);
    else asked.set('total', 'true');
    const answer = await read(`/v1/sessions?${asked}`, { signal: this.#signal });
    this.#cursor = answer.next_cursor;
    this.#total = answer.total ?? this.#total ?? 0;
    if (answer.search_complete === false) this.#complete = false;
    for (const session of answer.sessions) this.#add(session);
    this.#show();
  }

  /** A session whose id is the whole text comes first. */
  async #addExact(id) {
    const session = await one(id, this.#signal);
    const status = this.#query.get('status');
    if (!session || (status && status !== session.status)) return;
    this.#add(session, 0);
    this.#show();
  }

  #add(session, at = this.#sessions.length) {
    if (this.#byId.has(session.id)) return;
    this.#byId.set(session.id, session);
    this.#sessions.splice(at, 0, session);
  }

  async #loadMore() {
    if (this.#loading) return;
    this.#loading = true;
    this.#more.disabled = true;
    try {
      await this.#loadPage();
      this.#trouble.replaceChildren();
    } catch (error) {
      if (!this.#signal.aborted) this.#trouble.replaceChildren(problem(error.message));
    }
    this.#loading = this.#more.disabled = false;
  }

  // ---- Live rows ----

  /** New sessions appear at the top, and rows change as people speak. Other orders and searches stay as they are. */
  follow() {
    if (this.#query.get('q') || (this.#query.get('sort') ?? '-created_at') !== '-created_at') return;
    const asked = apiQuery(this.#query, { sorted: false });
    asked.set('limit', liveRows);
    watchList(`/v1/live?${asked}`, {
      signal: this.#signal,
      receive: (name, data) => this.#received(name, data),
      away: (lost) => this.#trouble.replaceChildren(...(lost ? [problem('The relay cannot be reached. Trying again…')] : [])),
    }).catch(() => {}); // a relay that refuses it still shows the list
  }

  #received(name, data) {
    if (name === 'gone') {
      this.#leftPage(data.id).catch(() => {});
      return;
    }
    if (name !== 'session') return;
    const known = this.#byId.get(data.id);
    if (known) {
      this.#byId.set(data.id, data);
      this.#sessions[this.#sessions.indexOf(known)] = data;
    } else {
      const at = this.#sessions.findIndex(({ created_at: created }) => created < data.created_at);
      this.#add(data, at < 0 ? this.#sessions.length : at);
      this.#total += 1;
    }
    this.#show();
  }

  /** It was erased, meets the filter no more, or has only moved to the next page. */
  async #leftPage(id) {
    const known = this.#byId.get(id);
    if (!known) return;
    const now = await one(id, this.#signal);
    const status = this.#query.get('status');
    if (now && (!status || now.status === status)) return;
    this.#remove(id);
  }

  #remove(...ids) {
    for (const id of ids) {
      if (!this.#byId.delete(id)) continue;
      this.#sessions = this.#sessions.filter((session) => session.id !== id);
      this.#selected.delete(id);
      this.#rowOf.delete(id);
      this.#total -= 1;
    }
    this.#show();
    this.#showBulk();
  }

  // ---- Many at once ----

  #makeTools() {
    const item = (words, work) => {
      const button = element('button', { type: 'button' }, words);
      button.addEventListener('click', () => attempt(button, work));
      return button;
    };
    this.#tools.append(
      columnMenu(this.#prices, () => this.#makeTable()),
      menu(
        'Export the list',
        [
          item('Spreadsheet (CSV)', async () => save('sessions.csv', 'text/csv', csvOf(await this.#everything(), this.#prices))),
          item('Transcripts (JSON lines)', async () => {
            const answer = await call(`/v1/exports?${apiQuery(this.#query)}`, { signal: this.#signal });
            saveBlob('sessions.jsonl', await answer.blob());
          }),
        ],
        { class: 'small' },
      ),
    );
  }

  /** All sessions that meet the filters. */
  async #everything() {
    const all = [];
    const asked = apiQuery(this.#query);
    asked.set('limit', '500');
    for (;;) {
      const { sessions, next_cursor: next } = await read(`/v1/sessions?${asked}`, { signal: this.#signal });
      all.push(...sessions);
      if (!next) return all;
      asked.set('cursor', next);
    }
  }

  #selectAll(on) {
    this.#selected = new Set(on ? this.#byId.keys() : []);
    for (const box of this.#table.querySelectorAll('tbody .pick input')) box.checked = on;
    for (const { row } of this.#rowOf.values()) row.querySelector('.pick input').checked = on;
    this.#showBulk();
  }

  #showBulk() {
    const number = this.#selected.size;
    this.#bulk.hidden = number === 0;
    this.#all.checked = number > 0 && number === this.#byId.size;
    this.#all.indeterminate = number > 0 && number < this.#byId.size;
    if (number === 0) return;
    const chosen = () => [...this.#selected].map((id) => this.#byId.get(id));
    const button = (words, work, kind = '') => {
      const made = element('button', { type: 'button', class: `small ${kind}` }, words);
      made.addEventListener('click', () => work(made));
      return made;
    };
    this.#bulk.replaceChildren(
      element('b', { role: 'status' }, `${number} selected`),
      button('Export as CSV', () => save('sessions.csv', 'text/csv', csvOf(chosen(), this.#prices))),
      button('Export transcripts', (made) => attempt(made, () => saveTranscripts([...this.#selected], this.#signal))),
      button('Erase', async (made) => this.#remove(...(await eraseSessions([...this.#selected], made))), 'danger'),
      button('Clear the selection', () => this.#selectAll(false)),
    );
  }
}

async function saveTranscripts(ids, signal) {
  const lines = [];
  for (const id of ids) {
    const answer = await call(`${sessionPath(id)}/transcript?attempt=all`, { signal });
    lines.push(JSON.stringify(await answer.json()));
  }
  save('transcripts.jsonl', 'application/x-ndjson', `${lines.join('\n')}\n`);
}

const save = (name, type, text) => saveBlob(name, new Blob([text], { type }));

function saveBlob(name, blob) {
  download(blob, name);
  toast(`${name} is in your downloads.`);
}

async function one(id, signal) {
  try {
    return await read(sessionPath(id), { signal });
  } catch (error) {
    if (error instanceof Refused && error.status > 0) return undefined;
    throw error;
  }
}
