import type { JsonValue } from '#core/json.ts';

/** A person who signed in. It never holds a token. */
export interface Person {
  /** `<iss> <sub>`: who it is, in records and limits. */
  readonly id: string;
  /** What a page may show: `preferred_username`, `email` or `sub`; data, not an identity. */
  readonly name: string;
  readonly iss: string;
  readonly subject: string;
  /** Claims of the ID token, for the policy's viewers. */
  readonly claims: Readonly<Record<string, JsonValue>>;
  /** Milliseconds since the epoch. */
  readonly signedInAt: number;
  readonly expiresAt: number;
}

export interface PersonSessions {
  /** Whose session the cookies of a request name; `undefined`: nobody's, or it is over. Without input and output. */
  personOf(cookieHeader: string | undefined): Person | undefined;
}
