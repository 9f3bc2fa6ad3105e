import type { JsonValue } from '#core/json.ts';
import type { AuditRecord } from './audit-record.ts';
import type { AuditReportRow } from './audit-report.ts';

type Draft = { -readonly [field in keyof AuditReportRow]: AuditReportRow[field] };
type Fields = Readonly<Record<string, JsonValue | undefined>>;

interface Folded {
  readonly row: Draft;
  inPeriod: boolean;
}

/** Records that are about a run and carry its id as their subject. */
const ABOUT_RUN = /^dev\.plumbline\.(?:run\.(?!denied$)|secrets\.)/;
const OWN_ROW: ReadonlyMap<string, AuditReportRow['decision']> = new Map([
  ['dev.plumbline.run.denied', 'denied'],
  ['dev.plumbline.token.refused', 'refused'],
]);

/** Puts the records of each run together. A run that ended before the period is forgotten as soon as it has. */
export class ReportFold {
  readonly #from: number;
  readonly #to: number;
  readonly #runs = new Map<string, Folded>();
  readonly #others: AuditReportRow[] = [];

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
  }

  add(record: AuditRecord): void {
    const at = Date.parse(record.time);
    if (at >= this.#to) return;
    const decision = OWN_ROW.get(record.type);
    if (decision !== undefined) this.#own(record, at, decision);
    else if (ABOUT_RUN.test(record.type) && record.subject !== undefined) this.#ofRun(record, at, record.subject);
  }

  /** In the order of their first records. */
  rows(): AuditReportRow[] {
    const runs = [...this.#runs.values()].filter(({ inPeriod }) => inPeriod).map(({ row }) => row);
    return [...runs, ...this.#others].sort((a, b) => a.sequence - b.sequence);
  }

  #own(record: AuditRecord, at: number, decision: AuditReportRow['decision']): void {
    if (at < this.#from) return;
    const run = decision === 'denied' ? record.subject : undefined;
    const row = { ...emptyRow(record, at), decision, run };
    tell(row, record.data);
    this.#others.push(row);
  }

  #ofRun(record: AuditRecord, at: number, run: string): void {
    const folded = this.#runs.get(run) ?? { row: { ...emptyRow(record, at), run }, inPeriod: false };
    this.#runs.set(run, folded);
    folded.inPeriod ||= at >= this.#from;
    tellOfRun(folded.row, record, at);
    if (record.type.endsWith('.run.end') && !folded.inPeriod) this.#runs.delete(run);
  }
}

function emptyRow({ sequence }: AuditRecord, at: number): Draft {
  const lists = { claimed: [], reasons: [], secrets: [], inputs: [], outputs: [], cancelledBy: [] };
  return { at, sequence: Number(sequence), decision: 'allowed', attempts: 0, ...lists };
}

/** How a request ends that began no run: its key had one already, the queue was full, the store failed. */
const NO_RUN: ReadonlySet<string> = new Set(['exists', 'refused', 'failed']);

function tellOfRun(row: Draft, { type, data }: AuditRecord, at: number): void {
  if (type.includes('.cancel.')) {
    const who = fields(data['caller']);
    row.cancelledBy = union(row.cancelledBy, join(text(who['issuer']), ' ', text(who['subject'])));
    return;
  }
  tell(row, data);
  const result = text(data['result']);
  if (type.endsWith('.run.create.outcome') && result !== undefined && NO_RUN.has(result)) row.state = result;
  if (type.endsWith('.run.start.intent')) row.attempts = Math.max(row.attempts + 1, Number(data['attempt']) || 0);
  if (!type.endsWith('.run.end')) return;
  row.state = text(data['state']) ?? row.state;
  row.endedAt = at;
}

/** Who asked and for what stays as it was first told; who ran and what was touched is what came last. */
function tell(row: Draft, data: Fields): void {
  tellCaller(row, fields(data['caller']));
  for (const field of ['key', 'role', 'module', 'task', 'policy', 'binding'] as const) row[field] ??= text(data[field]);
  for (const field of ['workerIdentity', 'unixUser', 'isolation'] as const)
    row[field] = text(data[field]) ?? row[field];
  if (data['wouldAllow'] === false && row.decision === 'allowed') row.decision = 'reported';
  tellCode(row, fields(data['code']));
  row.claimed = union(
    row.claimed,
    ...Object.entries(fields(data['claimed'])).map(([name, value]) => `${name}=${value}`),
  );
  row.reasons = union(
    row.reasons,
    ...items(data['reasons']).map(reasonText),
    text(data['reason']),
    text(data['errorCode']),
  );
  row.secrets = union(row.secrets, ...items(data['secrets']).map(secretText)).filter(isNewestForm);
  row.inputs = union(row.inputs, ...items(data['inputs']).map(datasetText));
  row.outputs = union(row.outputs, ...items(data['outputs']).map(datasetText));
}

function tellCaller(row: Draft, caller: Fields): void {
  const signed = fields(caller['signed']);
  row.issuer ??= text(caller['issuer']);
  row.subject ??= text(caller['subject']);
  row.project ??= text(signed['project']);
  row.pipeline ??= text(signed['pipeline']);
  row.pipelineRun ??= text(signed['run']);
  row.ref ??= text(signed['ref']);
  row.actor ??= text(signed['actor']);
}

function tellCode(row: Draft, code: Fields): void {
  row.codeDigest = text(code['digest']) ?? row.codeDigest;
  row.commit = text(code['commit']) ?? row.commit;
  row.commitProof = text(code['commitProof']) ?? row.commitProof;
}

function reasonText(reason: Fields): string | undefined {
  return join(text(reason['reason']), ' ', join(text(reason['rule']), ' ', text(reason['field'])));
}

function secretText(secret: Fields): string | undefined {
  return join(join(text(secret['vault']), '/', text(secret['name'])), '@', text(secret['version']));
}

/** An intent may not know the version yet: the same secret with one takes its place. */
function isNewestForm(secret: string, _: number, all: readonly string[]): boolean {
  return !all.some((other) => other.startsWith(`${secret}@`));
}

function datasetText(dataset: Fields): string | undefined {
  return join(text(dataset['namespace']), '/', text(dataset['name']));
}

function join(left: string | undefined, by: string, right: string | undefined): string | undefined {
  return left !== undefined && right !== undefined ? `${left}${by}${right}` : (left ?? right);
}

function union(known: readonly string[], ...further: readonly (string | undefined)[]): readonly string[] {
  const added = further.filter((item) => item !== undefined);
  return added.length === 0 ? known : [...new Set([...known, ...added])];
}

function fields(value: JsonValue | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function items(value: JsonValue | undefined): Fields[] {
  return Array.isArray(value) ? value.map((item) => fields(item)) : [];
}

function text(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
