import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { type Clock, systemClock } from '#core/clock.ts';
import { buildNumber } from './build-number.ts';
import { derivedGuid } from './derived-guid.ts';
import { readSourceFacts, type SourceFacts } from './git-facts.ts';
import { loadPipeline } from './load-pipeline.ts';
import type { NodeBinaries, NodeMajor } from './node-handlers.ts';
import type { PipelineListener } from './pipeline-listener.ts';
import { type PipelineReport, pipelineReport } from './pipeline-report.ts';
import type { PipelineServices, RunFacts } from './pipeline-services.ts';
import { planPipeline } from './plan.ts';
import { formatPosition } from './position.ts';
import { runVariables } from './predefined-variables.ts';
import type { RunContext } from './run-context.ts';
import { RunPublications } from './run-publications.ts';
import { runStages } from './run-stages.ts';
import { SecretMasker } from './secret-masker.ts';
import { TaskCatalog } from './task-catalog.ts';
import { installVsix } from './vsix.ts';
import { makeWorkDirectories } from './work-directories.ts';

export interface PipelineOptions {
  /** The azure-pipelines.yml. */
  readonly file: string;
  /** The built extension; without it a pipeline has no tasks but scripts. */
  readonly vsix?: string | undefined;
  /** Where log and attachments go. */
  readonly out: string;
  readonly nodes: NodeBinaries;
  /** Runs every task on this Node whatever handlers it has. */
  readonly node?: NodeMajor | undefined;
  readonly services?: PipelineServices | undefined;
  /** Set when the run is queued; they win over predefined variables. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  readonly secretVariables?: Readonly<Record<string, string>> | undefined;
  /** Template parameters: text, or YAML for lists and maps. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  readonly listener?: PipelineListener | undefined;
  /** Aborted: the run is cancelled as by its Cancel button. */
  readonly cancelled?: AbortSignal | undefined;
  /** Aborted: no further step runs, not even `always()`; what runs is ended. */
  readonly stopped?: AbortSignal | undefined;
  /** What every process inherits. @default the harmless part of this process's environment */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly clock?: Clock | undefined;
}

/** Variables of this process that a service account has too; no proxy, no certificate, no Node option. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'];

/** What stands for an organisation when no services are given. */
const NO_SERVICES: Pick<PipelineServices, 'organization' | 'project'> = {
  organization: { name: 'local', id: derivedGuid('organization', 'local'), url: 'https://dev.azure.com/local/' },
  project: { name: 'local', id: derivedGuid('project', 'local') },
};

/**
 * Runs a pipeline file on this machine with the contract of an Azure Pipelines agent.
 *
 * @returns how it ended, step by step; a failed or cancelled run is no error
 * @throws PipelineFileError before anything has started, when the file cannot run as it is written
 */
export async function runPipeline(options: PipelineOptions): Promise<PipelineReport> {
  const startedAt = new Date((options.clock ?? systemClock).now());
  const source = readSourceFacts(options.file);
  const directories = makeWorkDirectories();
  try {
    const catalog = new TaskCatalog(options.vsix ? installVsix(options.vsix, directories.tasks) : []);
    const facts = runFacts(options, source, startedAt);
    const { organization, project } = options.services ?? NO_SERVICES;
    const predefined = runVariables({ run: facts, source, services: { organization, project }, startedAt });
    const before = { ...predefined, ...options.variables };
    const spec = loadPipeline(options.file, {
      root: source.root,
      variables: before,
      parameters: options.parameters ?? {},
    });
    const connections = options.services?.connections() ?? [];
    const known = new Map(Object.entries(before).map(([name, value]) => [name.toLowerCase(), value]));
    const plan = planPipeline(spec, { catalog, connections, known });
    const number =
      options.variables?.['Build.BuildNumber'] ??
      buildNumber(spec.name, startedAt, (name) => staticValue(name, known, spec.variables));
    const run = { ...facts, buildNumber: number };
    const log = openLog(options.out);
    try {
      const context: RunContext = {
        ...contextOf(options, run, source),
        connections,
        directories,
        runVariables: predefined,
        write: log.write,
      };
      for (const { text, at } of [...spec.notes, ...plan.notes])
        context.listener({ kind: 'note', text: `${formatPosition(at)}: ${text}` });
      options.services?.beginRun(run);
      const result = await runStages(context, plan.stages);
      return pipelineReport(context, result, options.out, log.file);
    } finally {
      log.close();
    }
  } finally {
    rmSync(directories.root, { recursive: true, force: true });
  }
}

function staticValue(
  name: string,
  known: ReadonlyMap<string, string>,
  settings: readonly { name: string; value: { text: string } }[],
): string | undefined {
  const own = settings.findLast((setting) => setting.name.toLowerCase() === name.toLowerCase());
  return own?.value.text ?? known.get(name.toLowerCase());
}

function runFacts({ file, variables = {} }: PipelineOptions, source: SourceFacts, startedAt: Date): RunFacts {
  const given = new Map(Object.entries(variables).map(([name, value]) => [name.toLowerCase(), value]));
  const take = (name: string, fallback: string) => given.get(name.toLowerCase()) ?? fallback;
  const buildId = take('Build.BuildId', String(Math.floor(startedAt.getTime() / 100) % 1_000_000_000));
  const planId = take('System.PlanId', derivedGuid('plan', buildId));
  return {
    buildId: Number(buildId),
    buildNumber: take('Build.BuildNumber', ''),
    definitionId: Number(take('System.DefinitionId', '1')),
    definitionName: take('Build.DefinitionName', path.basename(path.dirname(path.resolve(file)))),
    planId,
    timelineId: take('System.TimelineId', planId),
    repository: {
      id: take('Build.Repository.Id', source.repository.id),
      name: take('Build.Repository.Name', source.repository.name),
      type: take('Build.Repository.Provider', source.repository.type),
      url: take('Build.Repository.Uri', source.repository.url),
    },
    branch: take('Build.SourceBranch', source.branch),
    commit: take('Build.SourceVersion', source.commit),
    reason: take('Build.Reason', 'Manual'),
  };
}

type ContextHere = Omit<RunContext, 'connections' | 'directories' | 'runVariables' | 'write'>;

function contextOf(options: PipelineOptions, run: RunFacts, source: SourceFacts): ContextHere {
  const masker = new SecretMasker();
  for (const value of Object.values(options.secretVariables ?? {})) masker.addVariable(value);
  const never = new AbortController().signal;
  return {
    run,
    source,
    services: options.services,
    queueVariables: options.variables ?? {},
    secretVariables: options.secretVariables ?? {},
    masker,
    publications: new RunPublications(run.buildNumber),
    records: [],
    finalVariables: [],
    listener: options.listener ?? (() => {}),
    clock: options.clock ?? systemClock,
    cancelled: options.cancelled ?? never,
    stopped: options.stopped ?? never,
    nodes: options.nodes,
    forcedNode: options.node,
    inherited: { ...(options.environment ?? inheritedEnvironment()), ...machineIdentity(options.services) },
  };
}

function inheritedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] ?? '']])),
  );
}

/** An identity belongs to the machine, so every process of the agent inherits it. */
function machineIdentity(services: PipelineServices | undefined): Record<string, string> {
  const identity = services?.managedIdentity;
  return identity ? { IDENTITY_ENDPOINT: identity.endpoint, IDENTITY_HEADER: identity.header } : {};
}

function openLog(out: string): { file: string; write: (line: string) => void; close: () => void } {
  mkdirSync(out, { recursive: true });
  const file = path.join(out, 'log.txt');
  const descriptor = openSync(file, 'w', 0o600);
  const write = (line: string) => writeSync(descriptor, `${new Date().toISOString()} ${line}\n`);
  return { file, write, close: () => closeSync(descriptor) };
}
