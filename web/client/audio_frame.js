// Audio on the wire: as binary frames where the relay grants them, else as base 64 within the events.

const decoder = new TextDecoder();

/** The event that a binary frame stands for, without its audio, and the audio (PCM16). */
export function readFrame(buffer) {
  const length = new DataView(buffer).getUint16(0);
  return {
    event: JSON.parse(decoder.decode(new Uint8Array(buffer, 2, length))),
    audio: samplesOf(buffer.slice(2 + length)),
  };
}

export function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return samplesOf(bytes.buffer);
}

export function toBase64(samples) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = '';
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

function samplesOf(buffer) {
  return new Int16Array(buffer, 0, buffer.byteLength >> 1);
}
