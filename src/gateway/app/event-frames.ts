import { neutraliseJson } from '#core/neutralise.ts';

/** Where updates come from: at most `limit` with a number above `after`, in order; an outcome is the last. */
export type ReadUpdates = (id: string, after: number, limit: number) => Promise<readonly StoryUpdate[]>;

/** An update under its number, from 1 without a gap. */
export interface StoryUpdate {
  readonly sequence: number;
  readonly update: { readonly kind: string };
}

/** One update as every watcher gets it. */
export interface EventFrame {
  readonly sequence: number;
  readonly bytes: Buffer;
  /** Nothing follows. */
  readonly isLast: boolean;
}

/** Updates of a page; page 0 has the numbers 1 to 128. */
const PAGE = 128;
const MAX_CACHED_BYTES = 16 * 1_048_576;
/** Of a page itself: anybody may ask for those that a run will never have, and they must go too. */
const PAGE_BYTES = 1_024;

interface Page {
  readonly frames: readonly EventFrame[];
  readonly bytes: number;
  /** The run may have more for it: true until it is full. */
  readonly open: boolean;
  /** How many updates were known to be stored when it was read. */
  readonly version: number;
}

/**
 * The stories of runs as frames of an event stream, made once for all watchers of a run. What does not fit into the cache
 * is read from the store again: a watcher costs no memory but its place.
 */
export class EventFrames {
  readonly #updates: ReadUpdates;
  readonly #pages = new Map<string, Page>();
  readonly #reading = new Map<string, Promise<Page>>();
  #bytes = 0;

  constructor(updates: ReadUpdates) {
    this.#updates = updates;
  }

  /**
   * Frames with a number above `after`, in order, of one page at most; none when there is nothing yet.
   *
   * @param version grows whenever the run has a new update; an older page of the same version is not read again.
   */
  async after(runId: string, after: number, version: number): Promise<readonly EventFrame[]> {
    const number = Math.floor(after / PAGE);
    const page = await this.#page(runId, number, version);
    return page.frames.slice(after - number * PAGE);
  }

  /** Nobody watches the run any more. */
  forget(runId: string): void {
    for (const name of this.#pages.keys()) if (name.startsWith(`${runId} `)) this.#drop(name);
  }

  async #page(runId: string, number: number, version: number): Promise<Page> {
    const name = `${runId} ${number}`;
    for (;;) {
      const known = this.#pages.get(name);
      if (known && (!known.open || known.version >= version)) return this.#used(name, known);
      const reading = this.#reading.get(name);
      if (reading === undefined) return this.#readOnce(runId, number, version, known);
      // It may have begun before the newest update was stored: looked at again.
      await reading;
    }
  }

  #used(name: string, page: Page): Page {
    this.#pages.delete(name);
    this.#pages.set(name, page);
    return page;
  }

  async #readOnce(runId: string, number: number, version: number, known: Page | undefined): Promise<Page> {
    const name = `${runId} ${number}`;
    const reading = this.#read(runId, number, version, known);
    this.#reading.set(name, reading);
    try {
      return await reading;
    } finally {
      this.#reading.delete(name);
    }
  }

  async #read(runId: string, number: number, version: number, known: Page | undefined): Promise<Page> {
    const have = known?.frames ?? [];
    const updates = await this.#updates(runId, number * PAGE + have.length, PAGE - have.length);
    const frames = [...have, ...updates.map(frameOf)];
    const bytes = frames.reduce((total, frame) => total + frame.bytes.length, PAGE_BYTES);
    const open = frames.length < PAGE && !frames.at(-1)?.isLast;
    const page = { frames, bytes, open, version };
    this.#keep(`${runId} ${number}`, page);
    return page;
  }

  #keep(name: string, page: Page): void {
    this.#drop(name);
    this.#pages.set(name, page);
    this.#bytes += page.bytes;
    for (const oldest of this.#pages.keys()) {
      if (this.#bytes <= MAX_CACHED_BYTES || this.#pages.size === 1) return;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    this.#bytes -= this.#pages.get(name)?.bytes ?? 0;
    this.#pages.delete(name);
  }
}

function frameOf({ sequence, update }: StoryUpdate): EventFrame {
  const text = `id: ${sequence}\nevent: update\ndata: ${neutraliseJson(JSON.stringify(update))}\n\n`;
  return { sequence, bytes: Buffer.from(text), isLast: update.kind === 'outcome' };
}
