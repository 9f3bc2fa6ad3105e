import { hash, randomBytes } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import type { Person, PersonSessions } from './person-sessions.ts';
import { cookieOf } from './sign-in-cookies.ts';

export interface SessionSettings {
  readonly clock: Pick<Clock, 'now'>;
  /** Name of the cookie. */
  readonly cookie: () => string;
}

interface Session {
  readonly person: Person;
  usedAt: number;
}

const IDLE_MS = 3_600_000;
const MAX_SESSIONS = 5_000;
/** Of one person: browsers, and those that were left without signing out. */
const MAX_OF_PERSON = 10;

/**
 * Sessions of this process; a restart ends them all. The browser has a random id of 256 bits and here is only its SHA-256, so
 * that no dump of memory signs anybody in. When there are too many the oldest end.
 */
export class MemorySessions implements PersonSessions {
  readonly #settings: SessionSettings;
  readonly #sessions = new Map<string, Session>();

  constructor(settings: SessionSettings) {
    this.#settings = settings;
  }

  /** A new session, with an id that nobody has had before. @returns the value of its cookie */
  open(person: Person): string {
    this.#makeRoom(person.id);
    const id = randomBytes(32).toString('base64url');
    this.#sessions.set(keyOf(id), { person, usedAt: this.#settings.clock.now() });
    return id;
  }

  personOf(cookieHeader: string | undefined): Person | undefined {
    const key = this.#keyOf(cookieHeader);
    const session = key === undefined ? undefined : this.#sessions.get(key);
    if (key === undefined || session === undefined) return undefined;
    const now = this.#settings.clock.now();
    if (isOver(session, now)) {
      this.#sessions.delete(key);
      return undefined;
    }
    session.usedAt = now;
    return session.person;
  }

  /** Ends the session. @returns whose it was */
  end(cookieHeader: string | undefined): Person | undefined {
    const person = this.personOf(cookieHeader);
    const key = this.#keyOf(cookieHeader);
    if (key !== undefined) this.#sessions.delete(key);
    return person;
  }

  #keyOf(cookieHeader: string | undefined): string | undefined {
    const id = cookieOf(cookieHeader, this.#settings.cookie());
    return id !== undefined && /^[\w-]{43}$/.test(id) ? keyOf(id) : undefined;
  }

  /** In the order in which they were opened. */
  #makeRoom(personId: string): void {
    const now = this.#settings.clock.now();
    for (const [key, session] of this.#sessions) if (isOver(session, now)) this.#sessions.delete(key);
    const own = [...this.#sessions].filter(([, { person }]) => person.id === personId).map(([key]) => key);
    for (const key of own.slice(0, Math.max(0, own.length - MAX_OF_PERSON + 1))) this.#sessions.delete(key);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
  }
}

function keyOf(id: string): string {
  return hash('sha256', id);
}

function isOver({ person, usedAt }: Session, now: number): boolean {
  return now >= person.expiresAt || now >= usedAt + IDLE_MS;
}
