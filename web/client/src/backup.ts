// Keeps this page's copy of each conversation in the browser until the relay has all of it. If a conversation
// ended badly, the next visit posts the copy as writer `client`, and the relay merges it.
import type { Turn } from '../core.d.ts';
import { beside } from './refusal.ts';

const keptFor = 7 * 24 * 3600 * 1000; // ms
const keptMax = 50; // conversations

export interface BackupRecord {
  id: string;
  url: string;
  attempt: number | undefined;
  token: string | undefined;
  turns: readonly Turn[];
  at: number;
}

export class Backup {
  #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async open(): Promise<Backup> {
    return new Backup(await new Promise((resolve, reject) => {
      const request = indexedDB.open('verbatim', 1);
      request.onupgradeneeded = () => request.result.createObjectStore('conversations', { keyPath: 'id' });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    }));
  }

  async keep(record: BackupRecord): Promise<void> {
    await this.#run('readwrite', (store) => store.put(record));
  }

  async forget(id: string): Promise<void> {
    await this.#run('readwrite', (store) => store.delete(id));
  }

  all(): Promise<BackupRecord[]> {
    return this.#run('readonly', (store) => store.getAll());
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Posts the copies of other conversations. Each visit posts a copy again until the relay has all of it;
   * repeated posts merge into one. Resolves with {id, outcome} for each copy.
   */
  async reconcile({ except, token }: { except?: string | undefined; token?: string | undefined } = {}): Promise<{ id: string; outcome: string }[]> {
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

  #run<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction('conversations', mode);
      const request = ask(transaction.objectStore('conversations'));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }
}

/** Converts a record into the body of a post: docs/merge.md. */
function copyOf({ attempt, turns }: BackupRecord) {
  return {
    writer: 'client',
    attempt,
    turns: turns.filter(({ text }) => text).map(({ itemId, role, text, status }, index) => ({
      item_id: itemId, role, text, ordinal: index + 1,
      status: status === 'in_progress' ? 'interrupted' : status,
    })),
  };
}

async function post(record: BackupRecord, token: string | undefined): Promise<string> {
  const credential = record.token ?? token;
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (credential) headers.authorization = `Bearer ${credential}`;
  try {
    const copy = copyOf(record);
    if (copy.turns.length === 0) return 'nothing_said';
    const page = beside(record.url, `/v1/sessions/${encodeURIComponent(record.id)}/transcript`);
    const answer = await fetch(page, { method: 'POST', headers, body: JSON.stringify(copy) });
    if (answer.ok) return (await answer.json()).complete ? 'complete' : 'posted';
    // The session is erased, or this credential may not post to it: retrying would not help.
    return [400, 401, 403, 404, 413].includes(answer.status) ? 'refused' : 'later';
  } catch {
    return 'later';
  }
}
