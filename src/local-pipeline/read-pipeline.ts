import { MappingReader } from './mapping-reader.ts';
import { DEFAULT_NAME, type JobSpec, type Located, type PipelineSpec, type StageSpec } from './pipeline-model.ts';
import { PipelineFileError, type Problem } from './position.ts';
import { type ReadContext, readJob, readRootJob } from './read-jobs.ts';
import { readVariables } from './read-variables.ts';
import type { YamlNode } from './yaml-node.ts';

const BUILD_NUMBER = '$(Date:yyyyMMdd).$(Rev:r)';

/**
 * The pipeline that an expanded document describes.
 * @throws PipelineFileError with every problem: unknown keys, wrong kinds of values, names that do not exist
 */
export function readPipeline(node: YamlNode): PipelineSpec {
  const problems: Problem[] = [];
  const notes: Located[] = [];
  const context: ReadContext = { problems, notes };
  const reader = new MappingReader(node, 'a pipeline', problems);
  for (const trigger of ['trigger', 'pr', 'schedules', 'parameters', 'appendCommitMessageToRunName'])
    reader.take(trigger);
  const spec: PipelineSpec = {
    file: node.at.file,
    name: reader.text('name') || BUILD_NUMBER,
    variables: readVariables(reader.take('variables'), problems),
    stages: readStages(reader, context),
    notes,
  };
  reader.close();
  checkDependencies(spec.stages, 'stage', problems);
  for (const { jobs } of spec.stages) checkDependencies(jobs, 'job', problems);
  if (problems.length > 0) throw new PipelineFileError(problems);
  return spec;
}

/** A root with stages, or with jobs, or with steps only. */
function readStages(reader: MappingReader, context: ReadContext): StageSpec[] {
  const has = (name: string) => reader.node.entries.some(({ key }) => key.text === name);
  if (has('stages')) {
    const pool = reader.take('pool');
    if (pool) context.notes.push({ text: "'pool' has no effect: this machine is the agent.", at: pool.at });
    return chain(reader.items('stages').map((node) => readStage(node, context)));
  }
  if (!has('jobs') && !has('steps'))
    context.problems.push({ at: reader.node.at, message: "A pipeline needs 'stages', 'jobs' or 'steps'." });
  const jobs = has('jobs')
    ? reader.items('jobs').map((node) => readJob(node, context))
    : [readRootJob(reader, context)];
  const pool = has('jobs') && reader.take('pool');
  if (pool) context.notes.push({ text: "'pool' has no effect: this machine is the agent.", at: pool.at });
  return [
    {
      at: reader.node.at,
      name: DEFAULT_NAME,
      displayName: DEFAULT_NAME,
      dependsOn: [],
      condition: undefined,
      variables: [],
      jobs,
    },
  ];
}

type UnchainedStage = Omit<StageSpec, 'dependsOn'> & { readonly dependsOn: readonly Located[] | undefined };

/** A stage that does not say what it depends on depends on the one before it. */
function chain(stages: readonly UnchainedStage[]): StageSpec[] {
  return stages.map((stage, index) => {
    const before = stages[index - 1];
    return { ...stage, dependsOn: stage.dependsOn ?? (before ? [{ text: before.name, at: stage.at }] : []) };
  });
}

function readStage(node: YamlNode, context: ReadContext): UnchainedStage {
  const reader = new MappingReader(node, 'a stage', context.problems);
  const name = reader.text('stage');
  if (name === undefined) context.problems.push({ at: node.at, message: "Expected a stage: it needs 'stage'." });
  const pool = reader.take('pool');
  if (pool) context.notes.push({ text: "'pool' has no effect: this machine is the agent.", at: pool.at });
  const stage: UnchainedStage = {
    at: node.at,
    name: name ?? '',
    displayName: reader.text('displayName') || (name ?? ''),
    dependsOn: reader.names('dependsOn'),
    condition: reader.located('condition'),
    variables: readVariables(reader.take('variables'), context.problems),
    jobs: reader.items('jobs').map((job) => readJob(job, context)),
  };
  reader.close();
  return stage;
}

/** Names are unique and dependencies name others without a cycle. */
function checkDependencies(nodes: readonly (StageSpec | JobSpec)[], what: 'stage' | 'job', problems: Problem[]): void {
  const names = new Set<string>();
  for (const { name, at } of nodes) {
    if (names.has(name)) problems.push({ at, message: `Another ${what} is called '${name}'.` });
    names.add(name);
  }
  for (const { dependsOn } of nodes) {
    for (const { text, at } of dependsOn)
      if (!names.has(text)) problems.push({ at, message: `There is no ${what} '${text}' to depend on.` });
  }
  const ordered = inOrder(nodes);
  const stuck = nodes.find((node) => !ordered.includes(node));
  if (stuck?.dependsOn.every(({ text }) => names.has(text)))
    problems.push({ at: stuck.at, message: `The ${what} '${stuck.name}' depends on itself.` });
}

/** Dependencies first, otherwise as written; members of a cycle are left out. */
export function inOrder<Node extends { readonly name: string; readonly dependsOn: readonly Located[] }>(
  nodes: readonly Node[],
): Node[] {
  const ordered: Node[] = [];
  const done = new Set<string>();
  for (let before = -1; before < ordered.length; ) {
    before = ordered.length;
    const next = nodes.find((node) => !done.has(node.name) && node.dependsOn.every(({ text }) => done.has(text)));
    if (next) {
      ordered.push(next);
      done.add(next.name);
    }
  }
  return ordered;
}
