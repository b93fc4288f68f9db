// Events and speech that wait while there is no connection, in order and up to a limit.

const audioMax = 24_000 * 20; // samples: 20 s of speech
const entriesMax = 200 + audioMax / 480;

export class Waiting {
  #entries: (object | Int16Array)[] = [];
  #samples = 0;

  event(event: object): void {
    if (this.#entries.length < entriesMax) this.#entries.push(event);
  }

  /** Beyond the limit the oldest speech goes. */
  audio(samples: Int16Array): void {
    this.#entries.push(samples);
    this.#samples += samples.length;
    while (this.#samples > audioMax) {
      const oldest = this.#entries.findIndex((one) => one instanceof Int16Array);
      this.#samples -= (this.#entries.splice(oldest, 1)[0] as Int16Array).length;
    }
  }

  take(): (object | Int16Array)[] {
    this.#samples = 0;
    return this.#entries.splice(0);
  }
}
