import type { PipelineRun } from './pipeline-run.ts';

const FIRST_BUILD_ID = 1_001;

/** Every run that is known, by its number. */
export class PipelineRuns {
  readonly #runs = new Map<number, PipelineRun>();
  #last = FIRST_BUILD_ID - 1;

  /** A number that no run has had. */
  nextId(): number {
    this.#last += 1;
    while (this.#runs.has(this.#last)) this.#last += 1;
    return this.#last;
  }

  add(run: PipelineRun): void {
    this.#runs.set(run.facts.buildId, run);
  }

  /** The run is no more; another one of the same number stays. */
  remove(run: PipelineRun): void {
    if (this.#runs.get(run.facts.buildId) === run) this.#runs.delete(run.facts.buildId);
  }

  find(buildId: number): PipelineRun | undefined {
    return this.#runs.get(buildId);
  }

  all(): readonly PipelineRun[] {
    return [...this.#runs.values()];
  }
}
