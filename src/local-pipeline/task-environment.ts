import { type Endpoint, SYSTEM_CONNECTION } from './endpoint.ts';
import { environmentName, type VariableStore } from './variable-store.ts';

export interface TaskEnvironmentParts {
  /** What every process of the agent inherits. */
  readonly inherited: Readonly<Record<string, string>>;
  /** The step's own `env`, expanded. */
  readonly stepEnvironment: Readonly<Record<string, string>>;
  readonly variables: VariableStore;
  readonly inputs: ReadonlyMap<string, string>;
  /** Those that the inputs name, and the job's own. */
  readonly endpoints: readonly Endpoint[];
  readonly taskVariables: VariableStore;
  readonly prependPath: readonly string[];
}

/** The environment of a Node task, in the order in which the agent adds to it (NodeHandler.cs, Handler.cs). */
export function taskEnvironment(parts: TaskEnvironmentParts): Record<string, string> {
  const own: Record<string, string> = { ...parts.stepEnvironment };
  addVariables(own, parts.variables);
  for (const [name, value] of parts.inputs) own[`INPUT_${environmentName(name)}`] = value;
  for (const endpoint of parts.endpoints) addEndpoint(own, endpoint);
  for (const { name, value, preserveCase } of parts.taskVariables.list())
    own[`VSTS_TASKVARIABLE_${environmentName(name, preserveCase)}`] = value;
  addPath(own, parts);
  return { ...parts.inherited, ...own, TF_BUILD: 'True' };
}

/** What a script of `script:` or `bash:` sees: public variables without lists of names, no secrets, no connections. */
export function scriptEnvironment(
  parts: Omit<TaskEnvironmentParts, 'inputs' | 'endpoints' | 'taskVariables'>,
): Record<string, string> {
  const own: Record<string, string> = { ...parts.stepEnvironment };
  addPublic(own, parts.variables);
  addPath(own, parts);
  return { ...parts.inherited, ...own, TF_BUILD: 'True' };
}

function addPublic(target: Record<string, string>, variables: VariableStore): string[] {
  const open = variables.list().filter(({ secret }) => !secret);
  for (const { name, value, preserveCase } of open) {
    // The one variable that the agent also sets under its plain name.
    if (name.toLowerCase() === 'agent.jobstatus') target['agent.jobstatus'] = value;
    target[environmentName(name, preserveCase)] = value;
  }
  return open.map(({ name }) => name);
}

function addVariables(target: Record<string, string>, variables: VariableStore): void {
  target['VSTS_PUBLIC_VARIABLES'] = JSON.stringify(addPublic(target, variables));
  const secrets = variables.list().filter(({ secret }) => secret);
  for (const { name, value, preserveCase } of secrets) target[`SECRET_${environmentName(name, preserveCase)}`] = value;
  target['VSTS_SECRET_VARIABLES'] = JSON.stringify(secrets.map(({ name }) => name));
}

function addEndpoint(target: Record<string, string>, { id, url, scheme, parameters, data }: Endpoint): void {
  target[`ENDPOINT_URL_${id}`] = url;
  target[`ENDPOINT_AUTH_${id}`] = JSON.stringify({ parameters, scheme });
  target[`ENDPOINT_AUTH_SCHEME_${id}`] = scheme;
  for (const [key, value] of Object.entries(parameters))
    target[`ENDPOINT_AUTH_PARAMETER_${id}_${environmentName(key)}`] = value;
  if (id === SYSTEM_CONNECTION) return;
  target[`ENDPOINT_DATA_${id}`] = JSON.stringify(data);
  for (const [key, value] of Object.entries(data)) target[`ENDPOINT_DATA_${id}_${environmentName(key)}`] = value;
}

function addPath(
  target: Record<string, string>,
  { prependPath, variables, inherited }: Pick<TaskEnvironmentParts, 'prependPath' | 'variables' | 'inherited'>,
): void {
  if (prependPath.length === 0) return;
  const before = variables.get('PATH') ?? target['PATH'] ?? inherited['PATH'] ?? '';
  target['PATH'] = [...prependPath.toReversed(), before].filter((part) => part !== '').join(':');
}
