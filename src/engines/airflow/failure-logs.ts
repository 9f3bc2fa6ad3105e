import type { Writable } from 'node:stream';
import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { neutralise } from '#core/neutralise.ts';
import type { TaskFailure } from '#core/run.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowApi, RunName } from './airflow-api.ts';
import type { FailedTry } from './airflow-ledger.ts';
import { pythonFailure } from './python-failure.ts';

export interface FailureLogsOptions {
  readonly api: Pick<AirflowApi, 'log'>;
  readonly run: RunName;
  /** Gets the logs, neutralised; absent: nobody does. */
  readonly output?: Writable | undefined;
  readonly log?: Pick<Logger, 'debug'> | undefined;
  readonly clock?: Clock | undefined;
}

/** What a log says of a failed try. */
export interface Explanation {
  /** `undefined`: nothing yet, it may still be written. */
  readonly failure: TaskFailure | undefined;
  /** Why it could not be read. */
  readonly unreadable?: string | undefined;
}

/** Lines shown of the log of one task, of one that will be tried again, and of all tasks of a run. */
const TASK_LINES = 200;
const RETRY_LINES = 20;
const RUN_LINES = 2_000;
const RUN_CHARACTERS = 512 * 1024;
const LINE_LENGTH = 2_000;
/** Logs that are read for one run; a mapped task can fail ten thousand times. */
const MOST_LOGS = 50;
/** Of one log: how much is kept to look for the exception, and how many pieces are asked for. */
const KEPT_LINES = 5_000;
const MOST_PIECES = 200;
const REASON_LENGTH = 300;
/** The end of a run is not told before its logs are read: for how long one is, and all of them. Milliseconds. */
const LOG_MS = 60_000;
const LOGS_MS = 180_000;

interface Tail {
  readonly lines: readonly string[];
  readonly total: number;
  /** It goes on behind what was read. */
  readonly isCut: boolean;
}

/** Reads the logs of tasks that have failed: shows their ends, and finds the exceptions in them. */
export class FailureLogs {
  readonly #options: FailureLogsOptions;
  readonly #shown = new Set<string>();
  readonly #read = new Set<string>();
  #lines = RUN_LINES;
  #characters = RUN_CHARACTERS;
  #isFull = false;
  #spentMs = 0;

  constructor(options: FailureLogsOptions) {
    this.#options = options;
  }

  /**
   * @param isLast it will not be looked at again: what the log does not tell by now it never will
   * @throws only the signal's reason
   */
  async explain(failed: FailedTry, isLast: boolean, signal: AbortSignal): Promise<Explanation> {
    if (!this.#read.has(failed.id) && this.#read.size >= MOST_LOGS) {
      return { failure: unexplained(`Its log was not read: more than ${MOST_LOGS} tasks failed`) };
    }
    if (this.#spentMs >= LOGS_MS) {
      return { failure: unexplained(`Its log was not read: those before it took ${LOGS_MS / 1_000} s`) };
    }
    this.#read.add(failed.id);
    try {
      const tail = await this.#timed(() => this.#tail(failed, signal));
      if (tail === undefined) return noLog('Airflow has none of it');
      this.#show(failed, tail);
      const failure = pythonFailure(tail.lines);
      return { failure: failure ?? (isLast || failed.isRetried ? withoutException(tail) : undefined) };
    } catch (thrown) {
      signal.throwIfAborted();
      return this.#unreadable(thrown, isLast || failed.isRetried);
    }
  }

  #unreadable(thrown: unknown, isLast: boolean): Explanation {
    if (!(thrown instanceof PlumblineError)) throw thrown;
    const why = oneLine(thrown.message, REASON_LENGTH);
    this.#options.log?.debug(why);
    if (!isLast && thrown.family === 'transient') return { failure: undefined };
    return noLog(why);
  }

  async #timed<Answer>(read: () => Promise<Answer>): Promise<Answer> {
    const { clock = systemClock } = this.#options;
    const began = clock.now();
    try {
      return await read();
    } finally {
      this.#spentMs += Math.max(0, clock.now() - began);
    }
  }

  /** `undefined`: there is no log. */
  async #tail(failed: FailedTry, signal: AbortSignal): Promise<Tail | undefined> {
    const { api, run, clock = systemClock } = this.#options;
    const until = clock.now() + LOG_MS;
    let lines: readonly string[] = [];
    let total = 0;
    let from: string | undefined;
    for (let piece = 0; piece < MOST_PIECES && clock.now() < until; piece += 1) {
      const answer = await api.log(run, { ...failed, from }, signal);
      if (answer === undefined) return piece === 0 ? undefined : { lines, total, isCut: true };
      total += answer.lines.length;
      lines = [...lines, ...answer.lines].slice(-KEPT_LINES);
      // A log that is still being written has always a next piece, with nothing in it for now.
      if (answer.next === undefined || answer.lines.length === 0) return { lines, total, isCut: false };
      from = answer.next;
    }
    return { lines, total, isCut: from !== undefined };
  }

  #show({ id, tryNumber, isRetried }: FailedTry, { lines, total, isCut }: Tail): void {
    const { output } = this.#options;
    const key = `${id}#${tryNumber}`;
    if (output === undefined || lines.length === 0 || this.#shown.has(key)) return;
    this.#shown.add(key);
    const kept = this.#kept(lines.slice(isRetried ? -RETRY_LINES : -TASK_LINES));
    if (kept.length === 0) {
      this.#full(output);
      return;
    }
    const what = isRetried ? `${id}, try ${tryNumber}, which is tried again` : `${id}, try ${tryNumber}`;
    const part = kept.length < total ? `the last ${kept.length} of ${total} lines` : `${total} lines`;
    const end = isCut ? ', which goes on in Airflow' : '';
    output.write(
      neutralise(`--- Log of ${what}: ${part}${end} ---\n${kept.join('\n')}\n--- End of the log of ${id} ---\n`),
    );
  }

  /** What there is room for, from the end. */
  #kept(lines: readonly string[]): readonly string[] {
    const kept: string[] = [];
    for (const line of lines.toReversed()) {
      const cut = line.length > LINE_LENGTH ? `${line.slice(0, LINE_LENGTH)}… (${line.length} characters)` : line;
      if (this.#lines < 1 || this.#characters < cut.length) break;
      this.#lines -= 1;
      this.#characters -= cut.length;
      kept.unshift(cut);
    }
    return kept;
  }

  #full(output: Writable): void {
    if (this.#isFull) return;
    this.#isFull = true;
    output.write(`--- ${RUN_LINES} lines of logs are shown: those of further tasks that failed are in Airflow ---\n`);
  }
}

/** Not an exception's name: none has a space in it. */
const NO_EXCEPTION = 'Task failed';
const ERROR_ENTRY = /^\[?\d{4}-\d\d-\d\dT\S+\s+(?:\{[^}]*\}\s+)?(?:ERROR|CRITICAL)\s+(?:- )?(.+)$/;

function unexplained(message: string): TaskFailure {
  return { type: NO_EXCEPTION, message, traceback: '' };
}

function noLog(why: string): Explanation {
  return { failure: unexplained(`Its log could not be read: ${why}`), unreadable: why };
}

/** The last error that was logged, which is what there is when the process was killed, for example. */
function withoutException({ lines, isCut }: Tail): TaskFailure {
  const entry = lines.findLast((line) => ERROR_ENTRY.test(line));
  const said = entry === undefined ? undefined : ERROR_ENTRY.exec(entry)?.[1];
  const what = isCut ? 'Its log was not read to its end, and tells no exception before' : 'Its log tells no exception';
  const message = said === undefined ? what : `${what}; its last error: ${said}`;
  return { type: NO_EXCEPTION, message, traceback: lines.slice(-RETRY_LINES).join('\n') };
}
