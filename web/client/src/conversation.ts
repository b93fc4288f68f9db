// A spoken conversation through Verbatim, for a web page: microphone, speaker, live transcript, and a
// connection that resumes after a loss. docs/browser.md shows how to use it.
import type { ConversationEvents, Level, Options } from '../verbatim.d.ts';
import { Backup } from './backup.ts';
import { errorFrom, messageOf, VerbatimError } from './errors.ts';
import { Microphone } from './microphone.ts';
import { Session } from './session.ts';
import { Speaker } from './speaker.ts';
import { limited } from './time.ts';
import { WakeLock } from './wake_lock.ts';

const savedEvery = 200; // ms; each save writes the whole copy
const levelEvery = 45; // ms
const questionMax = 8000; // ms that connect() waits for the answer to the browser's question about the microphone

export class Conversation extends Session<ConversationEvents> {
  heard: ConversationEvents['heard'] | null = null;
  #options: Options;
  #microphone: Microphone;
  #speaker: Speaker;
  #wakeLock = new WakeLock();
  #backup: Backup | undefined;
  #saving: ReturnType<typeof setTimeout> | undefined;
  #levelAt = 0;

  constructor(options: Options = {}) {
    super(options);
    const audio = options.modality !== 'text';
    const microphone = options.microphone ?? audio;
    this.#options = { playback: audio, backup: true, wakeLock: microphone, ...options, microphone };
    const conversation = this;
    const place = {
      get url() {
        return conversation.url;
      },
      workletUrl: options.workletUrl,
    };
    this.#microphone = new Microphone(place, {
      samples: (samples) => {
        this.sendAudio(samples);
        this.#levelChanged();
      },
      lost: () => this.#microphoneLost(),
      blocked: () => this.#blocked(),
    });
    this.#speaker = new Speaker(place, {
      progress: (item, audioMs) => this.played(item, audioMs),
      level: () => this.#levelChanged(),
      blocked: () => this.#blocked(),
    });
    this.#speaker.volume = options.volume ?? 1;
    this.on('heard', (heard) => (this.heard = heard));
    this.parts = {
      begin: () => this.#begin(),
      opened: () => this.#opened(),
      play: (item, content, samples) => this.#speaker.play(item, content, samples),
      length: (item) => this.#speaker.length(item),
      flush: () => this.#speaker.flush(),
      mute: (value) => (this.#microphone.muted = value),
      captured: () => this.#microphone.captured(),
      changed: () => this.#save(),
      stop: () => this.#stopDevices(),
      finished: (ended) => this.#finished(ended),
    };
  }

  static async devices(kind: 'audioinput' | 'audiooutput' = 'audioinput'): Promise<{ deviceId: string; label: string }[]> {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter((one) => one.kind === kind).map(({ deviceId, label }) => ({ deviceId, label }));
  }

  static async reconcile({ token }: { token?: string } = {}): Promise<{ id: string; outcome: string }[]> {
    const backup = await Backup.open();
    try {
      return await backup.reconcile({ token });
    } finally {
      backup.close();
    }
  }

  get level(): Level {
    return { input: this.muted ? 0 : this.#microphone.level, output: this.#speaker.level };
  }

  get volume(): number {
    return this.#speaker.volume;
  }

  set volume(value: number) {
    this.#speaker.volume = value;
  }

  async #begin(): Promise<void> {
    // First, because browsers allow audio only shortly after a click.
    const sound = this.#options.playback ? this.#speaker.start() : undefined;
    navigator.mediaDevices?.addEventListener('devicechange', this.#devicesChanged);
    await Promise.all([sound, this.#options.backup ? this.#openBackup() : undefined]);
    if (this.#options.sinkId) await this.setSinkId(this.#options.sinkId);
  }

  async #opened(): Promise<void> {
    if (this.#options.wakeLock) this.#wakeLock.start();
    if (!this.#options.microphone) return;
    const started = this.#microphone.start(this.#options.deviceId).catch((error) => {
      const known = errorFrom(error, 'microphone_busy');
      // Without its own code the library cannot speak, so the conversation ends.
      if (known.code === 'worklet_failed') throw known;
      this.report(known.problem);
    });
    const waiting = new VerbatimError('microphone_waiting');
    await limited(started, questionMax, () => waiting).catch((error) => {
      if (error !== waiting) throw error;
      this.report(waiting.problem);
      // The user may answer later.
      started.catch((late) => this.report(errorFrom(late, 'microphone_busy').problem));
    });
  }

  async #openBackup(): Promise<void> {
    try {
      this.#backup ??= await Backup.open();
      this.#backup.reconcile({ except: this.sessionId }).catch(() => {});
    } catch (error) {
      // In a private window or on a full disk. The relay stores the conversation anyway.
      const message = `This browser keeps no copy of the conversation: ${messageOf(error)}`;
      this.report(new VerbatimError('no_backup', { cause: error, message }).problem);
    }
  }

  async useDevice(deviceId?: string): Promise<void> {
    try {
      await this.#microphone.start(deviceId);
    } catch (error) {
      this.report(errorFrom(error, 'microphone_busy').problem);
    }
  }

  async setSinkId(sinkId = ''): Promise<void> {
    try {
      await this.#speaker.setSinkId(sinkId);
    } catch (error) {
      this.report(errorFrom(error, 'speaker_unavailable').problem);
    }
  }

  async resumeAudio(): Promise<void> {
    await Promise.all([this.#speaker.resume(), this.#microphone.resume()]);
  }

  #blocked(): void {
    this.report(new VerbatimError('playback_blocked').problem);
  }

  #microphoneLost(): void {
    this.report(new VerbatimError('device_lost').problem);
    void this.useDevice();
  }

  #devicesChanged = async (): Promise<void> => {
    const { sinkId } = this.#speaker;
    if (!sinkId || (await Conversation.devices('audiooutput')).some(({ deviceId }) => deviceId === sinkId)) return;
    this.report(new VerbatimError('speaker_lost').problem);
    await this.setSinkId();
  };

  #levelChanged(): void {
    if (performance.now() - this.#levelAt < levelEvery) return;
    this.#levelAt = performance.now();
    this.#emitLevel();
  }

  #emitLevel(): void {
    this.dispatchEvent(new CustomEvent<Level>('level', { detail: this.level }));
  }

  #save(): void {
    if (!this.#backup || this.#saving || !this.sessionId) return;
    this.#saving = setTimeout(() => {
      this.#saving = undefined;
      void this.#keep();
    }, savedEvery);
  }

  async #keep(): Promise<void> {
    const { sessionId: id, url, turns, connection } = this;
    if (!id || !connection) return;
    const { attempt, credential: token } = connection;
    await this.#backup?.keep({ id, url, attempt, token, turns, at: Date.now() }).catch(() => {});
  }

  /** If the relay reported the end, it has every word. Otherwise the copy stays for the next visit. */
  async #finished(ended: boolean): Promise<void> {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    const backup = this.#backup;
    const { sessionId: id } = this;
    if (backup && id && this.connection?.attempt !== undefined) await (ended ? backup.forget(id) : this.#keep());
    this.#backup = undefined;
    backup?.close();
  }

  #stopDevices(): void {
    navigator.mediaDevices?.removeEventListener('devicechange', this.#devicesChanged);
    this.#microphone.stop();
    this.#speaker.stop();
    this.#wakeLock.stop();
    this.#emitLevel();
  }
}
