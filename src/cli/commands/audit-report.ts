import type { AuditReportFilter, AuditReportFormat } from '#gateway/audit/audit-report.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { UsageError } from '../usage-error.ts';

const FORMATS: readonly AuditReportFormat[] = ['table', 'json', 'csv'];
const FIELDS: readonly (keyof AuditReportFilter)[] = [
  'run',
  'role',
  'issuer',
  'subject',
  'project',
  'actor',
  'task',
  'secret',
  'dataset',
  'policy',
  'binding',
  'decision',
];

export const auditReport: Command = {
  name: 'audit report',
  summary: 'Says for a period who asked, what ran, what was touched and under which policy.',
  takes: ['DIR'],
  options: {
    from: { value: 'WHEN', help: 'a day (its first instant in UTC) or an instant; default: the beginning of the log' },
    to: { value: 'WHEN', help: 'the same, not included; default: now' },
    where: { value: 'FIELD=VALUE', help: `only such rows: ${FIELDS.join(', ')}`, repeated: true },
    limit: { value: 'ROWS', help: 'more are counted only; default 100000' },
    format: { value: 'FORMAT', help: FORMATS.join(', '), oneOf: FORMATS },
    json: { help: 'the same as --format json' },
    'would-refuse': { help: 'a table of what enforcement would refuse, alone; says no when there is anything' },
  },
  async run(given, terminal) {
    const { reportAudit } = await import('#gateway/audit/report-audit.ts');
    const { renderAuditReport, renderWouldRefuse } = await import('#gateway/audit/render-audit-report.ts');
    const report = await reportAudit({
      directory: given.required('DIR'),
      from: instant(given, 'from') ?? 0,
      to: instant(given, 'to') ?? Date.now() + 1,
      filters: filters(given),
      limit: limit(given.optional('limit')),
    });
    const format = given.flag('json') ? 'json' : ((given.optional('format') ?? 'table') as AuditReportFormat);
    const alone = given.flag('would-refuse') && format === 'table';
    const text = alone ? renderWouldRefuse(report) : renderAuditReport(report, format);
    terminal.out(text.replace(/\n$/, ''));
    if (report.omittedRows > 0) terminal.error(`${report.omittedRows} further rows are not shown; see --limit.`);
    if (report.unreadable > 0)
      terminal.error(`${report.unreadable} lines are no record; "plumbline audit verify" says which.`);
    const refusable = report.wouldRefuse.length + report.omittedWouldRefuse;
    return given.flag('would-refuse') && refusable > 0 ? EXIT.refused : EXIT.done;
  },
};

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

function instant(given: Arguments, option: 'from' | 'to'): number | undefined {
  const text = given.optional(option);
  if (text === undefined) return undefined;
  const at = DAY.test(text) || INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new UsageError(`--${option} is a day (2026-11-20) or an instant with its zone (2026-11-20T08:00:00Z).`);
  return at;
}

function filters(given: Arguments): AuditReportFilter {
  const wanted = given.assignments('where');
  const unknown = [...wanted.keys()].some((name) => !(FIELDS as readonly string[]).includes(name));
  if (unknown) throw new UsageError(`--where takes one of ${FIELDS.join(', ')}.`);
  return Object.fromEntries(wanted) as AuditReportFilter;
}

function limit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError('--limit is a whole number from 1.');
  return Number(text);
}
