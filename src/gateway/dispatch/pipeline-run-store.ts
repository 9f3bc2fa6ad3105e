import type { NewPipelineRunRow, PipelineRunChange, PipelineRunPhase, PipelineRunRow } from '../store/schema.ts';
import type { Store, StoreTransaction } from '../store/store.ts';
import type { PipelineRunError, PipelineRunState, PipelineRunUpdate } from './pipeline-run.ts';
import { asStoredPipelineRun, runOf, type StoredPipelineRun } from './pipeline-run-row.ts';

const UNSENT = ['waiting', 'intended', 'sending', 'looking'] as const;
const OPEN = [...UNSENT, 'answered', 'following'] as const;

/** What became of an attempt to store a new one. */
export type Insertion = 'created' | 'exists' | 'full';

export interface WaitingLimits {
  readonly all: number;
  readonly perCaller: number;
}

/** How a pipeline run ended, or that nobody can say. */
export interface PipelineRunEnd {
  readonly state: PipelineRunState;
  readonly endedAt: number;
  readonly startedAt?: number | undefined;
  readonly error?: PipelineRunError | undefined;
}

/**
 * Pipeline runs in the store. Every change says from which phase it goes and answers whether it happened: of two that want to
 * change a run at the same time, one is told that it came too late.
 */
export class PipelineRunStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async find(id: string): Promise<StoredPipelineRun | undefined> {
    const row = await this.#rows().where('id', '=', id).executeTakeFirst();
    return row && asStoredPipelineRun(row);
  }

  async findByKey(scope: string, key: string): Promise<StoredPipelineRun | undefined> {
    const row = await this.#rows().where('scope', '=', scope).where('key', '=', key).executeTakeFirst();
    return row && asStoredPipelineRun(row);
  }

  /** Those that have not come to the end of their way, oldest first. */
  async unclosed(): Promise<readonly StoredPipelineRun[]> {
    const rows = await this.#rows().where('phase', '!=', 'closed').orderBy('id').execute();
    return rows.map(asStoredPipelineRun);
  }

  /** Those that go on, by state. */
  async counts(): Promise<{ readonly queued: number; readonly running: number }> {
    const query = this.#store.database
      .selectFrom('pipeline_runs')
      .select(({ fn }) => ['state', fn.countAll<number>().as('count')]);
    const rows = await query.where('phase', 'in', OPEN).groupBy('state').execute();
    const of = (state: string) => rows.find((row) => row.state === state)?.count ?? 0;
    return { queued: of('queued'), running: of('running') };
  }

  insert(row: NewPipelineRunRow, limits: WaitingLimits): Promise<Insertion> {
    return this.#store.transaction(async (transaction) => {
      const known = transaction.selectFrom('pipeline_runs').select('id');
      if (await known.where('scope', '=', row.scope).where('key', '=', row.key).executeTakeFirst()) return 'exists';
      if (await isFull(transaction, row.scope, limits)) return 'full';
      await transaction.insertInto('pipeline_runs').values(row).execute();
      return 'created';
    });
  }

  /** A refused one is tried again, as it was asked for now. `exists`: somebody else was first. */
  again(id: string, row: NewPipelineRunRow, limits: WaitingLimits): Promise<Insertion> {
    const { id: _, attempt: __, ...change } = row;
    return this.#store.transaction(async (transaction) => {
      if (await isFull(transaction, row.scope, limits)) return 'full';
      const next = ({ attempt }: PipelineRunRow) => ({ ...change, attempt: attempt + 1 });
      return (await changed(transaction, id, ['closed'], next)) ? 'created' : 'exists';
    });
  }

  /** The next request is on record. */
  intended(id: string): Promise<boolean> {
    return this.#change(id, ['waiting'], () => ({ phase: 'intended', problem: null }));
  }

  /** The request goes out now, or has gone. */
  sending(id: string, at: number): Promise<boolean> {
    return this.#change(id, ['intended'], ({ first_sent_at }) => ({
      phase: 'sending',
      first_sent_at: first_sent_at ?? at,
      sent_at: at,
      settles_at: null,
    }));
  }

  /** Nothing was queued by the last request; the next is to come. */
  retry(id: string, retryAt: number, problem: string): Promise<boolean> {
    const next = ({ attempt }: PipelineRunRow) =>
      ({ phase: 'waiting', attempt: attempt + 1, retry_at: retryAt, problem }) as const;
    return this.#change(id, ['intended', 'sending', 'looking'], next);
  }

  /** Nobody knows what became of the last request. */
  looking(id: string, settlesAt: number, problem: string): Promise<boolean> {
    return this.#change(id, ['sending'], () => ({ phase: 'looking', settles_at: settlesAt, problem }));
  }

  /** It is queued: what was only needed to ask for it is forgotten. */
  answered(
    id: string,
    { runId, name }: { readonly runId: number; readonly name: string },
    at: number,
  ): Promise<boolean> {
    return this.#change(id, ['sending', 'looking'], (row) => {
      const run = runOf({ ...row, azure_name: name }, runId);
      const update: PipelineRunUpdate = { kind: 'state', state: 'queued', at, run };
      return {
        phase: 'answered',
        azure_run: runId,
        azure_name: name,
        queued_at: at,
        problem: null,
        values_json: null,
        identity_json: null,
        updates_json: withUpdates(row, update),
      };
    });
  }

  following(id: string, tags: 'set' | 'refused' | 'failed'): Promise<boolean> {
    return this.#change(id, ['answered'], () => ({ phase: 'following', tags }));
  }

  /** It has started. */
  running(id: string, name: string, at: number, startedAt: number): Promise<boolean> {
    return this.#change(id, ['following'], (row) => ({
      state: 'running',
      azure_name: name,
      started_at: startedAt,
      problem: null,
      updates_json: withUpdates(row, { kind: 'state', state: 'running', at }),
    }));
  }

  /** What holds it up; shown only. */
  problem(id: string, problem: string | null): Promise<boolean> {
    return this.#change(id, OPEN, () => ({ problem }));
  }

  /** The first end stays. */
  end(id: string, { state, endedAt, startedAt, error }: PipelineRunEnd): Promise<boolean> {
    return this.#change(id, OPEN, (row) => {
      const run = row.azure_run === null ? {} : { run: runOf(row, row.azure_run) };
      const outcome = { state, endedAt, ...run, ...(error && { error }) };
      return {
        phase: 'ended',
        state,
        ended_at: endedAt,
        started_at: startedAt ?? row.started_at,
        problem: null,
        error_json: error ? JSON.stringify(error) : null,
        values_json: null,
        identity_json: null,
        updates_json: withUpdates(row, { kind: 'state', state, at: endedAt }, { kind: 'outcome', outcome }),
      };
    });
  }

  /** Its end is in the audit: nothing is left to do. */
  close(id: string): Promise<boolean> {
    return this.#change(id, ['ended'], () => ({ phase: 'closed' }));
  }

  async removeEndedBefore(at: number): Promise<void> {
    await this.#store.transaction((transaction) =>
      transaction.deleteFrom('pipeline_runs').where('phase', '=', 'closed').where('ended_at', '<', at).execute(),
    );
  }

  #rows() {
    return this.#store.database.selectFrom('pipeline_runs').selectAll();
  }

  #change(
    id: string,
    from: readonly PipelineRunPhase[],
    change: (row: PipelineRunRow) => PipelineRunChange,
  ): Promise<boolean> {
    return this.#store.transaction((transaction) => changed(transaction, id, from, change));
  }
}

async function changed(
  transaction: StoreTransaction,
  id: string,
  from: readonly PipelineRunPhase[],
  change: (row: PipelineRunRow) => PipelineRunChange,
): Promise<boolean> {
  const query = transaction.selectFrom('pipeline_runs').selectAll().where('id', '=', id);
  const row = await query.where('phase', 'in', from).executeTakeFirst();
  if (!row) return false;
  await transaction.updateTable('pipeline_runs').set(change(row)).where('id', '=', id).execute();
  return true;
}

function withUpdates({ updates_json }: PipelineRunRow, ...updates: readonly PipelineRunUpdate[]): string {
  return JSON.stringify([...(JSON.parse(updates_json) as readonly PipelineRunUpdate[]), ...updates]);
}

async function isFull(
  transaction: StoreTransaction,
  scope: string,
  { all, perCaller }: WaitingLimits,
): Promise<boolean> {
  const waiting = transaction
    .selectFrom('pipeline_runs')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('phase', 'in', UNSENT);
  if ((await waiting.executeTakeFirstOrThrow()).count >= all) return true;
  return (await waiting.where('scope', '=', scope).executeTakeFirstOrThrow()).count >= perCaller;
}
