// Captures a microphone as 24 kHz PCM16 with echo cancellation, and reports when it is unplugged.

const wishes = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

export class Microphone {
  level = 0;
  #muted = false;
  #listener;
  #stream;
  #source;
  #node;
  #context;

  /** `listener` has the callbacks samples(Int16Array) and lost(). */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Rejects with `code` microphone_refused, microphone_missing or microphone_busy. */
  async start(deviceId) {
    const audio = deviceId ? { ...wishes, deviceId: { exact: deviceId } } : wishes;
    let stream;
    try {
      if (!navigator.mediaDevices) throw new DOMException('', 'SecurityError');
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw Object.assign(new Error(messages[codeOf(error)]), { code: codeOf(error) });
    }
    this.stop();
    this.#stream = stream;
    const [track] = stream.getAudioTracks();
    track.enabled = !this.#muted;
    track.onended = () => {
      this.stop();
      this.#listener.lost();
    };
    await this.#connect(stream);
  }

  async #connect(stream) {
    let context = new AudioContext({ sampleRate: 24_000 });
    try {
      this.#source = context.createMediaStreamSource(stream);
    } catch {
      // Some browsers require the microphone's own rate here; the worklet then converts to 24 kHz.
      await context.close();
      context = new AudioContext();
      this.#source = context.createMediaStreamSource(stream);
    }
    this.#context = context;
    await context.audioWorklet.addModule(new URL('./capture-worklet.js', import.meta.url));
    if (this.#context !== context) return; // stop() was called meanwhile
    this.#node = new AudioWorkletNode(context, 'verbatim-capture', { numberOfOutputs: 0 });
    this.#node.port.onmessage = ({ data }) => {
      this.level = data.level;
      this.#listener.samples(data.samples);
    };
    this.#source.connect(this.#node);
    await context.resume();
  }

  get running() {
    return this.#stream !== undefined;
  }

  /** A muted microphone sends silence, because the provider's turn detection needs audio. */
  set muted(value) {
    this.#muted = value;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !value;
  }

  get muted() {
    return this.#muted;
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#source?.disconnect();
    if (this.#node) this.#node.port.onmessage = null;
    this.#context?.close();
    this.#stream = this.#source = this.#node = this.#context = undefined;
    this.level = 0;
  }
}

const messages = {
  microphone_refused: 'Microphone access was denied. Allow it in the browser’s address bar, then start again.',
  microphone_missing: 'The selected microphone was not found.',
  microphone_busy: 'The microphone cannot be used; another program may be using it.',
};

function codeOf({ name }) {
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'microphone_refused';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'microphone_missing';
  return 'microphone_busy';
}
