// Translates the relay's names into plain English, and formats times and values.
import { element } from './dom.js';

export const reasons = {
  client_closed: 'client closed',
  client_lost: 'client lost',
  client_ended: 'ended by the client',
  upstream_closed: 'provider closed',
  upstream_lost: 'provider lost',
  upstream_error: 'provider error',
  session_expired: 'expired at the provider',
  idle_timeout: 'no activity',
  max_duration: 'maximum duration reached',
  slow_client: 'client too slow',
  policy: 'limit or policy',
  server_shutdown: 'relay stopped',
  crash_recovered: 'recovered after a crash',
  storage_failure: 'storage failed',
  replaced: 'replaced by a new connection',
  operator: 'ended by the operator',
};

export const sessionStatuses = {
  created: 'not started',
  live: 'live',
  detached: 'client disconnected, can resume',
  recovering: 'relay restarted, client can resume',
  final: 'ended',
};

const turnStatuses = {
  in_progress: 'in progress',
  completed: 'completed',
  interrupted: 'cut off',
  truncated: 'talked over',
  cancelled: 'cancelled',
  failed: 'failed',
};

/** A user's turn fails if its speech could not be transcribed, an answer if the provider failed. */
export const turnStatusWords = ({ role, status }) =>
  status === 'failed' && role === 'user' ? 'transcription failed' : (turnStatuses[status] ?? status);

export const toolStatuses = {
  in_progress: 'waiting for its output',
  completed: 'completed',
  failed: 'failed',
  unanswered: 'no output',
};

export const roles = { user: 'User', assistant: 'Assistant', system: 'System' };

const gapKinds = {
  failed_transcription: 'an utterance has no transcription',
  uncommitted_speech: 'speech began, was never committed and left no text',
  missing_position: 'a writer counted a turn here that no copy contains',
  unacknowledged_item: 'the provider did not acknowledge this item',
  unplaced_text: 'the provider sent text that belongs to no turn',
  tail_pending: 'the newest words may be on a relay that does not answer',
};

export const gapWords = ({ kind }) => gapKinds[kind] ?? spaced(kind);

/** Shows an unknown name without its underscores. */
export const reasonWords = (reason) => (reason ? (reasons[reason] ?? spaced(reason)) : null);

export const spaced = (word) => String(word).replaceAll('_', ' ');

const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const timeOfDay = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

const thisYear = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** For a table: without the year if it is this one. */
export function shortMoment(time) {
  const date = new Date(time);
  return (date.getFullYear() === new Date().getFullYear() ? thisYear : otherYear).format(date);
}

export const moment = (time) => (time ? dayAndTime.format(new Date(time)) : null);
export const clock = (time) => (time ? timeOfDay.format(new Date(time)) : null);

/** Formats 75 seconds as 1:15. */
export function offset(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Formats a duration for reading: "12 min 5 s". */
export function duration(ms) {
  if (!Number.isFinite(ms) || ms < 0) return null;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const parts = [
    [hours, 'h'],
    [minutes, 'min'],
    [seconds % 60, 's'],
  ].filter(([number]) => number > 0);
  return parts.map(([number, unit]) => `${number} ${unit}`).join(' ') || '0 s';
}

/** Formats a wait: "412 ms", "2.1 s". */
export const wait = (ms) => (Number.isFinite(ms) && ms >= 0 && ms < 1000 ? `${Math.round(ms)} ms` : duration(ms));

export const between = (from, to) => (from && to ? duration(new Date(to) - new Date(from)) : null);

const inGroups = new Intl.NumberFormat();

/** Formats 81367 with the separators of the user's language. */
export const grouped = (number) => inGroups.format(number);

export const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** The first words of a conversation; without any, the id. */
export function titleOf({ first_words: words, id }) {
  const text = words?.replace(/\s+/g, ' ').trim();
  if (!text) return `Session ${id}`;
  return text.length > titleMax ? `${text.slice(0, titleMax - 1).trimEnd()}…` : text;
}
const titleMax = 90; // characters

export function completeness({ complete }) {
  return element('span', { class: complete ? 'good' : 'bad' }, complete ? 'complete' : 'incomplete');
}

/** Metadata as links; each leads to the sessions with the same value. */
export function metadata(values) {
  const known = Object.entries(values).filter(([, value]) => typeof value !== 'object');
  return (
    known.length > 0 &&
    element(
      'span',
      { class: 'tags' },
      known.map(([name, value]) =>
        element(
          'a',
          { class: 'tag', href: `#/sessions?${new URLSearchParams({ [`metadata.${name}`]: value })}` },
          `${name}=${value}`,
        ),
      ),
    )
  );
}
