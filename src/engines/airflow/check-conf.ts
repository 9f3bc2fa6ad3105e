import type { ErrorObject, ValidateFunction } from 'ajv';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowDag, AirflowParam } from './airflow-api.ts';
import type { DagPlace } from './dag-place.ts';
import { OWN_CONF_KEYS } from './run-marker.ts';

const SHOWN = 160;
const MOST_PROBLEMS = 20;

/**
 * Checks a conf against the DAG's params as Airflow does when a run is triggered: each param has its value from the conf, else its
 * default, and has to meet its schema (JSON Schema 2020-12, which is what Airflow's jsonschema takes a schema without `$schema` for).
 * A param without a default must be given. Further keys are allowed. A schema that cannot be read here is left to Airflow.
 *
 * @throws {PlumblineError} `ERR_DAG_CONF_INVALID` with a line for each param: its name and what is allowed, never what was given
 */
export async function checkConf(
  { dagId, api }: Pick<DagPlace, 'dagId' | 'api'>,
  { params }: Pick<AirflowDag, 'params'>,
  conf: Readonly<Record<string, JsonValue>>,
): Promise<void> {
  const own = OWN_CONF_KEYS.filter((key) => Object.hasOwn(conf, key)).map((key) => `${key}: is set by Plumbline`);
  const problems = [...own, ...(await paramProblems(params, conf))];
  if (problems.length === 0) return;
  const lines = problems.slice(0, MOST_PROBLEMS).map((problem) => `\n- ${neutralise(problem)}`);
  throw new PlumblineError(
    'ERR_DAG_CONF_INVALID',
    `The conf for the DAG ${dagId} in Airflow at ${api.url} does not fit its params:${lines.join('')}`,
    { remedy: 'Correct each parameter in conf or confFile.', details: { dagId, problems: problems.length } },
  );
}

async function paramProblems(
  params: ReadonlyMap<string, AirflowParam>,
  conf: Readonly<Record<string, JsonValue>>,
): Promise<readonly string[]> {
  const withSchema = [...params].filter(([, { schema }]) => Object.keys(schema).length > 0);
  if (withSchema.length === 0) return [];
  const { compileParamSchema } = await import('./param-schema.ts');
  return withSchema.flatMap(([name, param]) => {
    const validate = compileParamSchema(param.schema);
    return validate === undefined ? [] : problemsOf(name, param, conf, validate);
  });
}

function problemsOf(
  name: string,
  param: AirflowParam,
  conf: Readonly<Record<string, JsonValue>>,
  validate: ValidateFunction,
): readonly string[] {
  const shown = oneLine(name, SHOWN);
  if (!Object.hasOwn(conf, name)) {
    // Airflow shows a param without a value as `null`, as it does one whose own default does not meet its schema.
    return param.value !== null || validate(null) ? [] : [`${shown}: must be given, it has no default`];
  }
  if (validate(conf[name])) return [];
  return [...new Set((validate.errors ?? []).map((error) => `${shown}${pathOf(error)}: ${ruleOf(error)}`))];
}

/** Where inside the value: positions, and names that the schema itself has; other names are the author's and may be secret. */
function pathOf({ instancePath, schemaPath }: ErrorObject): string {
  const known = new Set(schemaPath.split('/'));
  const parts = instancePath.split('/').slice(1);
  return parts.map((part) => (known.has(part) || /^\d+$/.test(part) ? `/${part}` : '/…')).join('');
}

/** The rule that is not met, with what it allows. */
function ruleOf({ keyword, message, params }: ErrorObject): string {
  const facts = params as Readonly<Record<string, unknown>>;
  if (keyword === 'enum') return `must be one of ${oneLine(JSON.stringify(facts['allowedValues']), SHOWN)}`;
  if (keyword === 'const') return `must be ${oneLine(JSON.stringify(facts['allowedValue']), SHOWN)}`;
  if (keyword === 'type') return `must be ${[facts['type']].flat().join(' or ')}`;
  return oneLine(message ?? `does not meet '${keyword}'`, SHOWN);
}
