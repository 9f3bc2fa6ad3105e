import type { JsonValue } from '#core/json.ts';
import type { AuditRecord } from './audit-record.ts';
import type { AuditReportFilter, WouldRefuseRow } from './audit-report.ts';

type Fields = Readonly<Record<string, JsonValue | undefined>>;
type Draft = { -readonly [field in keyof WouldRefuseRow]: WouldRefuseRow[field] };

const KINDS: ReadonlyMap<string, WouldRefuseRow['what']> = new Map([
  ['dev.plumbline.run.create.intent', 'run'],
  ['dev.plumbline.run.start.intent', 'run'],
  ['dev.plumbline.luigid.worker.registered', 'worker'],
  ['dev.plumbline.identity.rejected', 'task'],
  ['dev.plumbline.luigid.refused', 'luigid'],
  // The first request of a pipeline run has the decision; those that repeat it have none.
  ['dev.plumbline.dispatch.queue.intent', 'pipeline'],
]);
/** More than a person goes through; what comes on top is counted. */
const MOST_ROWS = 10_000;

/** Puts together what passed only because a binding reports: runs, registered workers, tokens of tasks, calls to luigid, pipelines. */
export class WouldRefuseFold {
  readonly #from: number;
  readonly #to: number;
  readonly #rows = new Map<string, Draft>();
  /** Runs that are counted: one is decided on at its creation and again at its start. */
  readonly #decided = new Set<string>();
  omitted = 0;

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
  }

  add(record: AuditRecord): void {
    const what = KINDS.get(record.type);
    const at = Date.parse(record.time);
    if (what === undefined || at < this.#from || at >= this.#to || !passedByReport(what, record.data)) return;
    if (what === 'run' && this.#isCounted(record.subject ?? '')) return;
    const row = rowOf(what, record.data, at);
    const { first: _, last: __, count: ___, ...kind } = row;
    const key = JSON.stringify(kind);
    const known = this.#rows.get(key);
    if (known === undefined && this.#rows.size >= MOST_ROWS) this.omitted += row.count;
    else this.#rows.set(key, known ? { ...known, last: at, count: known.count + row.count } : row);
  }

  /** Most often first. */
  rows(filter: AuditReportFilter = {}): WouldRefuseRow[] {
    const rows = [...this.#rows.values()].filter((row) => isWanted(row, filter));
    return rows.sort((a, b) => b.count - a.count || a.first - b.first);
  }

  #isCounted(run: string): boolean {
    if (this.#decided.has(run)) return true;
    this.#decided.add(run);
    return false;
  }
}

function passedByReport(what: WouldRefuseRow['what'], data: Fields): boolean {
  if (what === 'luigid') return data['allowed'] === true;
  return data['allowed'] === true && data['wouldAllow'] === false;
}

function rowOf(what: WouldRefuseRow['what'], data: Fields, at: number): Draft {
  const caller = fields(data['caller']);
  return {
    what,
    binding: text(data['binding']),
    role: text(data['role']),
    issuer: text(caller['issuer']),
    subject: text(caller['subject']),
    address: text(data['address']),
    worker: workerName(data),
    call: callOf(what, data),
    namespace: text(data['namespace']),
    reason: reasonOf(data),
    first: at,
    last: at,
    count: Math.max(1, Math.floor(Number(data['count'])) || 1),
  };
}

function callOf(what: WouldRefuseRow['what'], data: Fields): string | undefined {
  if (what === 'luigid') return text(data['method']);
  if (what === 'task') return text(data['family']);
  if (what === 'pipeline') {
    const { organization, project, pipeline, ref } = data;
    return `${organization}/${project}/${pipeline} ${ref}`;
  }
  return [text(data['module']), text(data['task'])].filter(Boolean).join('.') || undefined;
}

const OWN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.\d+/;
const LUIGI_ID = /^Worker\(.*?\bhost=([^,)]*)(?:.*?\busername=([^,)]*))?/;

/**
 * A worker without a credential says where it runs and as whom: Luigi's own id is another for each process. One of this
 * gateway is told by role and binding.
 */
function workerName(data: Fields): string | undefined {
  const id = text(data['worker']);
  if (id === undefined || OWN_ID.test(id)) return undefined;
  const [, host, user] = LUIGI_ID.exec(id) ?? [];
  return host === undefined ? id : [user, host].filter(Boolean).join('@');
}

/** The words of a decision, each once; or the one word of a call or an exchange. */
function reasonOf(data: Fields): string {
  const reasons = Array.isArray(data['reasons']) ? data['reasons'].map((reason) => fields(reason)) : [];
  const words = reasons.map((reason) => [text(reason['reason']), text(reason['field'])].filter(Boolean).join(' '));
  const own = [text(data['reason']), text(data['of'])].filter(Boolean).join(' ');
  return [...new Set(words.length > 0 ? words : [own])].join(', ');
}

const FIELDS = ['binding', 'role', 'issuer', 'subject'] as const;

/** A filter by what such a row does not have leaves it out. */
function isWanted(row: WouldRefuseRow, filter: AuditReportFilter): boolean {
  const asked = Object.entries(filter).filter(([, wanted]) => wanted !== undefined);
  return asked.every(([name, wanted]) => {
    if (name === 'decision') return wanted === 'reported';
    const field = FIELDS.find((one) => one === name);
    return field !== undefined && row[field] === wanted;
  });
}

function fields(value: JsonValue | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
