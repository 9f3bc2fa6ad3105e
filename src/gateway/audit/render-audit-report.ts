import { neutralise, neutraliseJson } from '#core/neutralise.ts';
import type { AuditReport, AuditReportFormat, AuditReportRow, WouldRefuseRow } from './audit-report.ts';

/**
 * The report as text. What callers have put into a record can do nothing to the reader: control characters and text that turns
 * its direction are replaced, commands of an Azure Pipelines agent are neutralised, and a cell that a spreadsheet would take
 * for a formula begins with an apostrophe.
 */
export function renderAuditReport(report: AuditReport, format: AuditReportFormat): string {
  return RENDERERS[format](report);
}

const RENDERERS: Readonly<Record<AuditReportFormat, (report: AuditReport) => string>> = {
  json: renderJson,
  csv: renderCsv,
  table: renderTable,
};

/** C0, C1, direction and other invisible controls, line and paragraph separators, halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\uFFFD');
}

function renderJson(report: AuditReport): string {
  const rows = report.rows.map((row) => ({ ...row, at: time(row.at), endedAt: time(row.endedAt) }));
  const wouldRefuse = report.wouldRefuse.map((row) => ({ ...row, first: time(row.first), last: time(row.last) }));
  const period = { from: time(report.from), to: time(report.to) };
  const json = JSON.stringify({ ...report, ...period, rows, wouldRefuse }, undefined, 2);
  // Line breaks are those of the layout: inside of texts they are escaped.
  return `${neutraliseJson(json.replace(UNPRINTABLE, (character) => (character === '\n' ? '\n' : escaped(character))))}\n`;
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

const COLUMNS: readonly (keyof AuditReportRow)[] = [
  'at',
  'sequence',
  'decision',
  'run',
  'state',
  'endedAt',
  'attempts',
  'key',
  'issuer',
  'subject',
  'project',
  'pipeline',
  'pipelineRun',
  'ref',
  'actor',
  'claimed',
  'role',
  'module',
  'task',
  'workerIdentity',
  'unixUser',
  'isolation',
  'codeDigest',
  'commit',
  'commitProof',
  'secrets',
  'inputs',
  'outputs',
  'policy',
  'binding',
  'reasons',
  'cancelledBy',
];

/** RFC 4180: every cell in quotes, CRLF. */
function renderCsv({ rows }: AuditReport): string {
  const lines = [COLUMNS.map(String), ...rows.map((row) => COLUMNS.map((column) => cellText(row, column)))];
  return lines.map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('');
}

function cellText(row: AuditReportRow, column: keyof AuditReportRow): string {
  const value = row[column];
  if (column === 'at' || column === 'endedAt') return time(row[column]) ?? '';
  return Array.isArray(value) ? value.join(' | ') : String(value ?? '');
}

function csvCell(text: string): string {
  const safe = neutralise(printable(text)).replace(FORMULA, "$1'");
  return `"${safe.replaceAll('"', '""')}"`;
}

/**
 * Where a spreadsheet may see the beginning of a cell, and the characters with which a formula begins, in both widths: a reader
 * with another locale splits at semicolons even within quotes.
 */
const FORMULA = /((?:^|[;,|\uFFFD])["'\s\uFFFD]*)(?=[=+\-@\uFF0B\uFF0D\uFF1D\uFF20])/g;

const RAN: ReadonlySet<string> = new Set(['allowed', 'reported']);

type Columns<Row> = readonly (readonly [string, number, (row: Row) => string | undefined])[];

const TABLE: Columns<AuditReportRow> = [
  ['TIME', 20, ({ at }) => seconds(at)],
  ['DECISION', 8, ({ decision }) => decision],
  ['WHO', 36, ({ issuer, subject, actor }) => words(issuer, actor, subject)],
  ['ROLE', 16, ({ role }) => role],
  ['TASK', 28, ({ module, task }) => [module, task].filter(Boolean).join('.')],
  ['RUN', 36, ({ run }) => run],
  ['STATE', 9, ({ state, decision }) => state ?? (RAN.has(decision) ? 'open' : '')],
  ['RAN AS', 20, ({ unixUser, workerIdentity, isolation }) => words(unixUser ?? isolation, workerIdentity)],
  ['CODE', 19, ({ codeDigest, commit }) => codeDigest ?? commit],
  ['POLICY', 24, ({ policy, binding }) => words(policy?.slice(0, 8), binding)],
  ['TOUCHED AND REASONS', 60, ({ secrets, outputs, reasons }) => [...reasons, ...secrets, ...outputs].join(', ')],
];

const WOULD_REFUSE: Columns<WouldRefuseRow> = [
  ['COUNT', 9, ({ count }) => String(count)],
  ['WHAT', 8, ({ what }) => what],
  ['BINDING', 24, ({ binding }) => binding],
  ['ROLE', 16, ({ role }) => role],
  ['WHO', 44, ({ issuer, subject, worker, address }) => words(issuer, subject, worker, address)],
  ['CALL', 32, ({ call }) => call],
  ['NAMESPACE', 20, ({ namespace }) => namespace],
  ['REASON', 40, ({ reason }) => reason],
  ['FIRST', 20, ({ first }) => seconds(first)],
  ['LAST', 20, ({ last }) => seconds(last)],
];

/** What passed only because a binding reports, as a table. */
export function renderWouldRefuse({ wouldRefuse: rows, omittedWouldRefuse }: AuditReport): string {
  const notes = omittedWouldRefuse > 0 ? [`${omittedWouldRefuse} more are left out; narrow the period.`] : [];
  const none = rows.length + omittedWouldRefuse === 0;
  const lines = none
    ? ['Enforcement would refuse nothing of this.']
    : ['What enforcement would refuse:', '', ...table(rows, WOULD_REFUSE), ...notes];
  return lines.map(harmless).join('');
}

function renderTable(report: AuditReport): string {
  const { rows, omittedRows, unreadable } = report;
  const notes = [
    ...(rows.length === 0 ? ['Nothing is on record for this period and these filters.'] : []),
    ...(omittedRows > 0 ? [`${omittedRows} more rows are left out; narrow the period or the filters.`] : []),
    ...(unreadable > 0 ? [`${unreadable} lines are no records: run plumbline audit verify.`] : []),
  ];
  return `${[...table(rows, TABLE), ...notes].map(harmless).join('')}\n${renderWouldRefuse(report)}`;
}

function table<Row>(rows: readonly Row[], columns: Columns<Row>): string[] {
  const cells = rows.map((row) => columns.map(([, width, of]) => cutTo(printable(of(row) ?? ''), width)));
  const lines = [columns.map(([title]) => title), ...cells];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => lengthOf(line[column]))));
  return lines.map((line) => line.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - lengthOf(cell))).join('  '));
}

/** The whole line, because a command may come together from two cells. */
function harmless(line: string): string {
  return `${neutralise(line.trimEnd())}\n`;
}

function lengthOf(cell: string | undefined): number {
  return [...(cell ?? '')].length;
}

function cutTo(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

function words(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
}

function time(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

function seconds(at: number): string | undefined {
  return time(at)?.replace(/\.\d+/, '');
}
