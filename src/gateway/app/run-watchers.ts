import { EventFrames, type ReadUpdates } from './event-frames.ts';

/** What is watched. */
export interface WatchedRuns {
  readonly updates: ReadUpdates;
  /** Calls after each stored update, with its number; answers how to stop that. */
  readonly watch: (id: string, notify: () => void) => () => void;
}

interface Watched {
  readonly wake: Set<() => void>;
  readonly leave: () => void;
  watchers: number;
  /** Grows with each update that is stored. */
  version: number;
}

/** One watcher's place at a run. */
export interface Watch {
  /** Grows with each update that is stored. */
  readonly version: number;
  /** Calls once, at the next update. The answer takes that back. */
  onNext(wake: () => void): () => void;
  leave(): void;
}

/** Who watches which run. The store is asked once for all watchers of a run. */
export class RunWatchers {
  readonly frames: EventFrames;
  readonly #runs: Pick<WatchedRuns, 'watch'>;
  readonly #watched = new Map<string, Watched>();
  /** One for all runs: what was read for a watcher of before is never newer than what the next one knows of. */
  #version = 0;

  constructor(runs: WatchedRuns) {
    this.#runs = runs;
    this.frames = new EventFrames((id, after, limit) => runs.updates(id, after, limit));
  }

  watch(runId: string): Watch {
    const watched = this.#watched.get(runId) ?? this.#begin(runId);
    watched.watchers++;
    let gone = false;
    return {
      get version() {
        return watched.version;
      },
      onNext: (wake) => {
        watched.wake.add(wake);
        return () => watched.wake.delete(wake);
      },
      leave: () => {
        if (gone) return;
        gone = true;
        this.#left(runId, watched);
      },
    };
  }

  #begin(runId: string): Watched {
    const leave = this.#runs.watch(runId, () => {
      watched.version = ++this.#version;
      const wake = [...watched.wake];
      watched.wake.clear();
      for (const one of wake) one();
    });
    const watched: Watched = { wake: new Set(), leave, watchers: 0, version: ++this.#version };
    this.#watched.set(runId, watched);
    return watched;
  }

  #left(runId: string, watched: Watched): void {
    if (--watched.watchers > 0) return;
    watched.leave();
    this.#watched.delete(runId);
    this.frames.forget(runId);
  }
}
