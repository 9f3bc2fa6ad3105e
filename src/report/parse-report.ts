import { TASK_STATES, type TaskState } from '#core/run.ts';
import { CAPS } from './caps.ts';
import {
  DecodeProblem,
  type Decoder,
  finite,
  flag,
  list,
  natural,
  object,
  oneOf,
  optional,
  record,
  text,
} from './decode.ts';
import {
  type Cut,
  DATASET_ROLES,
  type GatewayCode,
  type GatewayFacts,
  type IdentityFacts,
  type LineageReceipt,
  type Report,
  type ReportDataset,
  type ReportFailure,
  type ReportFinding,
  type ReportFrame,
  type ReportPipeline,
  type ReportRun,
  type ReportSource,
  type ReportTask,
  type SecretUse,
} from './schema.ts';

export type ParsedReport =
  | { readonly ok: true; readonly report: Report }
  /** One sentence for the person who looks at the tab. */
  | { readonly ok: false; readonly problem: string };

/**
 * A report from the text of an attachment, which anyone who can run a pipeline can write. Never throws; what comes back
 * has every field of its type within {@link CAPS}, and no others.
 */
export function parseReport(json: string): ParsedReport {
  if (json.length > CAPS.reportSize) return problem(`it is longer than ${CAPS.reportSize} characters`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return problem('it is no JSON');
  }
  if (isNewer(value)) return problem('it was written by a newer version of Plumbline; update the extension');
  try {
    const decoded = report(value, '');
    checkPositions(decoded);
    return { ok: true, report: decoded };
  } catch (error) {
    if (error instanceof DecodeProblem) return problem(error.message);
    throw error;
  }
}

function problem(why: string): ParsedReport {
  return { ok: false, problem: `This report cannot be shown: ${why}.` };
}

function checkPositions({ tasks, datasets }: Report): void {
  const wrong = tasks.findIndex(({ inputs, outputs }) =>
    [...inputs, ...outputs].some((position) => position >= datasets.length),
  );
  if (wrong >= 0) throw new DecodeProblem(`tasks[${wrong}] names a dataset that is not there`);
}

function isNewer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'version' in value && Number(value.version) > 1;
}

const name = text(CAPS.name);
const named = optional(name);
const time = optional(finite);
const parameters = record(text(CAPS.parameterValue), CAPS.parameters);
const taskState = oneOf(...TASK_STATES);

const run = object<ReportRun>({
  id: name,
  workflow: name,
  rootTaskId: named,
  state: oneOf('succeeded', 'failed', 'cancelled', 'lost', 'deadline'),
  verified: oneOf('confirmed', 'unverifiable', 'refuted', 'unknown'),
  summary: optional(text(CAPS.message)),
  adopted: flag,
  parameters,
  engine: object<ReportRun['engine']>({ name, version: named }),
  url: named,
  sharedId: named,
  startedAt: finite,
  endedAt: finite,
});

const source = object<ReportSource>({
  provider: named,
  repository: named,
  commit: named,
  commitUrl: named,
  branch: named,
  tag: named,
  pullRequest: named,
  pullRequestCommit: named,
  dirty: optional(flag),
});

const pipeline = object<ReportPipeline>({
  organization: name,
  project: name,
  kind: oneOf('build', 'release'),
  name,
  runName: name,
  runId: name,
  runUrl: name,
  reason: named,
  stage: named,
  stageAttempt: optional(natural),
  job: name,
  jobAttempt: natural,
  step: name,
  environment: named,
  source,
});

const frame = object<ReportFrame>({ file: name, line: natural, function: name });

const failure = object<ReportFailure>({
  type: name,
  message: text(CAPS.message),
  traceback: text(CAPS.traceback),
  frame: optional(frame),
});

const task = object<ReportTask>({
  id: name,
  family: name,
  module: named,
  parameters,
  state: taskState,
  dependsOn: list(name, CAPS.dependencies),
  startedAt: time,
  endedAt: time,
  attempts: natural,
  failure: optional(failure),
  statusMessage: optional(text(CAPS.message)),
  trackingUrl: named,
  inputs: list(natural, CAPS.taskDatasets),
  outputs: list(natural, CAPS.taskDatasets),
});

const finding = object<ReportFinding>({
  severity: oneOf('error', 'warning'),
  code: name,
  message: text(CAPS.message),
  remedy: optional(text(CAPS.message)),
  taskId: named,
  frame: optional(frame),
});

const dataset = object<ReportDataset>({ namespace: name, name, type: name, role: oneOf(...DATASET_ROLES) });

const identity = object<IdentityFacts>({
  kind: oneOf('federated', 'managed'),
  clientId: named,
  tenantId: named,
  connection: object<IdentityFacts['connection']>({ id: name, name: named }),
  issuer: named,
  subject: named,
});

const gateway = object<GatewayFacts>({
  url: name,
  runId: name,
  authentication: oneOf('entra', 'pipeline'),
  role: name,
  binding: named,
  policy: name,
  mode: name,
  isolation: name,
  starts: natural,
  code: optional(object<GatewayCode>({ kind: name, digest: named, version: named, commit: named, commitProof: named })),
});

const secret = object<SecretUse>({ vault: name, name, version: named, target: named });

const lineage = object<LineageReceipt>({
  namespace: name,
  stepRunId: name,
  workflowRunId: name,
  events: natural,
  sink: oneOf('run', 'file'),
});

const cut = object<Cut>({
  what: oneOf('tasks', 'findings', 'datasets', 'secrets', 'lineage runs', 'lineage datasets'),
  kept: natural,
  total: natural,
});

const counts: Decoder<Report['counts']> = object<{ [State in TaskState]?: number | undefined }>(
  Object.fromEntries(TASK_STATES.map((state) => [state, optional(natural)])) as Record<
    TaskState,
    Decoder<number | undefined>
  >,
) as Decoder<Report['counts']>;

const report = object<Report>({
  schema: oneOf('plumbline-report'),
  version: oneOf(1),
  producer: object<Report['producer']>({ name, version: name }),
  createdAt: finite,
  run,
  pipeline,
  counts,
  tasks: list(task, CAPS.tasks),
  findings: list(finding, CAPS.findings),
  datasets: list(dataset, CAPS.datasets),
  identity: optional(identity),
  gateway: optional(gateway),
  secrets: list(secret, CAPS.secrets),
  lineage: optional(lineage),
  cut: list(cut, 20),
});
