import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Restrictions } from './restrictions.ts';

export interface TaskInput {
  readonly name: string;
  readonly type: string;
  readonly aliases: readonly string[];
  readonly defaultValue: string;
  readonly required: boolean;
}

/** The three moments at which the agent runs a task. */
export const TASK_STAGES = ['prejobexecution', 'execution', 'postjobexecution'] as const;
export type TaskStage = (typeof TASK_STAGES)[number];

export interface Handler {
  readonly target: string;
  readonly workingDirectory?: string | undefined;
}

/** A task.json as far as the agent reads it. */
export interface TaskDefinition {
  readonly id: string;
  readonly name: string;
  readonly friendlyName: string;
  readonly major: number;
  readonly version: string;
  readonly directory: string;
  readonly inputs: readonly TaskInput[];
  readonly outputVariables: readonly string[];
  readonly restrictions: Restrictions | undefined;
  /** By stage and handler name (`Node24`, `Node20_1`, …). */
  readonly handlers: Readonly<Partial<Record<TaskStage, Readonly<Record<string, Handler>>>>>;
}

interface TaskJson {
  readonly id: string;
  readonly name: string;
  readonly friendlyName?: string;
  readonly version: {
    readonly Major: number | string;
    readonly Minor: number | string;
    readonly Patch: number | string;
  };
  readonly inputs?: readonly {
    name: string;
    type?: string;
    aliases?: string[];
    defaultValue?: unknown;
    required?: boolean;
  }[];
  readonly outputVariables?: readonly { name: string }[];
  readonly restrictions?: { commands?: { mode?: string }; settableVariables?: { allowed?: string[] } };
  readonly prejobexecution?: Record<string, Handler>;
  readonly execution?: Record<string, Handler>;
  readonly postjobexecution?: Record<string, Handler>;
}

/** Every task below a contribution's folder: the folder itself or one folder per version. */
export function readTaskDefinitions(folder: string): TaskDefinition[] {
  if (existsSync(path.join(folder, 'task.json'))) return [readTaskDefinition(folder)];
  const versions = readdirSync(folder).map((name) => path.join(folder, name));
  return versions.filter((version) => existsSync(path.join(version, 'task.json'))).map(readTaskDefinition);
}

function readTaskDefinition(directory: string): TaskDefinition {
  const json = JSON.parse(readFileSync(path.join(directory, 'task.json'), 'utf8').replace(/^\uFEFF/, '')) as TaskJson;
  const { Major, Minor, Patch } = json.version;
  return {
    id: json.id.toLowerCase(),
    name: json.name,
    friendlyName: json.friendlyName ?? json.name,
    major: Number(Major),
    version: `${Major}.${Minor}.${Patch}`,
    directory,
    inputs: (json.inputs ?? []).map(inputOf),
    outputVariables: (json.outputVariables ?? []).map(({ name }) => name),
    restrictions: restrictionsOf(json.restrictions),
    handlers: handlersOf(json),
  };
}

function inputOf(input: NonNullable<TaskJson['inputs']>[number]): TaskInput {
  const { name, type = 'string', aliases = [], defaultValue = '', required = false } = input;
  return { name, type, aliases, defaultValue: String(defaultValue), required };
}

function restrictionsOf(json: TaskJson['restrictions']): Restrictions | undefined {
  if (!json) return undefined;
  return {
    commands: json.commands?.mode === 'restricted' ? 'restricted' : 'any',
    settableVariables: json.settableVariables?.allowed,
  };
}

function handlersOf(json: TaskJson): TaskDefinition['handlers'] {
  return Object.fromEntries(
    TASK_STAGES.filter((stage) => json[stage] !== undefined).map((stage) => [stage, json[stage] ?? {}]),
  );
}
