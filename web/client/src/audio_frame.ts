// Encodes and decodes audio: binary frames if the relay grants them, otherwise base64 within events.
import type { ServerEvent } from '../core.d.ts';

const decoder = new TextDecoder();

/** Splits a binary frame into its event, without the audio, and the audio (PCM16). */
export function readFrame(buffer: ArrayBuffer): { event: ServerEvent; audio: Int16Array } {
  const length = new DataView(buffer).getUint16(0);
  return {
    event: JSON.parse(decoder.decode(new Uint8Array(buffer, 2, length))),
    audio: samplesOf(buffer.slice(2 + length)),
  };
}

export function fromBase64(text: string): Int16Array {
  return samplesOf(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);
}

export function toBase64(samples: Int16Array): string {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = '';
  // In pieces, because the number of arguments of a call is limited.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

function samplesOf(buffer: ArrayBuffer): Int16Array {
  return new Int16Array(buffer, 0, buffer.byteLength >> 1);
}
