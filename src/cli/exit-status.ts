/**
 * How a command ends. `refused`: it did its work and the answer is no (a policy that is denied, a log that was changed);
 * `failed`: it could not do its work, and there is no answer. docs/cli.md has the table.
 */
export const EXIT = { done: 0, failed: 1, refused: 2, usage: 64 } as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];
