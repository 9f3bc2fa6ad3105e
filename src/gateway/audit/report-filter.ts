import type { AuditReportFilter, AuditReportRow } from './audit-report.ts';

const EXACT = ['run', 'role', 'issuer', 'subject', 'project', 'actor', 'task', 'binding', 'decision'] as const;

/** Whether everything that the filter names holds for the row. */
export function matchesFilter(row: AuditReportRow, filter: AuditReportFilter): boolean {
  const { secret, dataset, policy } = filter;
  return (
    EXACT.every((field) => filter[field] === undefined || row[field] === filter[field]) &&
    (policy === undefined || isPolicy(row.policy, policy)) &&
    (secret === undefined || row.secrets.some((held) => isNamed(held.replace(/@[^@/]*$/, ''), secret))) &&
    (dataset === undefined || [...row.inputs, ...row.outputs].some((held) => isNamed(held, dataset)))
  );
}

const SHORTEST_DIGEST = 8;

function isPolicy(sha256: string | undefined, wanted: string): boolean {
  return sha256 === wanted || (wanted.length >= SHORTEST_DIGEST && sha256?.startsWith(wanted) === true);
}

function isNamed(held: string, wanted: string): boolean {
  return held === wanted || held.endsWith(`/${wanted}`);
}
