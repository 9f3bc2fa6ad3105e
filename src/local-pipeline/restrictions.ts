import { minimatch } from 'minimatch';

/** What limits a step's logging commands: `restrictions` of its task.json, `target` of its YAML. All of them apply. */
export interface Restrictions {
  readonly commands?: 'any' | 'restricted' | undefined;
  /** Globs without case; absent: every variable. */
  readonly settableVariables?: readonly string[] | undefined;
}

export function commandAllowed(restrictions: readonly Restrictions[], allowedWhenRestricted: boolean): boolean {
  return allowedWhenRestricted || restrictions.every(({ commands }) => commands !== 'restricted');
}

export function variableSettable(restrictions: readonly Restrictions[], name: string): boolean {
  return restrictions.every(
    ({ settableVariables: allowed }) =>
      allowed === undefined || allowed.some((pattern) => minimatch(name, pattern, { nocase: true })),
  );
}
