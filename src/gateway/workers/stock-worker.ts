import type { JsonValue } from '#core/json.ts';
import type { Caller } from '../auth/caller.ts';

/** What somebody says who runs Luigi elsewhere: body of `POST /v1/luigid/workers`. */
export interface StockWorkerSpecification {
  readonly role: string;
  readonly module: string;
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** Milliseconds; absent: as long as the role allows. */
  readonly lifetimeMs?: number | undefined;
}

/** A Luigi worker elsewhere that lives. Times are milliseconds since the epoch. */
export interface StockWorker {
  /** UUID of version 7; its worker's id is this and `.0`. */
  readonly id: string;
  /** The caller's `Idempotency-Key`. */
  readonly key: string;
  readonly caller: Caller;
  readonly specification: StockWorkerSpecification;
  /** SHA-256 of the canonical specification. */
  readonly fingerprint: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** `ended`: by whoever registered it. `policy`: the policy no longer allows it. `failed`: it never came to life. */
export type StockWorkerEnd = 'ended' | 'expired' | 'policy' | 'failed';

/** One that has ended. */
export interface EndedStockWorker {
  readonly id: string;
  readonly role: string;
  readonly reason: StockWorkerEnd;
}

/** The id that it must have at luigid. No run has an attempt of this number. */
export function stockWorkerId(id: string): string {
  return `${id}.0`;
}
