import { MappingReader } from './mapping-reader.ts';
import type { JobSpec, Located, MatrixLeg } from './pipeline-model.ts';
import type { Problem } from './position.ts';
import { readSteps } from './read-steps.ts';
import { readVariables } from './read-variables.ts';
import type { YamlNode } from './yaml-node.ts';

/** Where a reader puts what is read but has no effect. */
export interface ReadContext {
  readonly problems: Problem[];
  readonly notes: Located[];
}

const DEFAULT_TIMEOUT = 60;
const DEFAULT_CANCEL_TIMEOUT = 5;

export function readJob(node: YamlNode, context: ReadContext): JobSpec {
  const reader = new MappingReader(node, 'a job', context.problems);
  const kind = reader.node.entries.some(({ key }) => key.text === 'deployment') ? 'deployment' : 'job';
  const name = reader.located(kind);
  const strategy = reader.take('strategy');
  const job: JobSpec = {
    ...frame(reader, name?.text ?? '', context),
    kind,
    environment: kind === 'deployment' ? readEnvironment(reader) : undefined,
    matrix: kind === 'job' ? readMatrix(strategy, context) : [],
    steps: kind === 'job' ? readJobSteps(reader, context.problems) : readDeploymentSteps(strategy, reader, context),
  };
  if (!name) context.problems.push({ at: node.at, message: "Expected a job: it needs 'job' or 'deployment'." });
  reader.close();
  return job;
}

/** The one job of a pipeline whose root has only steps. */
export function readRootJob(reader: MappingReader, context: ReadContext): JobSpec {
  const matrix = readMatrix(reader.take('strategy'), context);
  const name = reader.text('job') || 'Job';
  const job = frame(reader, name, context);
  return {
    ...job,
    displayName: name,
    variables: [],
    kind: 'job',
    environment: undefined,
    matrix,
    steps: readJobSteps(reader, context.problems),
  };
}

function frame(
  reader: MappingReader,
  name: string,
  { problems, notes }: ReadContext,
): Omit<JobSpec, 'kind' | 'environment' | 'matrix' | 'steps'> {
  const pool = reader.take('pool');
  if (pool) notes.push({ text: "'pool' has no effect: this machine is the agent.", at: pool.at });
  reader.take('workspace');
  return {
    at: reader.node.at,
    name,
    displayName: reader.text('displayName') || name,
    dependsOn: reader.names('dependsOn') ?? [],
    condition: reader.located('condition'),
    continueOnError: reader.flag('continueOnError', false),
    timeoutInMinutes: reader.count('timeoutInMinutes', DEFAULT_TIMEOUT),
    cancelTimeoutInMinutes: reader.count('cancelTimeoutInMinutes', DEFAULT_CANCEL_TIMEOUT),
    variables: readVariables(reader.take('variables'), problems),
  };
}

/** Every job begins with `checkout: self` unless it has a checkout step of its own. */
function readJobSteps(reader: MappingReader, problems: Problem[]): JobSpec['steps'] {
  const nodes = reader.items('steps');
  const own = nodes.some((node) => node.kind === 'mapping' && node.entries.some(({ key }) => key.text === 'checkout'));
  return readSteps(own ? nodes : [implicitCheckout(reader.node), ...nodes], problems);
}

function implicitCheckout({ at }: YamlNode): YamlNode {
  return {
    kind: 'mapping',
    entries: [{ key: { kind: 'scalar', text: 'checkout', at }, value: { kind: 'scalar', text: 'self', at } }],
    at,
  };
}

/** A deployment job checks out nothing by itself. Only `runOnce.deploy` is run here. */
function readDeploymentSteps(
  strategy: YamlNode | undefined,
  reader: MappingReader,
  { problems }: ReadContext,
): JobSpec['steps'] {
  if (!strategy) {
    problems.push({ at: reader.node.at, message: "A deployment job needs 'strategy: runOnce: deploy: steps'." });
    return [];
  }
  const outer = new MappingReader(strategy, 'a deployment strategy', problems);
  const once = new MappingReader(
    outer.take('runOnce') ?? strategy,
    'runOnce',
    outer.node.entries.some(({ key }) => key.text === 'runOnce') ? problems : [],
  );
  const deploy = new MappingReader(
    once.take('deploy') ?? strategy,
    'deploy',
    once.node.entries.some(({ key }) => key.text === 'deploy') ? problems : [],
  );
  const steps = readSteps(deploy.items('steps'), problems);
  deploy.take('pool');
  for (const level of [outer, once, deploy]) level.close();
  return steps;
}

function readEnvironment(reader: MappingReader): JobSpec['environment'] {
  const node = reader.take('environment');
  if (!node) {
    reader.problems.push({ at: reader.node.at, message: "A deployment job needs an 'environment'." });
    return undefined;
  }
  if (node.kind === 'scalar') {
    const [name = '', resourceName] = node.text.split('.');
    return { name, resourceName };
  }
  const inner = new MappingReader(node, 'an environment', reader.problems);
  const environment = { name: inner.text('name') ?? '', resourceName: inner.text('resourceName') };
  inner.take('resourceType');
  inner.close();
  return environment;
}

function readMatrix(strategy: YamlNode | undefined, { problems, notes }: ReadContext): MatrixLeg[] {
  if (!strategy) return [];
  const reader = new MappingReader(strategy, 'a strategy', problems);
  const most = reader.take('maxParallel');
  if (most) notes.push({ text: "'maxParallel' has no effect: one job runs at a time.", at: most.at });
  const matrix = reader.take('matrix');
  reader.close();
  if (matrix?.kind === 'mapping')
    return matrix.entries.map(({ key, value }) => ({ name: key.text, variables: readVariables(value, problems) }));
  if (matrix)
    problems.push({ at: matrix.at, message: 'The local pipeline needs the legs of a matrix written out as a map.' });
  return [];
}
