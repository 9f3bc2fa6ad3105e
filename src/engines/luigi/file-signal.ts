import { type FSWatcher, watch } from 'node:fs';

/** `fs.watch` tells within a millisecond; the poll is for network and FUSE mounts, and when watches are used up. */
const POLL_MS = 300;
/** A run of a thousand small tasks appends every two milliseconds: reading as often would take a core from its tasks. */
const REST_MS = 25;

/** Wakes a follower when a file may have grown. */
export class FileSignal {
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #woken = false;
  #rest: NodeJS.Timeout | undefined;
  #restUntil = 0;

  constructor(path: string) {
    this.#timer = setInterval(() => this.wake(), POLL_MS);
    try {
      this.#watcher = watch(path, () => this.#changed());
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      // No watch to be had (inotify limit, file system): the poll is enough.
      this.#watcher = undefined;
    }
  }

  /** At once. What happens while nobody waits is not forgotten. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async wait(): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = undefined;
    this.#woken = false;
    this.#restUntil = performance.now() + REST_MS;
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#rest);
    this.#unwatch();
  }

  /** Wakes at once after a quiet time, else when the rest since the last waking is over. */
  #changed(): void {
    if (this.#woken || this.#rest !== undefined) return;
    const left = this.#restUntil - performance.now();
    if (left <= 0) {
      this.wake();
      return;
    }
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.wake();
    }, left);
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
