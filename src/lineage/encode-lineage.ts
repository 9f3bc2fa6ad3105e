import { neutraliseJson } from '#core/neutralise.ts';
import { wellFormed } from '#core/well-formed.ts';
import type { Lineage } from './describe-lineage.ts';
import type { RunEvent } from './open-lineage.ts';

/** A run of 5,000 tasks fits. */
export const MAX_LINEAGE_BYTES = 32 * 1024 * 1024;

export interface EncodedLineage {
  /** One event a line, each line ended. */
  readonly text: string;
  readonly events: number;
  /** Task runs left out because the text would have become too long; never half of one. */
  readonly omittedRuns: number;
}

/** Events as JSON lines (NDJSON), the form of OpenLineage's own file transport. */
export function encodeLineage(lineage: Lineage, maxBytes = MAX_LINEAGE_BYTES): EncodedLineage {
  const lines = lineage.events.map((event) => ({ runId: event.run.runId, line: encodeEvent(event) }));
  const sizes = new Map<string, number>([
    [lineage.stepRunId, 0],
    [lineage.workflowRunId, 0],
  ]);
  for (const { runId, line } of lines) sizes.set(runId, (sizes.get(runId) ?? 0) + Buffer.byteLength(line));
  const admitted = admit(sizes, maxBytes);
  const kept = lines.filter(({ runId }) => admitted.has(runId));
  return {
    text: kept.map(({ line }) => line).join(''),
    events: kept.length,
    omittedRuns: sizes.size - admitted.size,
  };
}

/** The first two runs, step and workflow, always; then as many as there is room for. */
function admit(sizes: ReadonlyMap<string, number>, maxBytes: number): ReadonlySet<string> {
  const admitted = new Set<string>();
  let used = 0;
  for (const [runId, bytes] of sizes) {
    used += bytes;
    if (used > maxBytes && admitted.size >= 2) break;
    admitted.add(runId);
  }
  return admitted;
}

function encodeEvent(event: RunEvent): string {
  const clean = (_: string, value: unknown) => (typeof value === 'string' ? wellFormed(value) : value);
  return `${neutraliseJson(JSON.stringify(event, clean))}\n`;
}
