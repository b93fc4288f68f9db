// Plays answers, measures how much of each was heard, and stops at once on request.

const rate = 24_000;

export class Speaker {
  level = 0;
  context;
  node;
  #listener;
  #queued = new Map(); // item -> ms received
  #stopped = new Set(); // items whose further audio is dropped
  #flushed;
  #starting;

  /** `listener` has the callback progress({item, audioMs}). */
  constructor(listener) {
    this.#listener = listener;
  }

  start() {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start() {
    const context = new AudioContext({ sampleRate: rate });
    this.context = context;
    await context.audioWorklet.addModule(new URL('./playback-worklet.js', import.meta.url));
    if (this.context !== context) return; // stop() was called meanwhile
    this.node = new AudioWorkletNode(context, 'verbatim-playback', { numberOfInputs: 0, outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }) => {
      if (data.level !== undefined) this.level = data.level;
      if (data.progress) {
        const { item, samples } = data.progress;
        this.#listener.progress({ item, audioMs: this.#heard(samples) });
      }
      if (data.flushed) this.#flushed?.(data.flushed);
    };
    this.node.connect(context.destination);
    await context.resume();
  }

  play(item, content, samples) {
    if (!this.node || this.#stopped.has(item)) return;
    this.#queued.set(item, (this.#queued.get(item) ?? 0) + samples.length / (rate / 1000));
    this.node.port.postMessage({ item, content, samples }, [samples.buffer]);
  }

  /** Audio of an item received so far, in ms. */
  length(item) {
    return this.#queued.get(item) ?? 0;
  }

  /** Stops, and returns how much was heard of each item that was not played to its end. */
  async flush() {
    if (!this.node) return [];
    const flushed = await new Promise((resolve) => {
      this.#flushed = resolve;
      this.node.port.postMessage({ flush: true });
    });
    this.level = 0;
    return flushed.filter(({ left }) => left > 0).map(({ item, content, samples }) => {
      this.#stopped.add(item);
      return { item, content, audioMs: this.#heard(samples) };
    });
  }

  /** Subtracts the output latency: the worklet counts samples before they are audible. */
  #heard(samples) {
    const late = Number.isFinite(this.context?.outputLatency) ? this.context.outputLatency * 1000 : 0;
    return Math.max(0, Math.round(samples / (rate / 1000) - late));
  }

  stop() {
    if (this.node) {
      this.node.port.onmessage = null;
      this.node.disconnect();
    }
    this.#flushed?.([]);
    this.context?.close();
    this.context = this.node = this.#starting = undefined;
    this.level = 0;
  }
}
