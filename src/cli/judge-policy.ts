import type { FileProblem } from '#gateway/config/yaml-source.ts';
import type { ParsedPolicy } from '#gateway/policy/parse-policy.ts';
import type { LintSeverity, PolicyLint } from '#gateway/policy/policy-lint.ts';
import { printable } from './printable.ts';
import type { Colour, Terminal } from './terminal.ts';

/** What is to be said of a policy file before it comes into force. */
export interface PolicyVerdict {
  readonly ok: boolean;
  /** SHA-256 of the file; absent when it cannot be used. */
  readonly policy?: string | undefined;
  /** The gateway would not take it. */
  readonly problems: readonly FileProblem[];
  /** It would, and a person should look. */
  readonly lints: readonly PolicyLint[];
}

/** From here on a lint makes the verdict a no. */
export const FAIL_ON = ['high', 'medium', 'low', 'never'] as const;
export type FailOn = (typeof FAIL_ON)[number];

const COLOURS: Readonly<Record<LintSeverity, Colour>> = { high: 'red', medium: 'yellow', low: 'dim' };

/** @param policy its examples have been tried already */
export async function judgePolicy({ policy, problems = [] }: ParsedPolicy, failOn: FailOn): Promise<PolicyVerdict> {
  if (policy === undefined) return { ok: false, problems, lints: [] };
  const { lintPolicy } = await import('#gateway/policy/lint-policy.ts');
  const lints = lintPolicy(policy, Date.now());
  const counted = failOn === 'never' ? [] : FAIL_ON.slice(0, FAIL_ON.indexOf(failOn) + 1);
  const ok = !lints.some(({ severity }) => counted.includes(severity));
  return { ok, policy: policy.sha256, problems, lints };
}

export function tellPolicy(file: string, { ok, policy, problems, lints }: PolicyVerdict, terminal: Terminal): void {
  for (const problem of problems) terminal.out(line(problem, terminal.paint('red', 'error'), problem.message));
  for (const lint of lints) {
    const says = `${lint.message} (${lint.rule}). ${lint.remedy}`;
    terminal.out(line(lint, terminal.paint(COLOURS[lint.severity], lint.severity), says));
  }
  const verdict = ok ? terminal.paint('green', 'good') : terminal.paint('red', 'not good');
  const counts = `${problems.length} errors, ${lints.length} remarks`;
  terminal.out(`${printable(file)}: ${verdict}, ${counts}${policy === undefined ? '' : `, sha256:${policy}`}`);
}

function line(at: FileProblem, severity: string, message: string): string {
  const place = printable(`${at.file}:${at.line}:${at.column}`);
  return `${place}: ${severity}: ${printable(at.field)} ${printable(message)}`;
}
