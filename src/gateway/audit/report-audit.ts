import { join } from 'node:path';
import { parseRecord } from './audit-record.ts';
import type { AuditReport, ReportAuditSettings } from './audit-report.ts';
import { auditUnavailable, systemReason } from './audit-unavailable.ts';
import { listLogFiles } from './log-files.ts';
import { type LogLine, logLines } from './log-lines.ts';
import { matchesFilter } from './report-filter.ts';
import { ReportFold } from './report-fold.ts';
import { WouldRefuseFold } from './would-refuse-fold.ts';

const MOST_ROWS = 100_000;

/**
 * Who asked, who ran, what was touched, under which policy: a row for each run that has a record in the period, and for each
 * request and token that was refused in it; and what passed in it only because a binding reports. It reads the files from their beginning, because a run may have begun long before,
 * and verifies nothing.
 *
 * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` when the files cannot be read
 */
export async function reportAudit(settings: ReportAuditSettings): Promise<AuditReport> {
  try {
    return await report(settings);
  } catch (thrown) {
    settings.signal?.throwIfAborted();
    throw auditUnavailable(`The audit log in ${settings.directory} cannot be read`, systemReason(thrown), thrown);
  }
}

async function report(settings: ReportAuditSettings): Promise<AuditReport> {
  const { directory, from, to, filters = {}, limit = MOST_ROWS, signal } = settings;
  const fold = new ReportFold(from, to);
  const wouldRefuse = new WouldRefuseFold(from, to);
  const { files } = await listLogFiles(directory);
  let records = 0;
  let unreadable = 0;
  for (const { name, at } of files) {
    if (at >= to) continue;
    for await (const lines of logLines(join(directory, name), 0, signal)) {
      const read = addTo([fold, wouldRefuse], lines);
      records += read;
      unreadable += lines.length - read;
    }
  }
  const rows = fold.rows().filter((row) => matchesFilter(row, filters));
  return {
    from,
    to,
    rows: rows.slice(0, limit),
    omittedRows: Math.max(0, rows.length - limit),
    wouldRefuse: wouldRefuse.rows(filters),
    omittedWouldRefuse: wouldRefuse.omitted,
    records,
    unreadable,
  };
}

function addTo(folds: readonly Pick<ReportFold, 'add'>[], lines: readonly LogLine[]): number {
  let read = 0;
  for (const { bytes, whole, tooLong } of lines) {
    const parsed = whole && !tooLong ? parseRecord(bytes.toString('utf8')) : undefined;
    if (!parsed) continue;
    for (const fold of folds) fold.add(parsed.record);
    read += 1;
  }
  return read;
}
