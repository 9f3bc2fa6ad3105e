import { isAbsolute, relative } from 'node:path';
import { capFindings } from '#core/cap-findings.ts';
import type { HostIssue } from '#core/host.ts';
import type { SourceProvenance } from '#core/provenance.ts';
import type { Finding } from '#core/run.ts';
import { withRemedy } from '#core/with-remedy.ts';

/**
 * The findings as issues of the pipeline run, the most important first, at most ten of each kind. A finding whose code lies
 * in the repository points at its line.
 */
export function issuesOf(findings: readonly Finding[], source: SourceProvenance): readonly HostIssue[] {
  return capFindings(findings).map((finding) => ({
    type: finding.severity,
    message: withRemedy(finding.message, finding.remedy),
    code: finding.code,
    ...locationOf(finding, source),
  }));
}

function locationOf({ frame }: Finding, { checkout }: SourceProvenance): Pick<HostIssue, 'sourcePath' | 'line'> {
  if (frame === undefined || checkout === undefined) return {};
  const path = relative(checkout, frame.file);
  if (path.startsWith('..') || isAbsolute(path)) return {};
  return { sourcePath: path, line: frame.line };
}
