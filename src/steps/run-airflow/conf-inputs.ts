import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import type { Host } from '#core/host.ts';
import type { JsonValue } from '#core/json.ts';
import { wellFormed } from '#core/well-formed.ts';
import { InputReader } from '../input-reader.ts';
import { MappingSyntaxError, parseTypedMapping } from '../mapping.ts';
import type { RunAirflowInputs } from './inputs.ts';

/** Ours to set: the marker by which a run is known again, and what OpenLineage is told. */
const RESERVED: ReadonlySet<string> = new Set(['plumbline', 'openlineage']);
/** Characters, as JSON. */
const LONGEST = 100_000;
const FORMS = 'a YAML or JSON map, or key=value lines';

/** The conf of the run, from `conf` or from `confFile`. Nothing of a value is ever shown. */
export async function readConf(reader: InputReader, host: Host): Promise<Readonly<Record<string, JsonValue>>> {
  const text = reader.text('conf');
  const file = reader.text('confFile');
  if (text !== undefined && file !== undefined) {
    reader.problem({ input: 'confFile', given: file, allowed: "nothing when 'conf' is given" });
  }
  const [input, given] = text === undefined ? ['confFile', fileText(reader, host, file)] : ['conf', text];
  const conf = await parsed(reader, input, given);
  checkConf(reader, host, input, conf);
  return Object.fromEntries(conf);
}

/** A file of the checkout: neither `..` nor a link leads out of it. */
function fileText(reader: InputReader, host: Host, file: string | undefined): string {
  if (file === undefined) return '';
  const base = host.variable('System.DefaultWorkingDirectory') ?? process.cwd();
  const refuse = (allowed: string) => {
    reader.problem({ input: 'confFile', given: file, allowed });
    return '';
  };
  try {
    const path = realpathSync(resolve(base, file));
    const inside = relative(realpathSync(base), path);
    if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return refuse('a file inside the checkout');
    const found = statSync(path);
    if (!found.isFile()) return refuse('a file');
    return found.size > 2 * LONGEST ? refuse(`a file of at most ${2 * LONGEST} bytes`) : readFileSync(path, 'utf8');
  } catch {
    return refuse('a file that is there and can be read');
  }
}

async function parsed(reader: InputReader, input: string, text: string): Promise<ReadonlyMap<string, JsonValue>> {
  try {
    return await parseTypedMapping(text);
  } catch (error) {
    if (!(error instanceof MappingSyntaxError)) throw error;
    reader.problem({ input, given: `unreadable (${error.message})`, allowed: FORMS });
    return new Map();
  }
}

function checkConf(reader: InputReader, host: Host, input: string, conf: ReadonlyMap<string, JsonValue>): void {
  for (const key of conf.keys()) {
    if (!RESERVED.has(key)) continue;
    const allowed = `keys other than ${[...RESERVED].join(' and ')}, which Plumbline sets`;
    reader.problem({ input, given: key, allowed });
  }
  for (const [key, value] of conf) {
    if ([key, ...textsOf(value)].every(isKept)) continue;
    const given = `(a character in '${wellFormed(key)}' that is none)`;
    reader.problem({
      input,
      given,
      allowed: "text that Airflow's database can keep: no null byte, no half of a character",
    });
  }
  checkSecrets(reader, host, input, conf);
  if (JSON.stringify(Object.fromEntries(conf)).length > LONGEST) {
    reader.problem({ input, given: '(too long)', allowed: `at most ${LONGEST} characters as JSON` });
  }
}

/** PostgreSQL takes neither; Airflow then answers HTTP 500 to each trigger. */
function isKept(text: string): boolean {
  return !text.includes('\0') && wellFormed(text) === text;
}

const WITHOUT_SECRET =
  'values without a secret: Airflow shows the conf and copies it into lineage, so let the DAG read the secret itself';

function checkSecrets(reader: InputReader, host: Host, input: string, conf: Iterable<[string, JsonValue]>): void {
  for (const [key, value] of conf) {
    const isInKey = host.holdsSecret(key);
    if (!isInKey && !textsOf(value).some((text) => host.holdsSecret(text))) continue;
    const where = isInKey ? 'a key' : `'${key}'`;
    reader.problem({ input, given: `(not shown: ${where} holds a secret of this job)`, allowed: WITHOUT_SECRET });
  }
}

/**
 * Looks once more at what Airflow shows to everybody, when the step has signed in: only then it knows the secrets that it read itself.
 * @throws {PlumblineError} `ERR_INPUT_INVALID`
 */
export function refuseSecrets({ conf, note }: Pick<RunAirflowInputs, 'conf' | 'note'>, host: Host): void {
  const reader = new InputReader(host);
  checkSecrets(reader, host, reader.text('conf') === undefined ? 'confFile' : 'conf', Object.entries(conf));
  checkNote(reader, host, note);
  reader.finish();
}

/** The note is shown as the conf is. */
export function checkNote(reader: InputReader, host: Host, note: string | undefined): void {
  if (note === undefined || !host.holdsSecret(note)) return;
  const given = '(not shown: it holds a secret of this job)';
  reader.problem({ input: 'note', given, allowed: 'text without a secret' });
}

/** Every text in a value, the names of fields and the digits of numbers too. */
function textsOf(value: JsonValue): readonly string[] {
  if (value === null || typeof value === 'boolean') return [];
  if (typeof value !== 'object') return [String(value)];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  return Object.entries(value as Record<string, JsonValue>).flatMap(([name, inner]) => [name, ...textsOf(inner)]);
}
