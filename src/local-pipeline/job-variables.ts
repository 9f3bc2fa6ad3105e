import { evaluate } from './expression-evaluate.ts';
import { ExpressionError, toText, type Value } from './expression-value.ts';
import type { PlannedJobNames } from './job-names.ts';
import { LOOKUP_VARIABLE } from './orphan-processes.ts';
import type { VariableSetting } from './pipeline-model.ts';
import { formatPosition } from './position.ts';
import { jobVariables, networkVariables } from './predefined-variables.ts';
import type { RunContext } from './run-context.ts';
import { VariableStore } from './variable-store.ts';

export interface JobVariableSources {
  readonly run: RunContext;
  readonly names: PlannedJobNames;
  readonly sourcesDirectory: string;
  readonly lookupId: string;
  readonly access: { readonly accessToken: string; readonly oidcRequestUri: string } | undefined;
  /** Of the YAML: pipeline, stage, job and leg in this order. */
  readonly settings: readonly VariableSetting[];
  /** `dependencies` and `stageDependencies`. */
  readonly values: Readonly<Record<string, Value>>;
}

/** Without services a job still has a token, which opens nothing. */
const NO_ACCESS = 'local-run-without-services';

/** The variables with which a job begins, later sources over earlier ones. @throws ExpressionError in a `$[ … ]` */
export function startVariables(sources: JobVariableSources): VariableStore {
  const { run, names, sourcesDirectory, lookupId, access } = sources;
  const store = new VariableStore(run.masker);
  const predefine = (values: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(values)) store.set(name, value, { readOnly: true, predefined: true });
  };
  predefine({ ...run.runVariables, 'Build.BuildNumber': run.publications.buildNumber });
  predefine(jobVariables(names, run.directories, sourcesDirectory));
  if (run.services) predefine(networkVariables(run.services));
  store.set('System.AccessToken', access?.accessToken ?? NO_ACCESS, { readOnly: true, secret: true, predefined: true });
  if (access) predefine({ 'System.OidcRequestUri': access.oidcRequestUri });
  store.set(LOOKUP_VARIABLE, lookupId, { predefined: true });
  store.set('GIT_TERMINAL_PROMPT', '0', { predefined: true });
  for (const [name, value] of Object.entries(run.queueVariables)) store.set(name, value);
  for (const [name, value] of Object.entries(run.secretVariables)) store.set(name, value, { secret: true });
  for (const setting of sources.settings) apply(setting, store, sources.values);
  return store;
}

function apply(
  { name, value, readOnly }: VariableSetting,
  store: VariableStore,
  values: Readonly<Record<string, Value>>,
): void {
  store.set(name, runtimeText(value.text, formatPosition(value.at), store, values), { readOnly });
}

/** The value of `$[ … ]`, or the text as it is. */
function runtimeText(
  text: string,
  place: string,
  store: VariableStore,
  values: Readonly<Record<string, Value>>,
): string {
  const [, expression] = /^\s*\$\[(.*)\]\s*$/s.exec(text) ?? [];
  if (expression === undefined) return text;
  const variables = Object.fromEntries(store.list().map((variable) => [variable.name, variable.value]));
  try {
    return toText(evaluate(expression, { values: { ...values, variables } }));
  } catch (error) {
    throw new ExpressionError(`${place}: ${(error as Error).message}`);
  }
}
