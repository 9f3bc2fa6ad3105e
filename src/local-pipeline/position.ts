import path from 'node:path';

/** A place in a pipeline file; line and column count from 1. */
export interface Position {
  /** Absolute. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Problem {
  readonly at: Position;
  readonly message: string;
}

/** `file:line:column`, the file relative to the working directory when it lies below it. */
export function formatPosition({ file, line, column }: Position): string {
  const inside = path.relative('', file);
  return `${inside === '' || inside.startsWith('..') ? file : inside}:${line}:${column}`;
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
