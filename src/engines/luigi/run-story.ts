import type { RunUpdate } from '#core/run.ts';
import type { CancelReason } from '../engine.ts';
import type { Evidence } from './evidence.ts';
import type { ExitRecord } from './exit-record.ts';
import type { ParsedLine } from './parse-event.ts';
import { TaskLedger } from './task-ledger.ts';
import type { EventOf, WorkerEvent } from './worker-event.ts';

/** What is known of the end from beside the event file. */
export interface Ending {
  readonly runId: string;
  readonly stop: CancelReason | undefined;
  readonly record: ExitRecord | undefined;
  readonly supervisorStatus: number | undefined;
}

/** Everything that the worker told of one run: its tasks, and the evidence for its outcome. */
export class RunStory {
  readonly tasks = new TaskLedger();
  #hello: EventOf<'hello'> | undefined;
  #refused: EventOf<'refused'> | undefined;
  #aborted: EventOf<'aborted'> | undefined;
  #rejected: EventOf<'rejected'> | undefined;
  readonly #reported: EventOf<'reported'>[] = [];
  #asked: EventOf<'asked'> | undefined;
  #bye: EventOf<'bye'> | undefined;
  #foreign: string | undefined;
  #stalled = false;
  #unreadable = 0;

  get hello(): EventOf<'hello'> | undefined {
    return this.#hello;
  }

  get refused(): EventOf<'refused'> | undefined {
    return this.#refused;
  }

  /** What broke the whole run off outside of any task. */
  get aborted(): EventOf<'aborted'> | undefined {
    return this.#aborted;
  }

  /** What the run lost its identity by; the first says it. */
  get rejected(): EventOf<'rejected'> | undefined {
    return this.#rejected;
  }

  /** Tasks that ran without a token although enforcement would have refused them one. */
  get reported(): readonly EventOf<'reported'>[] {
    return this.#reported;
  }

  /** The worker speaks another protocol; nothing of it is understood from there on. */
  get foreign(): string | undefined {
    return this.#foreign;
  }

  get unreadable(): number {
    return this.#unreadable;
  }

  /** Events that the worker knows it could not write. */
  get unwritten(): number {
    return this.#bye?.lost ?? 0;
  }

  fold(line: ParsedLine): readonly RunUpdate[] {
    if (this.#foreign !== undefined) return [];
    switch (line.kind) {
      case 'unreadable':
        this.#unreadable += 1;
        return [];
      case 'foreign':
        this.#foreign = JSON.stringify(line.version) ?? 'none';
        return [];
      case 'unknown':
        return [];
      case 'event':
        return this.#take(line.event);
    }
  }

  evidence(ending: Ending): Evidence {
    return {
      ...ending,
      hello: this.#hello,
      refused: this.#refused,
      rejected: this.#rejected,
      foreign: this.#foreign,
      asked: this.#asked,
      bye: this.#bye?.exitCode,
      stalled: this.#stalled,
      anythingRan: this.tasks.anythingRan,
      hasRoot: this.tasks.root !== undefined,
      unended: this.tasks.records().filter(({ state }) => state === 'running').length,
    };
  }

  #take(event: WorkerEvent): readonly RunUpdate[] {
    switch (event.e) {
      case 'hello':
        this.#hello ??= event;
        return [{ kind: 'state', state: 'running', at: event.at }];
      case 'refused':
        this.#refused ??= event;
        return [];
      case 'rejected':
        this.#rejected ??= event;
        return this.tasks.fold(event);
      case 'reported':
        this.#reported.push(event);
        return [];
      case 'aborted':
        this.#aborted ??= event;
        return [];
      case 'asked':
        this.#asked = event;
        return [];
      case 'bye':
        this.#bye = event;
        return [];
      case 'stalled':
        this.#stalled = true;
        return this.tasks.fold(event);
      default:
        return this.tasks.fold(event);
    }
  }
}
