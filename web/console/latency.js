// Why an answer took long: the parts of the wait, from the captured events of its attempt.

const slowMs = 1500; // people notice a longer pause

export const isSlow = (ms) => ms >= slowMs;

/** The time of the first event from `from` on that `wanted` accepts. */
function next(events, from, wanted) {
  for (let at = from; at < events.length; ++at) if (wanted(events[at].event)) return at;
  return -1;
}

/**
 * The parts of the wait for a response's first audio: [{what, ms}], or undefined if the events do not have it.
 * The wait begins with the end of speech, or with the client's response.create.
 */
export function waitOf(events, responseId) {
  const created = next(events, 0, ({ type, response }) => type === 'response.created' && response?.id === responseId);
  if (created < 0) return undefined;
  const own = ({ response_id: id }) => id === responseId;
  const audio = next(events, created, (event) => own(event) && /^response\.(output_)?audio\.delta$/.test(event.type));
  if (audio < 0) return undefined;
  const text = next(events, created, (event) => own(event) && /transcript\.delta$/.test(event.type));
  let begin = -1;
  for (let at = created; at >= 0 && begin < 0; --at) {
    const { type } = events[at].event;
    if (type === 'input_audio_buffer.speech_stopped' || type === 'input_audio_buffer.commit' || type === 'response.create') begin = at;
  }
  if (begin < 0) return undefined;
  const first = text >= 0 && text < audio ? text : audio;
  const parts = [
    [startOf(events[begin].event.type), begin, created],
    ['The model began to write', created, first],
    ['The first audio followed', first, audio],
  ];
  return parts
    .filter(([, from, to]) => to > from)
    .map(([what, from, to]) => ({ what, ms: events[to].ms - events[from].ms }));
}

const startOf = (type) =>
  type === 'input_audio_buffer.speech_stopped'
    ? 'From the end of speech until the provider began an answer'
    : 'From the request until the provider began an answer';
