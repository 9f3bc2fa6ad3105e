import { PlumblineError } from '#core/errors.ts';
import type { RunState } from '#core/run.ts';
import type { Caller } from '../auth/caller.ts';
import type { Database } from '../store/store.ts';
import type { RunRecord } from './run-record.ts';
import { asRecord } from './run-row.ts';

export interface RunFilter {
  readonly key?: string | undefined;
  readonly state?: RunState | undefined;
  readonly role?: string | undefined;
  /** Milliseconds since the epoch; created then or later. */
  readonly since?: number | undefined;
  /** What an earlier page gave. Opaque. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface RunPage {
  /** Newest first. */
  readonly runs: readonly RunRecord[];
  /** Of the next page; absent on the last. */
  readonly cursor?: string | undefined;
}

/**
 * One page of a caller's runs. A run that is created meanwhile does not move the pages that follow.
 *
 * @throws {PlumblineError} `ERR_INPUT_INVALID` for a cursor that no page gave, `ERR_STORE_UNAVAILABLE`
 */
export async function listRuns(database: Database, caller: Caller, filter: RunFilter): Promise<RunPage> {
  const { key, state, role, since, cursor, limit } = filter;
  let query = database.selectFrom('runs').selectAll().where('scope', '=', caller.scope);
  if (caller.runId !== undefined) query = query.where('id', '=', caller.runId);
  if (key !== undefined) query = query.where('key', '=', key);
  if (state !== undefined) query = query.where('state', '=', state);
  if (role !== undefined) query = query.where('role', '=', role);
  if (since !== undefined) query = query.where('created_at', '>=', since);
  if (cursor !== undefined) {
    const [at, id] = readCursor(cursor);
    query = query.where(({ eb, and, or }) =>
      or([eb('created_at', '<', at), and([eb('created_at', '=', at), eb('id', '<', id)])]),
    );
  }
  const rows = await query
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const runs = rows.slice(0, limit).map(asRecord);
  const last = runs.at(-1);
  return rows.length > limit && last ? { runs, cursor: cursorAfter(last) } : { runs };
}

function cursorAfter({ createdAt, id }: RunRecord): string {
  return Buffer.from(`${createdAt}.${id}`).toString('base64url');
}

const CURSOR = /^(\d{1,15})\.([0-9a-f-]{36})$/;

function readCursor(cursor: string): readonly [number, string] {
  const [, at, id] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (at !== undefined && id !== undefined) return [Number(at), id];
  throw new PlumblineError('ERR_INPUT_INVALID', 'Cannot list runs from that cursor: no page of this list gave it', {
    remedy: 'Leave the cursor out to begin with the newest run.',
  });
}
