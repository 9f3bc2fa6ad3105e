import { type FSWatcher, watch } from 'node:fs';

/** `fs.watch` tells within a millisecond; the poll is for network and FUSE mounts, and when watches are used up. */
const POLL_MS = 300;

/** Wakes a follower when a file may have grown. */
export class FileSignal {
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(path: string) {
    this.#timer = setInterval(() => this.wake(), POLL_MS);
    try {
      this.#watcher = watch(path, () => this.wake());
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      // No watch to be had (inotify limit, file system): the poll is enough.
      this.#watcher = undefined;
    }
  }

  /** What happens while nobody waits is not forgotten. */
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
  }

  close(): void {
    clearInterval(this.#timer);
    this.#unwatch();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
