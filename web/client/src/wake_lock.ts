// Keeps the screen on: a phone that sleeps takes the microphone away.

export class WakeLock {
  #wanted = false;
  #lock: WakeLockSentinel | undefined;

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    document.addEventListener('visibilitychange', this.#visible);
    void this.#take();
  }

  /** The browser releases the lock of a hidden page. */
  #visible = (): void => {
    if (document.visibilityState === 'visible') void this.#take();
  };

  async #take(): Promise<void> {
    try {
      const lock = await navigator.wakeLock?.request('screen');
      if (!this.#wanted) return lock?.release();
      this.#lock = lock;
    } catch {
      // The battery is low, or the page is hidden: the conversation goes on.
    }
  }

  stop(): void {
    this.#wanted = false;
    document.removeEventListener('visibilitychange', this.#visible);
    void this.#lock?.release();
    this.#lock = undefined;
  }
}
