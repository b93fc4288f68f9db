// Keeps this page's copy of each conversation in the browser until the relay has all of it. If a conversation
// ended badly, the next visit posts the copy as writer `client`, and the relay merges it.

const keptFor = 7 * 24 * 3600 * 1000; // ms
const keptMax = 50; // conversations

export class Backup {
  #database;

  static async open() {
    const backup = new Backup();
    backup.#database = await new Promise((resolve, reject) => {
      const request = indexedDB.open('verbatim', 1);
      request.onupgradeneeded = () => request.result.createObjectStore('conversations', { keyPath: 'id' });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    return backup;
  }

  /** `record` is {id, url, attempt, token, turns, at}. */
  keep(record) {
    return this.#run('readwrite', (store) => store.put(record));
  }

  forget(id) {
    return this.#run('readwrite', (store) => store.delete(id));
  }

  all() {
    return this.#run('readonly', (store) => store.getAll());
  }

  close() {
    this.#database.close();
  }

  /**
   * Posts the copies of other conversations. Each visit posts a copy again until the relay has all of it;
   * repeated posts merge into one. Resolves with {id, outcome} for each copy.
   */
  async reconcile({ except, token } = {}) {
    const records = (await this.all()).sort((a, b) => b.at - a.at);
    const outcomes = [];
    for (const [number, record] of records.entries()) {
      if (record.id === except) continue;
      const old = number >= keptMax || Date.now() - record.at > keptFor;
      const outcome = old ? 'too_old' : await post(record, token);
      if (outcome !== 'later' && outcome !== 'posted') await this.forget(record.id);
      outcomes.push({ id: record.id, outcome });
    }
    return outcomes;
  }

  #run(mode, ask) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction('conversations', mode);
      const request = ask(transaction.objectStore('conversations'));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }
}

/** Converts a record into the body of a post: docs/merge.md. */
function copyOf({ attempt, turns }) {
  return {
    writer: 'client',
    attempt,
    turns: turns.filter(({ text }) => text).map(({ itemId, role, text, status }, index) => ({
      item_id: itemId, role, text, ordinal: index + 1,
      status: status === 'in_progress' ? 'interrupted' : status,
    })),
  };
}

async function post(record, token) {
  const credential = record.token ?? token;
  const headers = { 'content-type': 'application/json' };
  if (credential) headers.authorization = `Bearer ${credential}`;
  const page = new URL(record.url.replace(/^ws/, 'http'));
  page.pathname = page.pathname.replace(/\/realtime$/, `/sessions/${encodeURIComponent(record.id)}/transcript`);
  page.search = '';
  try {
    const copy = copyOf(record);
    if (copy.turns.length === 0) return 'nothing_said';
    const answer = await fetch(page, { method: 'POST', headers, body: JSON.stringify(copy) });
    if (answer.ok) return (await answer.json()).complete ? 'complete' : 'posted';
    // The session is erased, or this credential may not post to it: retrying would not help.
    return [400, 401, 403, 404, 413].includes(answer.status) ? 'refused' : 'later';
  } catch {
    return 'later';
  }
}
