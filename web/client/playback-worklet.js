// Plays PCM16 and counts the samples played of each item. Only this count shows how much of an answer was
// heard. Runs on the audio thread, at 24 kHz.
//
// Receives {item, content, samples} and {flush: true}. Posts {progress: {item, content, samples}, level} ten
// times a second, and {flushed: [{item, content, samples, left}]} after a flush.
const blocksBetween = Math.round(sampleRate / 128 / 10);

class Playback extends AudioWorkletProcessor {
  #queue = []; // {item, content, samples, at}
  #played = new Map(); // progress of the items in the queue
  #blocks = 0;
  #energy = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => (data.flush ? this.#flush() : this.#take(data));
  }

  #take({ item, content, samples }) {
    this.#queue.push({ item, content, samples, at: 0 });
    if (!this.#played.has(item)) this.#played.set(item, { item, content, samples: 0 });
  }

  #flush() {
    const flushed = [...this.#played.values()].map((one) => ({
      ...one,
      left: this.#queue.reduce((sum, { item, samples, at }) =>
        sum + (item === one.item ? samples.length - at : 0), 0),
    }));
    this.#queue = [];
    this.#played.clear();
    this.port.postMessage({ flushed });
  }

  process(_, [output]) {
    const channel = output[0];
    let filled = 0;
    while (filled < channel.length && this.#queue.length > 0) {
      const head = this.#queue[0];
      const count = Math.min(channel.length - filled, head.samples.length - head.at);
      for (let i = 0; i < count; i += 1) {
        const sample = head.samples[head.at + i] / 32_768;
        channel[filled + i] = sample;
        this.#energy += sample * sample;
      }
      filled += count;
      head.at += count;
      this.#played.get(head.item).samples += count;
      if (head.at === head.samples.length) this.#queue.shift();
    }
    for (const other of output.slice(1)) other.set(channel);
    this.#blocks += 1;
    if (this.#blocks >= blocksBetween) this.#report();
    return true;
  }

  #report() {
    const level = Math.sqrt(this.#energy / (this.#blocks * 128));
    const current = this.#queue[0]?.item;
    // Drop items that were played to their end, except the latest.
    const items = [...this.#played.keys()];
    const last = items[items.length - 1];
    for (const [item, progress] of this.#played) {
      this.port.postMessage({ progress: { ...progress }, level });
      if (item !== last && !this.#queue.some((one) => one.item === item)) this.#played.delete(item);
    }
    if (current === undefined && this.#played.size === 0) this.port.postMessage({ level });
    this.#blocks = 0;
    this.#energy = 0;
  }
}
registerProcessor('verbatim-playback', Playback);
