// Captures a microphone as 24 kHz PCM16 with echo cancellation, and reports when it is unplugged.
import type { ErrorCode } from '../core.d.ts';
import { loadWorklets, startContext, type WorkletPlace } from './audio_context.ts';
import { VerbatimError } from './errors.ts';
import { limited } from './time.ts';
import type { Captured } from './worklets/messages.ts';

const wishes: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
const blockMax = 200; // ms until the block that is being filled must have come

export interface MicrophoneListener {
  samples(samples: Int16Array): void;
  lost(): void;
  /** The browser waits for a click. */
  blocked(): void;
}

export class Microphone {
  level = 0;
  #muted = false;
  #place: WorkletPlace;
  #listener: MicrophoneListener;
  #stream: MediaStream | undefined;
  #source: MediaStreamAudioSourceNode | undefined;
  #node: AudioWorkletNode | undefined;
  #context: AudioContext | undefined;
  #starts = 0;
  #block: (() => void) | undefined;

  constructor(place: WorkletPlace, listener: MicrophoneListener) {
    this.#place = place;
    this.#listener = listener;
  }

  /** Rejects with `microphone_refused`, `microphone_missing`, `microphone_busy` or `worklet_failed`. */
  async start(deviceId?: string): Promise<void> {
    const start = ++this.#starts;
    const stream = await open(deviceId);
    if (start !== this.#starts) {
      // stop() or another start() came meanwhile.
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    this.stop();
    this.#stream = stream;
    for (const track of stream.getAudioTracks()) {
      track.enabled = !this.#muted;
      track.onended = () => {
        this.stop();
        this.#listener.lost();
      };
    }
    try {
      await this.#connect(stream);
    } catch (error) {
      if (this.#stream === stream) this.stop();
      throw error;
    }
  }

  async #connect(stream: MediaStream): Promise<void> {
    let context = new AudioContext({ sampleRate: 24_000 });
    this.#context = context;
    try {
      this.#source = context.createMediaStreamSource(stream);
    } catch {
      // Some browsers require the microphone's own rate here; the worklet then converts to 24 kHz.
      void context.close();
      this.#context = context = new AudioContext();
      this.#source = context.createMediaStreamSource(stream);
    }
    await loadWorklets(context, this.#place);
    if (this.#context !== context) return; // stop() was called meanwhile
    this.#node = new AudioWorkletNode(context, 'verbatim-capture', { numberOfOutputs: 0 });
    this.#node.port.onmessage = ({ data }: { data: Captured }) => {
      this.level = data.level;
      this.#listener.samples(data.samples);
      this.#block?.();
    };
    this.#source.connect(this.#node);
    if (!(await startContext(context))) this.#listener.blocked();
  }

  get running(): boolean {
    return this.#stream !== undefined;
  }

  /** Resolves once all sound until now has been given to the listener. */
  async captured(): Promise<void> {
    if (!this.#node) return;
    const block = new Promise<void>((resolve) => (this.#block = resolve));
    await limited(block, blockMax).catch(() => {});
    this.#block = undefined;
  }

  resume(): Promise<void> | undefined {
    return this.#context?.resume();
  }

  /** A muted microphone sends silence, because the provider's turn detection needs audio. */
  set muted(value: boolean) {
    this.#muted = value;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !value;
  }

  get muted(): boolean {
    return this.#muted;
  }

  stop(): void {
    this.#starts += 1;
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#source?.disconnect();
    if (this.#node) this.#node.port.onmessage = null;
    void this.#context?.close();
    this.#stream = this.#source = this.#node = this.#context = undefined;
    this.level = 0;
  }
}

async function open(deviceId: string | undefined): Promise<MediaStream> {
  try {
    if (!navigator.mediaDevices) throw new DOMException('The page has no HTTPS.', 'SecurityError');
    return await navigator.mediaDevices.getUserMedia({ audio: deviceId ? { ...wishes, deviceId: { exact: deviceId } } : wishes });
  } catch (cause) {
    throw new VerbatimError(codeOf(cause as Error), { cause });
  }
}

function codeOf({ name }: Error): ErrorCode {
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'microphone_refused';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'microphone_missing';
  return 'microphone_busy';
}
