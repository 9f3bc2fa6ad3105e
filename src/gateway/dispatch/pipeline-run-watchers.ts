/** Tells whoever watches a pipeline run that the store has something new about it. */
export class PipelineRunWatchers {
  readonly #watchers = new Map<string, Set<() => void>>();

  /** Calls back after each change; answers how to stop that. The callback must not throw. */
  watch(id: string, notify: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers);
    const watcher = () => notify();
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) this.#watchers.delete(id);
    };
  }

  changed(id: string): void {
    for (const notify of [...(this.#watchers.get(id) ?? [])]) notify();
  }
}
