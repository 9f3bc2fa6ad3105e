import { parseObject, readObject } from './read-object.ts';

/** How the run's processes ended, as the supervisor wrote it last. */
export interface ExitRecord {
  readonly code: number | null;
  /** Name of the signal, e.g. `SIGKILL`. */
  readonly signal: string | null;
  /** It was told to stop, or its parent was gone. */
  readonly stopped: boolean;
  /** Processes that had to be ended, and those that were still there. */
  readonly killed: number;
  readonly left: number;
  /** Its own deadline ended it; absent when it was given none. */
  readonly deadline?: boolean | undefined;
  /** Bytes of captured output that were not kept; absent when none is captured. */
  readonly dropped?: number | undefined;
  /** An identity was refused, and the run ended because of it; absent when no gateway knew the run. */
  readonly rejected?: boolean | undefined;
  /** Milliseconds since the epoch. */
  readonly at?: number | undefined;
}

/** The record; `undefined` while there is none, and when it cannot be understood: then nobody knows how the run ended. */
export function readExitRecord(path: string): ExitRecord | undefined {
  return exitRecordOf(readObject(path));
}

export function parseExitRecord(text: string): ExitRecord | undefined {
  return exitRecordOf(parseObject(text));
}

function exitRecordOf(record: Record<string, unknown> | undefined): ExitRecord | undefined {
  if (!record) return undefined;
  const { code, signal, stopped, killed, left } = record;
  if (typeof code !== 'number' && typeof signal !== 'string' && stopped !== true) return undefined;
  return {
    code: typeof code === 'number' ? code : null,
    signal: typeof signal === 'string' ? signal : null,
    stopped: stopped === true,
    killed: typeof killed === 'number' ? killed : 0,
    left: typeof left === 'number' ? left : 0,
    ...detached(record),
  };
}

/** What only a run without a parent tells. */
function detached({ deadline, dropped, rejected, at }: Record<string, unknown>): Partial<ExitRecord> {
  return {
    ...(typeof deadline === 'boolean' && { deadline }),
    ...(typeof dropped === 'number' && { dropped }),
    ...(typeof rejected === 'boolean' && { rejected }),
    ...(typeof at === 'number' && { at: 1_000 * at }),
  };
}
