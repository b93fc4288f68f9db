// Translates the relay's names into plain English, and formats times.

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
  final: 'ended',
};

export const turnStatuses = {
  in_progress: 'in progress',
  completed: 'completed',
  interrupted: 'cut off',
  truncated: 'talked over',
  cancelled: 'cancelled',
  failed: 'transcription failed',
};

export const toolStatuses = {
  in_progress: 'waiting for its output',
  completed: 'completed',
  failed: 'failed',
  unanswered: 'no output',
};

export const roles = { user: 'User', assistant: 'Assistant', system: 'System' };

const gapKinds = {
  failed_transcription: 'an utterance has no transcription',
  missing_position: 'a writer counted a turn here that no copy contains',
  unacknowledged_item: 'the provider did not acknowledge this item',
  unplaced_text: 'the provider sent text that belongs to no turn',
};

export const gapWords = ({ kind }) => gapKinds[kind] ?? spaced(kind);

/** Shows an unknown name without its underscores. */
export const reasonWords = (reason) => (reason ? (reasons[reason] ?? spaced(reason)) : null);

const spaced = (word) => String(word).replaceAll('_', ' ');

const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const timeOfDay = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

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

export const between = (from, to) => (from && to ? duration(new Date(to) - new Date(from)) : null);

const inGroups = new Intl.NumberFormat();

/** Formats 81367 with the separators of the user's language. */
export const grouped = (number) => inGroups.format(number);

export const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
