// Plays answers, measures how much of each was heard, and stops at once on request.
import { loadWorklets, startContext, type WorkletPlace } from './audio_context.ts';
import { VerbatimError } from './errors.ts';
import type { Heard } from './session.ts';
import type { FromPlayback, Progress, ToPlayback } from './worklets/messages.ts';

const rate = 24_000;

type SinkContext = AudioContext & { setSinkId?: (id: string) => Promise<void> };
type SinkElement = HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> };

export interface SpeakerListener {
  progress(item: string, audioMs: number): void;
  level(): void;
  /** The browser waits for a click. */
  blocked(): void;
}

export class Speaker {
  level = 0;
  #place: WorkletPlace;
  #listener: SpeakerListener;
  #context: SinkContext | undefined;
  #node: AudioWorkletNode | undefined;
  #gain: GainNode | undefined;
  #element: SinkElement | undefined; // of browsers that choose the loudspeaker per element
  #volume = 1;
  #sinkId = '';
  #queued = new Map<string, number>(); // item -> ms received
  #stopped = new Set<string>(); // items whose further audio is dropped
  #flushed: ((flushed: NonNullable<FromPlayback['flushed']>) => void) | undefined;

  constructor(place: WorkletPlace, listener: SpeakerListener) {
    this.#place = place;
    this.#listener = listener;
  }

  async start(): Promise<void> {
    if (typeof AudioContext === 'undefined') throw new VerbatimError('unsupported', { reason: 'AudioContext' });
    const context: SinkContext = new AudioContext({ sampleRate: rate });
    this.#context = context;
    // First, while the click still counts.
    const started = startContext(context);
    await loadWorklets(context, this.#place);
    if (this.#context !== context) return; // stop() was called meanwhile
    this.#node = new AudioWorkletNode(context, 'verbatim-playback', { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }: { data: FromPlayback }) => this.#received(data);
    this.#gain = context.createGain();
    this.#gain.gain.value = this.#volume;
    this.#node.connect(this.#gain);
    this.#gain.connect(context.destination);
    if (!(await started) && this.#context === context) this.#listener.blocked();
  }

  #received({ level, progress, flushed }: FromPlayback): void {
    if (level !== undefined) {
      this.level = level * this.#volume;
      this.#listener.level();
    }
    if (progress) this.#listener.progress(progress.item, this.#heard(progress));
    if (flushed) this.#flushed?.(flushed);
  }

  play(item: string, content: number, samples: Int16Array): void {
    if (!this.#node || this.#stopped.has(item)) return;
    this.#queued.set(item, this.length(item) + samples.length / (rate / 1000));
    this.#send({ item, content, samples });
  }

  #send(message: ToPlayback): void {
    this.#node!.port.postMessage(message);
  }

  /** Audio of an item received so far, in ms. */
  length(item: string): number {
    return this.#queued.get(item) ?? 0;
  }

  /** Stops, and returns how much was heard of each item that was not played to its end. */
  async flush(): Promise<Heard[]> {
    if (!this.#node) return [];
    const flushed = await new Promise<NonNullable<FromPlayback['flushed']>>((resolve) => {
      this.#flushed?.([]);
      this.#flushed = resolve;
      this.#send({ flush: true });
      // A context that waits for a click has no audio thread yet, and nothing was heard.
      if (this.#context?.state !== 'running') resolve([]);
    });
    this.level = 0;
    return flushed.filter(({ left }) => left > 0).map((progress) => {
      const { item, content } = progress;
      this.#stopped.add(item);
      return { item, content, audioMs: this.#heard(progress) };
    });
  }

  /** The worklet counts samples before they are audible: subtracts those that are still on their way out. */
  #heard({ samples, since }: Progress): number {
    const latency = this.#context?.outputLatency ?? 0;
    const onTheWay = Math.max(0, (Number.isFinite(latency) ? latency * rate : 0) - since);
    return Math.max(0, Math.round((samples - onTheWay) / (rate / 1000)));
  }

  get volume(): number {
    return this.#volume;
  }

  set volume(value: number) {
    this.#volume = Math.min(1, Math.max(0, value));
    if (this.#gain) this.#gain.gain.value = this.#volume;
  }

  get sinkId(): string {
    return this.#sinkId;
  }

  /** Before start() it is only noted. Rejects with `speaker_unavailable`. */
  async setSinkId(id: string): Promise<void> {
    try {
      if (this.#context && id !== this.#sinkId) await this.#route(this.#context, id);
      this.#sinkId = id;
    } catch (cause) {
      throw new VerbatimError('speaker_unavailable', { cause });
    }
  }

  async #route(context: SinkContext, id: string): Promise<void> {
    if (context.setSinkId) return context.setSinkId(id);
    if (!this.#element) {
      const stream = context.createMediaStreamDestination();
      this.#element = Object.assign(new Audio(), { srcObject: stream.stream });
      this.#gain!.disconnect();
      this.#gain!.connect(stream);
      await this.#element.play();
    }
    if (!this.#element.setSinkId) throw new Error('This browser cannot choose a loudspeaker.');
    await this.#element.setSinkId(id);
  }

  resume(): Promise<void> | undefined {
    return this.#context?.resume();
  }

  stop(): void {
    if (this.#node) {
      this.#node.port.onmessage = null;
      this.#node.disconnect();
    }
    this.#flushed?.([]);
    this.#element?.pause();
    void this.#context?.close();
    this.#context = this.#node = this.#gain = this.#element = undefined;
    this.level = 0;
  }
}
