// Computes the digest of a receipt from the transcript that is shown: docs/merge.md, The receipt.

export async function digest(transcript) {
  const bytes = new TextEncoder().encode(form(transcript));
  const hash = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

const length = (text) => new TextEncoder().encode(text).length;
const netstring = (value) => `${length(value)}:${value},`;

function form({ session_id: id, attempt, turns }) {
  return [
    ['verbatim-transcript-1', id, attempt],
    ...turns.map((turn) => [
      turn.ordinal,
      turn.item_id,
      turn.role,
      turn.status,
      turn.text,
      turn.heard?.audio_ms,
      turn.heard?.text,
      turn.deleted,
    ]),
  ]
    .flat()
    .map((value) => netstring(String(value ?? '')))
    .join('');
}
