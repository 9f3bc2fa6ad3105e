import type { NumberedUpdate } from './run-row.ts';

/** The newest updates of a run that is kept in memory; older ones are read from the store. */
const KEPT_UPDATES = 256;

interface Channel {
  /** Without a gap; the newest last. */
  readonly kept: NumberedUpdate[];
  readonly watchers: Set<() => void>;
  ended: boolean;
}

/**
 * Tells watchers that a run has something new; they fetch it at their own pace, so that a slow one holds nobody up and costs
 * no memory. The newest updates of a run that goes on are shared by all its watchers.
 */
export class UpdateHub {
  readonly #channels = new Map<string, Channel>();

  /** How many watch, over all runs. */
  get watchers(): number {
    return [...this.#channels.values()].reduce((sum, { watchers }) => sum + watchers.size, 0);
  }

  /** Updates that are stored, in order. */
  publish(id: string, updates: readonly NumberedUpdate[]): void {
    const first = updates[0];
    if (first === undefined) return;
    const channel = this.#channel(id);
    const last = channel.kept.at(-1);
    // After a gap, such as a commit whose answer was lost, only the store knows all of it.
    if (last !== undefined && last.sequence + 1 !== first.sequence) channel.kept.length = 0;
    channel.kept.push(...updates);
    channel.kept.splice(0, channel.kept.length - KEPT_UPDATES);
    for (const notify of channel.watchers) notify();
  }

  /** Something new is in the store that this hub was not given. */
  changed(id: string): void {
    const channel = this.#channels.get(id);
    if (!channel) return;
    channel.kept.length = 0;
    for (const notify of channel.watchers) notify();
  }

  /** Nothing comes after what was published; kept in memory only for those who still watch. */
  end(id: string): void {
    const channel = this.#channels.get(id);
    if (!channel) return;
    channel.ended = true;
    this.#dismiss(id, channel);
  }

  /** Calls back after each publication; answers how to stop that. The callback must not throw. */
  watch(id: string, notify: () => void): () => void {
    const channel = this.#channel(id);
    // A function of its own: the same callback may watch twice.
    const watcher = () => notify();
    channel.watchers.add(watcher);
    return () => {
      channel.watchers.delete(watcher);
      this.#dismiss(id, channel);
    };
  }

  /** What comes after this number as far as memory has it; `undefined`: ask the store. */
  page(id: string, after: number, limit: number): readonly NumberedUpdate[] | undefined {
    const kept = this.#channels.get(id)?.kept;
    const first = kept?.[0]?.sequence;
    if (kept === undefined || first === undefined || after < first - 1) return undefined;
    const from = after - first + 1;
    return from > kept.length ? undefined : kept.slice(from, from + limit);
  }

  #channel(id: string): Channel {
    const known = this.#channels.get(id);
    if (known) return known;
    const channel = { kept: [], watchers: new Set<() => void>(), ended: false };
    this.#channels.set(id, channel);
    return channel;
  }

  #dismiss(id: string, channel: Channel): void {
    const idle = channel.watchers.size === 0 && (channel.ended || channel.kept.length === 0);
    if (idle && this.#channels.get(id) === channel) this.#channels.delete(id);
  }
}
