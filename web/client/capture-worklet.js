// Takes what the microphone hears, as PCM16 at 24 kHz, 40 ms at a time, with its loudness. Runs on the
// audio thread.
const rate = 24_000;
const length = 960;

class Capture extends AudioWorkletProcessor {
  #batch = new Int16Array(length);
  #filled = 0;
  #energy = 0;
  #position = 0; // in the input, where its rate is another
  #before = 0;

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    if (sampleRate === rate) {
      for (const sample of samples) this.#take(sample);
      return true;
    }
    // A browser that can not run at 24 kHz: between two samples lies a line.
    const step = sampleRate / rate;
    for (; this.#position < samples.length; this.#position += step) {
      const at = Math.floor(this.#position);
      const left = at > 0 ? samples[at - 1] : this.#before;
      this.#take(left + (samples[at] - left) * (this.#position - at));
    }
    this.#position -= samples.length;
    this.#before = samples[samples.length - 1];
    return true;
  }

  #take(sample) {
    const clamped = Math.max(-1, Math.min(1, sample));
    this.#batch[this.#filled++] = clamped * 32_767;
    this.#energy += clamped * clamped;
    if (this.#filled < length) return;
    this.port.postMessage({ samples: this.#batch, level: Math.sqrt(this.#energy / length) }, [this.#batch.buffer]);
    this.#batch = new Int16Array(length);
    this.#filled = 0;
    this.#energy = 0;
  }
}
registerProcessor('verbatim-capture', Capture);
