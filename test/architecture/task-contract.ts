interface InputManifest {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly required?: boolean;
  readonly defaultValue?: string;
  readonly helpMarkDown: string;
  readonly groupName?: string;
  readonly options?: Readonly<Record<string, string>>;
}

type Handlers = Readonly<Record<string, { readonly target: string }>>;

/** What the tests read of a task.json. */
export interface TaskManifest {
  readonly id: string;
  readonly name: string;
  readonly friendlyName: string;
  readonly minimumAgentVersion: string;
  readonly version: { readonly Major: number; readonly Minor: number; readonly Patch: number };
  readonly groups?: readonly { readonly name: string }[];
  readonly inputs: readonly InputManifest[];
  readonly outputVariables: readonly { readonly name: string; readonly description: string }[];
  readonly execution: Handlers;
  readonly postjobexecution?: Handlers;
  readonly restrictions: {
    readonly commands: { readonly mode: string };
    readonly settableVariables: { readonly allowed: readonly string[] };
  };
}

/** What pipelines rely on for as long as a major version lives. */
export interface TaskContract {
  readonly id: string;
  readonly inputs: Readonly<Record<string, { type: string; required: boolean; default: string; options?: string[] }>>;
  readonly outputs: readonly string[];
}

/** How a manifest breaks what was shipped; a new optional input, option or output breaks nothing. */
export function contractBreaks(shipped: TaskContract | undefined, task: TaskManifest): string[] {
  if (shipped === undefined) return [`${task.name} is not recorded`];
  const outputs = task.outputVariables.map(({ name }) => name);
  return [
    ...(shipped.id === task.id ? [] : ['the id changed']),
    ...Object.entries(shipped.inputs).flatMap(([name, was]) => inputBreaks(name, was, task)),
    ...task.inputs
      .filter((is) => is.required && !shipped.inputs[is.name])
      .map(({ name }) => `${name} is new and required`),
    ...shipped.outputs.filter((name) => !outputs.includes(name)).map((name) => `${name} is no longer set`),
  ];
}

function inputBreaks(name: string, was: TaskContract['inputs'][string], task: TaskManifest): string[] {
  const is = task.inputs.find((input) => input.name === name);
  if (is === undefined) return [`${name} is gone`];
  const gone = (was.options ?? []).filter((option) => !Object.hasOwn(is.options ?? {}, option));
  return [
    ...(is.type === was.type ? [] : [`${name} was ${was.type} and is ${is.type}`]),
    ...(is.required && !was.required ? [`${name} became required`] : []),
    ...((is.defaultValue ?? '') === was.default ? [] : [`the default of ${name} was '${was.default}'`]),
    ...gone.map((option) => `${name} lost its option ${option}`),
  ];
}
