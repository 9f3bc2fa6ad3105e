/** A place in a pipeline file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Problem {
  readonly at: Position;
  readonly message: string;
}

export function formatPosition({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`;
}

/**
 * A pipeline that cannot run as it is written. Thrown before anything has started, with every problem found so far.
 */
export class PipelineFileError extends Error {
  override readonly name = 'PipelineFileError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ at, message }) => `${formatPosition(at)}: ${message}`).join('\n'));
    this.problems = problems;
  }
}

/** Stops at one problem. */
export function reject(at: Position, message: string): never {
  throw new PipelineFileError([{ at, message }]);
}
