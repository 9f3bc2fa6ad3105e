import { commitUrl } from '#core/commit-url.ts';
import { type Provenance, stageName } from '#core/provenance.ts';
import type { Finding, RunOutcome, TaskState } from '#core/run.ts';
import { indexDatasets } from './build-datasets.ts';
import { buildTasks } from './build-tasks.ts';
import { buildCount, buildFrame, buildParameters, buildTime } from './build-values.ts';
import { CAPS, cutText } from './caps.ts';
import type {
  Cut,
  GatewayFacts,
  IdentityFacts,
  LineageReceipt,
  Report,
  ReportFinding,
  ReportPipeline,
  ReportRun,
  ReportSource,
  SecretUse,
} from './schema.ts';

/** What a report tells beside outcome and provenance. */
export interface ReportFacts {
  /** The id of the run with its suffix (`RunRef.id`). */
  readonly runId: string;
  /** The task family that was asked for. */
  readonly workflow: string;
  readonly producerVersion: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** The page of the run at its engine. */
  readonly engineUrl?: string | undefined;
  /** By which other systems name the story that this run belongs to. */
  readonly sharedId?: string | undefined;
  readonly identity?: IdentityFacts | undefined;
  readonly gateway?: GatewayFacts | undefined;
  readonly secrets?: readonly SecretUse[] | undefined;
  readonly lineage?: LineageReceipt | undefined;
  /** What lineage left out. */
  readonly lineageCut?: readonly Cut[] | undefined;
}

/** The report of a run that ended, cut to {@link CAPS}; what was cut is counted in `cut`. */
export function buildReport(outcome: RunOutcome, provenance: Provenance, facts: ReportFacts): Report {
  const datasets = indexDatasets(outcome.tasks);
  const { checkout } = provenance.source;
  const tasks = buildTasks(outcome, datasets, checkout);
  const secrets = facts.secrets ?? [];
  return {
    schema: 'plumbline-report',
    version: 1,
    producer: { name: 'plumbline', version: cutText(facts.producerVersion, CAPS.name) },
    createdAt: buildTime(facts.createdAt) ?? 0,
    run: buildRun(outcome, facts),
    pipeline: buildPipeline(provenance),
    counts: countStates(outcome),
    tasks,
    findings: outcome.findings.slice(0, CAPS.findings).map((finding) => buildFinding(finding, checkout)),
    datasets: datasets.datasets,
    ...(facts.identity && { identity: buildIdentity(facts.identity) }),
    ...(facts.gateway && { gateway: buildGateway(facts.gateway) }),
    secrets: secrets.slice(0, CAPS.secrets).map(buildSecret),
    ...(facts.lineage && { lineage: buildLineage(facts.lineage) }),
    cut: [
      ...cuts('tasks', tasks.length, outcome.tasks.length),
      ...cuts('findings', CAPS.findings, outcome.findings.length),
      ...cuts('datasets', datasets.datasets.length, datasets.total),
      ...cuts('secrets', CAPS.secrets, secrets.length),
      ...(facts.lineageCut ?? []),
    ],
  };
}

function buildRun(outcome: RunOutcome, { runId, workflow, engineUrl, sharedId }: ReportFacts): ReportRun {
  const root = outcome.tasks.find(({ id }) => id === outcome.rootTaskId);
  const { name, version } = outcome.engine;
  return {
    id: cutText(runId, CAPS.name),
    workflow: cutText(root?.family ?? workflow, CAPS.name),
    ...(outcome.rootTaskId !== undefined && { rootTaskId: cutText(outcome.rootTaskId, CAPS.name) }),
    state: outcome.state,
    verified: outcome.verified,
    ...(outcome.summary && { summary: cutText(outcome.summary, CAPS.message) }),
    adopted: outcome.adopted,
    parameters: buildParameters(root?.parameters ?? {}),
    engine: { name: cutText(name, CAPS.name), ...(version && { version: cutText(version, CAPS.name) }) },
    ...optionalText('url', engineUrl),
    ...optionalText('sharedId', sharedId),
    startedAt: buildTime(outcome.startedAt) ?? 0,
    endedAt: buildTime(outcome.endedAt) ?? 0,
  };
}

function buildPipeline(provenance: Provenance): ReportPipeline {
  const { organization, project, pipeline, run, stage, job, step } = provenance;
  return {
    organization: cutText(organization, CAPS.name),
    project: cutText(project.name, CAPS.name),
    kind: provenance.kind,
    name: cutText(pipeline.name, CAPS.name),
    runName: cutText(run.name, CAPS.name),
    runId: cutText(run.id, CAPS.name),
    runUrl: cutText(run.url, CAPS.name),
    ...optionalText('reason', provenance.reason),
    ...optionalText('stage', stageName(provenance)),
    ...(stage && { stageAttempt: buildCount(stage.attempt) }),
    job: cutText(job.name, CAPS.name),
    jobAttempt: buildCount(job.attempt),
    step: cutText(step.name, CAPS.name),
    ...optionalText('environment', provenance.environment),
    source: buildSource(provenance),
  };
}

function buildSource({ source }: Provenance): ReportSource {
  return {
    ...optionalText('provider', source.provider),
    ...optionalText('repository', source.repositoryName ?? source.repositoryUrl),
    ...optionalText('commit', source.commit),
    ...optionalText('commitUrl', commitUrl(source)),
    ...optionalText('branch', source.pullRequest?.sourceBranch ?? source.branch),
    ...optionalText('tag', source.tag),
    ...optionalText('pullRequest', source.pullRequest?.id),
    ...optionalText('pullRequestCommit', source.pullRequest?.sourceCommit),
    ...(source.dirty !== undefined && { dirty: source.dirty }),
  };
}

function countStates({ tasks }: RunOutcome): Partial<Record<TaskState, number>> {
  const counts: Partial<Record<TaskState, number>> = {};
  for (const { state } of tasks) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function buildFinding(finding: Finding, checkout: string | undefined): ReportFinding {
  const { severity, code, message, remedy, taskId, frame } = finding;
  return {
    severity,
    code,
    message: cutText(message, CAPS.message),
    ...(remedy !== undefined && { remedy: cutText(remedy, CAPS.message) }),
    ...optionalText('taskId', taskId),
    ...(frame && { frame: buildFrame(frame, checkout) }),
  };
}

function buildIdentity({ kind, connection, ...texts }: IdentityFacts): IdentityFacts {
  return {
    kind,
    connection: { id: cutText(connection.id, CAPS.name), ...optionalText('name', connection.name) },
    ...optionalText('clientId', texts.clientId),
    ...optionalText('tenantId', texts.tenantId),
    ...optionalText('issuer', texts.issuer),
    ...optionalText('subject', texts.subject),
  };
}

function buildGateway({ authentication, starts, code, ...texts }: GatewayFacts): GatewayFacts {
  return {
    url: cutText(texts.url, CAPS.name),
    runId: cutText(texts.runId, CAPS.name),
    authentication,
    role: cutText(texts.role, CAPS.name),
    ...optionalText('binding', texts.binding),
    policy: cutText(texts.policy, CAPS.name),
    mode: cutText(texts.mode, CAPS.name),
    isolation: cutText(texts.isolation, CAPS.name),
    starts: buildCount(starts),
    ...(code && {
      code: {
        kind: cutText(code.kind, CAPS.name),
        ...optionalText('digest', code.digest),
        ...optionalText('version', code.version),
        ...optionalText('commit', code.commit),
        ...optionalText('commitProof', code.commitProof),
      },
    }),
  };
}

function buildLineage({ namespace, stepRunId, workflowRunId, events, sink }: LineageReceipt): LineageReceipt {
  return { namespace: cutText(namespace, CAPS.name), stepRunId, workflowRunId, events: buildCount(events), sink };
}

/** Field by field: whoever hands over more than a name must not get it published. */
function buildSecret({ vault, name, version, target }: SecretUse): SecretUse {
  return {
    vault: cutText(vault, CAPS.name),
    name: cutText(name, CAPS.name),
    ...optionalText('version', version),
    ...optionalText('target', target),
  };
}

function optionalText<Name extends string>(name: Name, text: string | undefined): { readonly [Key in Name]?: string } {
  return (text === undefined ? {} : { [name]: cutText(text, CAPS.name) }) as { readonly [Key in Name]?: string };
}

function cuts(what: Cut['what'], kept: number, total: number): Cut[] {
  return kept < total ? [{ what, kept, total }] : [];
}
