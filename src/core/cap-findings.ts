import type { ErrorCode } from './errors.ts';
import type { Finding } from './run.ts';

/**
 * At most `limit` findings of each severity, because an agent of Azure Pipelines keeps ten errors and ten warnings of a step:
 * the first of every code, then the most important ones, and as the last one a finding that counts the rest by code.
 */
export function capFindings(findings: readonly Finding[], limit = 10): readonly Finding[] {
  return (['error', 'warning'] as const).flatMap((severity) =>
    capped(
      findings.filter((finding) => finding.severity === severity),
      limit,
    ),
  );
}

function capped(findings: readonly Finding[], limit: number): readonly Finding[] {
  if (findings.length <= limit) return findings;
  const inOrder = [...new Set([...firstOfEachCode(findings), ...findings])];
  const shown = new Set(inOrder.slice(0, limit - 1));
  return [...findings.filter((finding) => shown.has(finding)), restOf(inOrder.slice(limit - 1))];
}

function firstOfEachCode(findings: readonly Finding[]): readonly Finding[] {
  const first = new Map<ErrorCode, Finding>();
  for (const finding of findings) if (!first.has(finding.code)) first.set(finding.code, finding);
  return [...first.values()];
}

function restOf(findings: readonly Finding[]): Finding {
  const { severity, code } = findings[0] as Finding;
  const counts = new Map<ErrorCode, number>();
  for (const finding of findings) counts.set(finding.code, (counts.get(finding.code) ?? 0) + 1);
  const words = [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
  return { severity, code, message: `… and ${findings.length} more (${words}): see the report` };
}
