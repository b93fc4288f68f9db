// Ends and erases sessions, after a confirmation.
import { call, post, sessionPath } from './api.js';
import { element, labelled } from './dom.js';
import { attempt, confirmed, toast } from './ui.js';
import { counted } from './words.js';

export async function endSession(id, button, done) {
  const reason = element('input', { type: 'text', autocomplete: 'off', maxlength: '200' });
  const sure = await confirmed({
    title: 'End this conversation?',
    text: 'Both sides are disconnected. All words so far are stored, and the session can get another attempt.',
    action: 'End the conversation',
    extra: labelled('Reason, for the client and the log (optional)', reason),
  });
  if (!sure) return;
  await attempt(button, async () => {
    const said = reason.value.trim();
    await post(`${sessionPath(id)}/end`, said ? { reason: said } : {});
    toast('The conversation has ended.');
    await done();
  });
}

export async function eraseSession(id, button) {
  const sure = await confirmed({
    title: 'Erase this session?',
    text: 'Its transcript, its copies, its captured events, its recorded audio and its webhook messages are removed from every file. This cannot be undone.',
    action: 'Erase for ever',
  });
  if (!sure) return;
  await attempt(button, async () => {
    const answer = await call(sessionPath(id), { method: 'DELETE' });
    toast(answer.status === 202 ? 'The session is erased. A file may have some of its text for a moment.' : 'The session is erased.');
    location.hash = '#/sessions';
  });
}

const atOnce = 100; // of one call of the API

/** Erases several sessions. Returns the ids of those that are gone. */
export async function eraseSessions(ids, button) {
  const sure = await confirmed({
    title: `Erase ${counted(ids.length, 'session')}?`,
    text: 'Their transcripts, copies, captured events, recorded audio and webhook messages are removed from every file. This cannot be undone.',
    action: `Erase ${counted(ids.length, 'session')} for ever`,
  });
  if (!sure) return [];
  const gone = [];
  const left = [];
  await attempt(button, async () => {
    for (let at = 0; at < ids.length; at += atOnce) {
      const answer = await post('/v1/erasures', { ids: ids.slice(at, at + atOnce) });
      gone.push(...answer.erased);
      left.push(...answer.left);
    }
  });
  if (gone.length > 0) toast(`${counted(gone.length, 'session')} erased.`);
  for (const { id, why } of left.slice(0, 3)) toast(`${id}: ${why}.`, 'bad');
  if (left.length > 3) toast(`${left.length - 3} more are not erased.`, 'bad');
  return gone;
}
