import { MappingReader } from './mapping-reader.ts';
import type { CheckoutStep, ScriptStep, StepSpec, TaskStep } from './pipeline-model.ts';
import type { Problem } from './position.ts';
import type { Restrictions } from './restrictions.ts';
import { scalar, type YamlNode } from './yaml-node.ts';

const KINDS = ['task', 'script', 'bash', 'checkout'] as const;
const NAME = /^[A-Za-z0-9_]+$/;

/** The steps of a job, without the disabled ones; each gets the reference name that the service would give it. */
export function readSteps(nodes: readonly YamlNode[], problems: Problem[]): StepSpec[] {
  const taken = new Set<string>();
  return nodes.map((node) => readStep(node, taken, problems)).filter((step) => step !== undefined);
}

function readStep(node: YamlNode, taken: Set<string>, problems: Problem[]): StepSpec | undefined {
  const reader = new MappingReader(node, 'a step', problems);
  const kind = KINDS.find((candidate) => reader.node.entries.some(({ key }) => key.text === candidate));
  if (!kind) {
    const found = reader.node.entries[0]?.key.text ?? 'nothing';
    problems.push({ at: node.at, message: `The local pipeline runs the steps ${KINDS.join(', ')}, not '${found}'.` });
    return undefined;
  }
  const enabled = reader.flag('enabled', true);
  const step = READERS[kind](reader, taken);
  reader.close();
  return enabled ? step : undefined;
}

const READERS = { task: readTask, script: readScript, bash: readScript, checkout: readCheckout } as const;

function readTask(reader: MappingReader, taken: Set<string>): TaskStep {
  const task = reader.located('task') ?? { text: '', at: reader.node.at };
  const title = task.text.split('@')[0]?.split('.').at(-1) ?? task.text;
  const inputs = reader.take('inputs') ?? scalar('', reader.node.at);
  const given = inputs.kind === 'mapping' ? inputs.entries : [];
  if (inputs.kind === 'sequence' || (inputs.kind === 'scalar' && inputs.text !== ''))
    reader.problems.push({ at: inputs.at, message: "'inputs' must be a map." });
  return {
    ...common(reader, title, taken),
    kind: 'task',
    task,
    inputs: given.map(({ key, value }) => ({
      name: { text: key.text, at: key.at },
      value: { text: inputText(value, reader.problems), at: value.at },
    })),
  };
}

function inputText(node: YamlNode, problems: Problem[]): string {
  if (node.kind === 'scalar') return node.text;
  problems.push({ at: node.at, message: 'The value of an input must be text; write a list or a map as text (|).' });
  return '';
}

function readScript(reader: MappingReader, taken: Set<string>): ScriptStep {
  const script = reader.text('script');
  const kind = script === undefined ? 'bash' : 'script';
  return {
    ...common(reader, kind === 'bash' ? 'Bash' : 'CmdLine', taken),
    kind,
    script: script ?? reader.text('bash') ?? '',
    workingDirectory: reader.text('workingDirectory') || undefined,
    failOnStderr: reader.flag('failOnStderr', false),
  };
}

/** `self` and `none`. How deep or clean to fetch does not matter for a work tree that is already there. */
function readCheckout(reader: MappingReader, taken: Set<string>): CheckoutStep | undefined {
  const repository = reader.located('checkout') ?? { text: '', at: reader.node.at };
  for (const harmless of ['fetchDepth', 'fetchTags', 'lfs', 'persistCredentials']) reader.take(harmless);
  if (reader.flag('clean', false))
    reader.problems.push({ at: reader.node.at, message: "'clean: true' would delete files of your own work tree." });
  if (repository.text !== 'self' && repository.text !== 'none') {
    reader.problems.push({
      at: repository.at,
      message: `The local pipeline checks out 'self' or 'none', not '${repository.text}'.`,
    });
  }
  const facts = common(reader, '__system_checkout', taken);
  return repository.text === 'self' ? { ...facts, displayName: 'Checkout', kind: 'checkout' } : undefined;
}

function common(reader: MappingReader, title: string, taken: Set<string>): Omit<TaskStep, 'kind' | 'task' | 'inputs'> {
  return {
    at: reader.node.at,
    name: referenceName(reader, title, taken),
    displayName: reader.text('displayName') || title,
    condition: reader.located('condition'),
    continueOnError: reader.flag('continueOnError', false),
    env: reader.textMap('env'),
    timeoutInMinutes: reader.count('timeoutInMinutes', 0),
    retryCount: reader.count('retryCountOnTaskFailure', 0),
    target: readTarget(reader.take('target'), reader.problems),
  };
}

/** Given names must be unique in the job; made ones are `CmdLine`, `CmdLine1`, `CmdLine2`, … */
function referenceName(reader: MappingReader, title: string, taken: Set<string>): string {
  const given = reader.located('name');
  if (given && !NAME.test(given.text))
    reader.problems.push({
      at: given.at,
      message: `The name '${given.text}' may have letters, digits and underscores only.`,
    });
  if (given && taken.has(given.text.toLowerCase()))
    reader.problems.push({ at: given.at, message: `Another step of this job is called '${given.text}'.` });
  let name = given?.text || title;
  for (let number = 1; !given && taken.has(name.toLowerCase()); number += 1) name = `${title}${number}`;
  taken.add(name.toLowerCase());
  return name;
}

/** `target: host` or a map; containers are not run here. */
function readTarget(node: YamlNode | undefined, problems: Problem[]): Restrictions | undefined {
  if (!node) return undefined;
  if (node.kind === 'scalar') {
    checkHost(node.text, node, problems);
    return undefined;
  }
  const reader = new MappingReader(node, 'a target', problems);
  checkHost(reader.text('container') ?? 'host', node, problems);
  const mode = reader.located('commands');
  if (mode && mode.text !== 'any' && mode.text !== 'restricted')
    problems.push({ at: mode.at, message: `'commands' is 'any' or 'restricted', not '${mode.text}'.` });
  const allowed = reader.names('settableVariables');
  reader.close();
  const none = allowed?.length === 1 && allowed[0]?.text === 'none';
  return {
    commands: mode?.text === 'restricted' ? 'restricted' : 'any',
    settableVariables: none ? [] : allowed?.map(({ text }) => text),
  };
}

function checkHost(target: string, { at }: YamlNode, problems: Problem[]): void {
  if (target !== 'host' && target !== '')
    problems.push({ at, message: `The local pipeline runs steps on the host, not in the container '${target}'.` });
}
