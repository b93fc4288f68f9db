// Captures the microphone as PCM16 at 24 kHz, in blocks of 40 ms with their loudness. Runs on the audio
// thread.
import type { Captured } from './messages.ts';

const rate = 24_000;
const length = 960;

class Capture extends AudioWorkletProcessor {
  #batch = new Int16Array(length);
  #filled = 0;
  #energy = 0;
  #position = 0; // in the input, if its rate is not 24 kHz
  #before = 0;

  process([input]: Float32Array[][]): boolean {
    const samples = input?.[0];
    if (!samples) return true;
    if (sampleRate === rate) {
      for (const sample of samples) this.#take(sample);
      return true;
    }
    // The browser cannot run at 24 kHz: interpolate linearly between two samples.
    const step = sampleRate / rate;
    for (; this.#position < samples.length; this.#position += step) {
      const at = Math.floor(this.#position);
      const left = at > 0 ? samples[at - 1]! : this.#before;
      this.#take(left + (samples[at]! - left) * (this.#position - at));
    }
    this.#position -= samples.length;
    this.#before = samples[samples.length - 1]!;
    return true;
  }

  #take(sample: number): void {
    const clamped = Math.max(-1, Math.min(1, sample));
    this.#batch[this.#filled++] = clamped * 32_767;
    this.#energy += clamped * clamped;
    if (this.#filled < length) return;
    const captured: Captured = { samples: this.#batch, level: Math.sqrt(this.#energy / length) };
    this.port.postMessage(captured, [this.#batch.buffer]);
    this.#batch = new Int16Array(length);
    this.#filled = 0;
    this.#energy = 0;
  }
}
registerProcessor('verbatim-capture', Capture);
