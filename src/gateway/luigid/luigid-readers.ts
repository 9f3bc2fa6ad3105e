import type { JsonValue } from '#core/json.ts';
import { Problem } from '../app/problem.ts';
import { encodeCall, type LuigidCall } from './luigid-call.ts';
import type { LuigidUpstream } from './luigid-upstream.ts';
import { ReadingTurns } from './reading-turns.ts';

/** An answer as it is sent, and how many things it lists. */
export interface EncodedView {
  readonly body: Buffer;
  readonly count: number;
}

/** What luigid said, and what was made of it for those who may see a part. */
export interface Reading {
  readonly answer: JsonValue;
  /** Of the answer as it came. */
  readonly bytes: number;
  /** Milliseconds of a clock that only goes forward. */
  readonly at: number;
  /** Encoded answers by who may see what; filled by whoever asks. */
  readonly views: Map<string, EncodedView>;
}

export interface ReadersOptions {
  readonly upstream: Pick<LuigidUpstream, 'read'>;
  /** Milliseconds that only go forward. */
  readonly now?: (() => number) | undefined;
  /** Part of luigid's time that reading may take in the long run. */
  readonly share?: number | undefined;
}

interface Entry {
  readonly call: LuigidCall;
  readonly key: string;
  reading?: Reading | undefined;
  /** Nobody changed luigid since; else it is read again before it is shown. */
  current: boolean;
  next?: Promise<Reading> | undefined;
}

const SHARE = 0.05;
const FRESH_MS = 1_000;
/** Older than this is never shown. */
const STALE_MS = 120_000;
/** Who finds something stale waits so long for what is fresh. */
const PATIENCE_MS = 750;
const LONGEST_WAIT_MS = 20_000;
const MAX_ENTRIES = 64;
/** Of the answers that are kept, as they came. */
const MAX_KEPT_BYTES = 64 * 1_048_576;
const MAX_WAITING = 64;
/** Of one person: a page of luigid asks a dozen at once. */
const MAX_WAITING_OF_ONE = 20;
const MAX_VIEWS = 16;

/**
 * Reads luigid for everybody who looks at it: equal calls are one, one at a time, and no more of luigid's time than its share,
 * so that workers wait for no more than one reading whatever the number of people.
 */
export class LuigidReaders {
  readonly #upstream: Pick<LuigidUpstream, 'read'>;
  readonly #now: () => number;
  readonly #turns: ReadingTurns;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  /** How many readings somebody waits for, who was the first to want them. */
  readonly #waitingOf = new Map<string, number>();
  #waiting = 0;

  constructor({ upstream, now = () => performance.now(), share = SHARE }: ReadersOptions) {
    this.#upstream = upstream;
    this.#now = now;
    this.#turns = new ReadingTurns(share, now);
  }

  /**
   * What luigid says, at most a second old; while it is read anew, what it said before, at most two minutes old.
   * @param who asks
   * @throws {Problem} `luigid-unavailable`; `overloaded` when too much else is to be read first
   */
  async read(call: LuigidCall, who: string): Promise<Reading> {
    const entry = this.#entryOf(call);
    const { reading, current } = entry;
    const age = reading === undefined ? Number.POSITIVE_INFINITY : this.#now() - reading.at;
    if (reading !== undefined && current && age < FRESH_MS) return reading;
    const next = this.#refresh(entry, who);
    if (reading === undefined || !current || age > STALE_MS) return within(next, LONGEST_WAIT_MS, overloaded);
    return within(next, PATIENCE_MS, () => reading);
  }

  /** Seconds since luigid said it. */
  ageOf({ at }: Reading): number {
    return Math.max(0, (this.#now() - at) / 1_000);
  }

  /** An encoded answer for those who see the same; it is made once. */
  static view({ views }: Reading, who: string, make: () => EncodedView): EncodedView {
    const known = views.get(who);
    if (known !== undefined) return known;
    const made = make();
    if (views.size >= MAX_VIEWS) views.clear();
    views.set(who, made);
    return made;
  }

  /** Somebody changed something: what was read before is not shown any more. */
  expire(): void {
    for (const entry of this.#entries.values()) entry.current = false;
  }

  close(): void {
    this.#turns.close();
  }

  #entryOf(call: LuigidCall): Entry {
    const key = `${call.method.name} ${encodeCall(call)}`;
    const entry = this.#entries.get(key) ?? { call, key, current: true };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#forgetOld(entry);
    return entry;
  }

  /** What nobody may be shown any more, and what was not asked for the longest when there is too much. */
  #forgetOld(used: Entry): void {
    const now = this.#now();
    let kept = [...this.#entries.values()].reduce((sum, { reading }) => sum + (reading?.bytes ?? 0), 0);
    for (const [key, entry] of this.#entries) {
      if (entry === used || entry.next !== undefined) continue;
      const { bytes = 0, at = Number.NEGATIVE_INFINITY } = entry.reading ?? {};
      if (now - at <= STALE_MS && this.#entries.size <= MAX_ENTRIES && kept <= MAX_KEPT_BYTES) continue;
      this.#entries.delete(key);
      kept -= bytes;
    }
  }

  #refresh(entry: Entry, who: string): Promise<Reading> {
    if (entry.next !== undefined) return entry.next;
    const own = this.#waitingOf.get(who) ?? 0;
    if (this.#waiting >= MAX_WAITING || own >= MAX_WAITING_OF_ONE) return Promise.reject(overloaded());
    this.#waiting += 1;
    this.#waitingOf.set(who, own + 1);
    entry.next = this.#turns.inTurn(who, () => this.#read(entry)).finally(() => this.#done(entry, who));
    // Whoever waited may have gone: then nobody else would hear of it.
    entry.next.catch(() => undefined);
    return entry.next;
  }

  async #read(entry: Entry): Promise<Reading> {
    entry.current = true;
    const began = this.#now();
    const { answer, bytes } = await this.#upstream.read(entry.call);
    entry.reading = { answer, bytes, at: began, views: new Map() };
    return entry.reading;
  }

  #done(entry: Entry, who: string): void {
    entry.next = undefined;
    this.#waiting -= 1;
    const own = (this.#waitingOf.get(who) ?? 1) - 1;
    if (own > 0) this.#waitingOf.set(who, own);
    else this.#waitingOf.delete(who);
  }
}

function within(next: Promise<Reading>, ms: number, otherwise: () => Reading | Problem): Promise<Reading> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const instead = otherwise();
      if (instead instanceof Problem) reject(instead);
      else resolve(instead);
    }, ms);
    next.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function overloaded(): Problem {
  return new Problem('overloaded', 'luigid is asked for too much else at the moment', {
    headers: { 'retry-after': '5' },
  });
}
