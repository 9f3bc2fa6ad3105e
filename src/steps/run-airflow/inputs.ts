import { parseDuration } from '#core/duration.ts';
import type { Host } from '#core/host.ts';
import type { JsonValue } from '#core/json.ts';
import type { CalledBy } from '#lineage/called-by.ts';
import { readCalledBy } from '../called-by-input.ts';
import { InputReader } from '../input-reader.ts';
import { MappingSyntaxError, parseMapping } from '../mapping.ts';
import { type AccessInputs, readAccess } from './access-inputs.ts';
import { checkNote, readConf } from './conf-inputs.ts';
import { roomForNote } from './run-note.ts';

/** A value that a task pushes, and the name under which it is handed on. */
export interface ResultInput {
  readonly name: string;
  /** `load`, `load.rows`, `load[2]`. */
  readonly task: string;
}

/** The inputs of `RunAirflow@1`, read once. They are the contract of the whole major version. */
export interface RunAirflowInputs extends AccessInputs {
  readonly conf: Readonly<Record<string, JsonValue>>;
  /** ISO 8601 with an offset. */
  readonly logicalDate: string | undefined;
  readonly note: string | undefined;
  readonly unpause: boolean;
  /** False: the step ends as soon as the run is there. */
  readonly wait: boolean;
  readonly results: readonly ResultInput[];
  readonly onExistingRun: 'adopt' | 'fail' | 'new' | 'clearFailed';
  /** A commit. */
  readonly dagVersion: string | undefined;
  /** 0: for ever. */
  readonly queuedMs: number;
  readonly timeoutMs: number | undefined;
  readonly failOnTaskFailure: boolean;
  readonly lineage: 'run' | 'file' | 'none';
  readonly lineageNamespace: string;
  readonly calledBy: CalledBy | undefined;
}

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)$/;
const RESULT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const MOST_RESULTS = 50;
const LONGEST_TASK = 600;
const NAMESPACE = /^[^\s\p{C}](?:[^\p{C}]{0,498}[^\s\p{C}])?$/u;
const DEFAULT_QUEUED = '10m';

/**
 * Reads every input and checks them all together, before anything starts.
 * @param lineOf our own line of the note, which names the shared id
 * @throws {PlumblineError} `ERR_INPUT_INVALID` with a line for each input that is wrong: its name, what was given, what is allowed.
 */
export async function readInputs(
  host: Host,
  lineOf: (calledBy: CalledBy | undefined) => string,
): Promise<RunAirflowInputs> {
  const reader = new InputReader(host);
  const access = readAccess(reader, host);
  const calledBy = readCalledBy(reader);
  const inputs = {
    conf: await readConf(reader, host),
    logicalDate: logicalDate(reader),
    note: note(reader, host, lineOf(calledBy)),
    unpause: reader.flag('unpause', false),
    wait: reader.flag('wait', true),
    results: await results(reader),
    onExistingRun: reader.choice('onExistingRun', ['adopt', 'fail', 'new', 'clearFailed']),
    dagVersion: dagVersion(reader),
    queuedMs: queued(reader),
    timeoutMs: reader.duration('timeout'),
    failOnTaskFailure: reader.flag('failOnTaskFailure', false),
    lineage: reader.choice('lineage', ['run', 'file', 'none']),
    lineageNamespace: namespace(reader),
    calledBy,
  };
  if (!inputs.wait) refuseWhatWaits(reader, inputs);
  reader.finish();
  if (access === undefined) throw new TypeError('The reader let an input pass that is missing.');
  return { ...access, ...inputs };
}

function logicalDate(reader: InputReader): string | undefined {
  const given = reader.text('logicalDate');
  if (given === undefined || (INSTANT.test(given) && isDay(given) && !Number.isNaN(Date.parse(given)))) return given;
  const allowed = 'an instant with its offset, such as 2026-11-20T03:00:00Z or 2026-11-20T04:00:00+01:00';
  reader.problem({ input: 'logicalDate', given, allowed });
  return undefined;
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function isDay(instant: string): boolean {
  const [year = 0, month = 0, day = 0] = instant.slice(0, 10).split('-').map(Number);
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function note(reader: InputReader, host: Host, line: string): string | undefined {
  const given = reader.text('note');
  const room = roomForNote(line);
  if (given !== undefined && given.length > room) {
    const allowed = `at most ${room} characters: Airflow keeps 1000, and the lines that name this pipeline run take the rest`;
    reader.problem({ input: 'note', given: `${given.length} characters`, allowed });
  }
  checkNote(reader, host, given);
  return given;
}

function dagVersion(reader: InputReader): string | undefined {
  const given = reader.text('dagVersion');
  if (given === undefined) return undefined;
  return reader
    .matching('dagVersion', given, COMMIT, 'a whole commit id, such as $(Build.SourceVersion)')
    .toLowerCase();
}

function queued(reader: InputReader): number {
  const given = reader.text('queuedTimeout') ?? DEFAULT_QUEUED;
  if (given === '0') return 0;
  const ms = parseDuration(given);
  if (ms !== undefined && ms <= 30 * 86_400_000) return ms;
  reader.problem({ input: 'queuedTimeout', given, allowed: '0 for no limit, or a duration such as 90s, 30m or 2h' });
  return 0;
}

function namespace(reader: InputReader): string {
  const given = reader.text('lineageNamespace') ?? 'default';
  return reader.matching('lineageNamespace', given, NAMESPACE, "Airflow's setting [openlineage] namespace");
}

async function results(reader: InputReader): Promise<readonly ResultInput[]> {
  const found: ResultInput[] = [];
  const refuse = (given: string, allowed: string) => reader.problem({ input: 'results', given, allowed });
  for (const [name, task] of await resultMap(reader, refuse)) {
    if (!RESULT_NAME.test(name)) refuse(name, 'names of letters, digits and underscores, for variables result_NAME');
    else if (found.some((other) => other.name.toLowerCase() === name.toLowerCase())) refuse(name, 'each name once');
    else if (typeof task !== 'string' || task === '' || task.length > LONGEST_TASK) {
      refuse(name, 'NAME: task, or NAME: task.key');
    } else found.push({ name, task });
  }
  if (found.length > MOST_RESULTS) refuse(`${found.length} names`, `at most ${MOST_RESULTS}`);
  return found;
}

async function resultMap(
  reader: InputReader,
  refuse: (given: string, allowed: string) => void,
): Promise<ReadonlyMap<string, JsonValue>> {
  try {
    return await parseMapping(reader.text('results') ?? '');
  } catch (error) {
    if (!(error instanceof MappingSyntaxError)) throw error;
    refuse(`unreadable (${error.message})`, 'a YAML or JSON map, or NAME=task lines');
    return new Map();
  }
}

/** Inputs without an effect are refused, so that nobody takes them for followed. */
function refuseWhatWaits(
  reader: InputReader,
  {
    results: wanted,
    timeoutMs,
    failOnTaskFailure,
  }: Pick<RunAirflowInputs, 'results' | 'timeoutMs' | 'failOnTaskFailure'>,
): void {
  const allowed = 'nothing with wait: false';
  if (wanted.length > 0)
    reader.problem({ input: 'results', given: wanted.map(({ name }) => name).join(', '), allowed });
  if (timeoutMs !== undefined) reader.problem({ input: 'timeout', given: reader.text('timeout'), allowed });
  if (failOnTaskFailure)
    reader.problem({ input: 'failOnTaskFailure', given: 'true', allowed: 'false with wait: false' });
}
