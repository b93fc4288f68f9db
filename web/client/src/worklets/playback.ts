// Plays PCM16 and counts the samples played of each item. Only this count shows how much of an answer was
// heard. Runs on the audio thread, at 24 kHz.
//
// Posts the progress and the loudness ten times a second, and what was flushed after a flush.
import type { FromPlayback, Progress, ToPlayback } from './messages.ts';

const blocksBetween = Math.round(sampleRate / 128 / 10);

interface Queued {
  item: string;
  samples: Int16Array;
  at: number;
}

class Playback extends AudioWorkletProcessor {
  #queue: Queued[] = [];
  #played = new Map<string, Progress>(); // of the items in the queue, and of the latest
  #blocks = 0;
  #energy = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: { data: ToPlayback }) => {
      if (data.flush) this.#flush();
      else this.#take(data);
    };
  }

  #post(message: FromPlayback): void {
    this.port.postMessage(message);
  }

  #take({ item, content, samples }: { item: string; content: number; samples: Int16Array }): void {
    this.#queue.push({ item, samples, at: 0 });
    if (!this.#played.has(item)) this.#played.set(item, { item, content, samples: 0, since: 0 });
  }

  #flush(): void {
    const flushed = [...this.#played.values()].map((one) => ({
      ...one,
      left: this.#queue.reduce((sum, { item, samples, at }) =>
        sum + (item === one.item ? samples.length - at : 0), 0),
    }));
    this.#queue = [];
    this.#played.clear();
    this.#post({ flushed });
  }

  process(_: Float32Array[][], [output]: Float32Array[][]): boolean {
    const channel = output![0]!;
    let filled = 0;
    for (const one of this.#played.values()) one.since += channel.length;
    while (filled < channel.length && this.#queue.length > 0) {
      const head = this.#queue[0]!;
      const count = Math.min(channel.length - filled, head.samples.length - head.at);
      for (let i = 0; i < count; i += 1) {
        const sample = head.samples[head.at + i]! / 32_768;
        channel[filled + i] = sample;
        this.#energy += sample * sample;
      }
      filled += count;
      head.at += count;
      const progress = this.#played.get(head.item)!;
      progress.samples += count;
      progress.since = 0;
      if (head.at === head.samples.length) this.#queue.shift();
    }
    for (const other of output!.slice(1)) other.set(channel);
    this.#blocks += 1;
    if (this.#blocks >= blocksBetween) this.#report();
    return true;
  }

  #report(): void {
    const level = Math.sqrt(this.#energy / (this.#blocks * 128));
    const items = [...this.#played.keys()];
    const last = items[items.length - 1];
    // Report an item for a second after its last sample, until that was heard. Then drop it, except the latest: it
    // may go on.
    for (const [item, progress] of this.#played) {
      const over = progress.since >= sampleRate;
      this.#post(over ? { level } : { progress: { ...progress }, level });
      if (over && item !== last && !this.#queue.some((one) => one.item === item)) this.#played.delete(item);
    }
    if (last === undefined) this.#post({ level });
    this.#blocks = 0;
    this.#energy = 0;
  }
}
registerProcessor('verbatim-playback', Playback);
