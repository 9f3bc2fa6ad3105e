import { describedBuild } from './build-api.ts';
import { invalidArgument } from './devops-error.ts';
import type { Reply } from './exchange.ts';
import { type MemberCall, mayView, projectOf } from './member-call.ts';
import type { PipelineRun } from './pipeline-run.ts';

const DEFAULT_TOP = 1_000;
const MOST = 5_000;
const TIMES = { queueTime: 'queuedAt', startTime: 'startedAt', finishTime: 'endedAt' } as const;
type TimeName = keyof typeof TIMES;
const ORDER = /^(queueTime|startTime|finishTime)(Ascending|Descending)$/;
const KNOWN = new Set([
  'definitions',
  'buildIds',
  'minTime',
  'maxTime',
  'statusFilter',
  'resultFilter',
  'reasonFilter',
  'tagFilters',
  'branchName',
  'queryOrder',
  '$top',
  'continuationToken',
  'api-version',
]);

/**
 * Builds of a project that the caller sees, by the parameters of the real list. Times are compared with the time that the order is by.
 *
 * @throws DevOpsError 400 for a parameter that is none, or is not served here
 */
export function listedBuilds(call: MemberCall): Reply {
  const project = projectOf(call);
  const { searchParams } = call.request.url;
  for (const name of searchParams.keys())
    if (!KNOWN.has(name)) throw invalidArgument(`The parameter ${name} is not supported.`);
  const { by, isDescending } = orderOf(searchParams.get('queryOrder') ?? 'queueTimeDescending');
  const found = call.runs
    .all()
    .filter((run) => run.project.id === project.id && mayView(call, run) && matches(run, searchParams, by));
  const sorted = found.toSorted((a, b) => (timeOf(a, by) - timeOf(b, by)) * (isDescending ? -1 : 1));
  return page(call, isDescending ? stable(sorted) : sorted);
}

/** Of two that were queued in one millisecond the later number is the newer. */
function stable(runs: readonly PipelineRun[]): readonly PipelineRun[] {
  return runs.toSorted((a, b) => (a.queuedAt === b.queuedAt ? b.facts.buildId - a.facts.buildId : 0));
}

function page(call: MemberCall, runs: readonly PipelineRun[]): Reply {
  const { searchParams } = call.request.url;
  const top = numberOf(searchParams.get('$top'), '$top') ?? DEFAULT_TOP;
  const from = numberOf(searchParams.get('continuationToken'), 'continuationToken') ?? 0;
  if (top < 1 || top > MOST) throw invalidArgument(`The value of $top must be between 1 and ${MOST}.`);
  const part = runs.slice(from, from + top);
  const isMore = from + top < runs.length;
  const value = part.map((run) => describedBuild({ run, world: call.world }));
  return {
    status: 200,
    headers: isMore ? { 'x-ms-continuationtoken': String(from + top) } : {},
    body: { count: value.length, value },
  };
}

function matches(run: PipelineRun, query: URLSearchParams, by: TimeName): boolean {
  const { facts, status, result, tags } = run;
  const [after, before] = ['minTime', 'maxTime'].map((name) => dateOf(query.get(name), name));
  const at = timeOf(run, by);
  return (
    isOneOf(query.get('definitions'), String(facts.definitionId)) &&
    isOneOf(query.get('buildIds'), String(facts.buildId)) &&
    isOneOf(query.get('branchName'), facts.branch) &&
    isWord(query.get('statusFilter'), status) &&
    isWord(query.get('resultFilter'), result ?? 'none') &&
    isWord(query.get('reasonFilter'), facts.reason) &&
    (query.get('tagFilters') ?? '').split(',').every((tag) => tag === '' || tags.has(tag)) &&
    (after === undefined || at >= after) &&
    (before === undefined || at <= before)
  );
}

function isOneOf(wanted: string | null, value: string): boolean {
  return wanted === null || wanted.split(',').includes(value);
}

/** Enumerations are flags: several may be named. */
function isWord(wanted: string | null, value: string): boolean {
  const words = wanted?.toLowerCase().split(',') ?? ['all'];
  return words.includes('all') || words.includes(value.toLowerCase());
}

function timeOf(run: PipelineRun, by: TimeName): number {
  return run[TIMES[by]] ?? Number.NEGATIVE_INFINITY;
}

function orderOf(text: string): { by: TimeName; isDescending: boolean } {
  const [, by, way] = ORDER.exec(text) ?? [];
  if (by === undefined) throw invalidArgument(`The query order ${text} is not valid.`);
  return { by: by as TimeName, isDescending: way === 'Descending' };
}

function dateOf(text: string | null, name: string): number | undefined {
  if (text === null) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw invalidArgument(`The value '${text}' is not valid for ${name}.`);
  return at;
}

function numberOf(text: string | null, name: string): number | undefined {
  if (text === null) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalidArgument(`The value '${text}' is not valid for ${name}.`);
  return Number(text);
}
