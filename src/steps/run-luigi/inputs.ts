import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ServiceConnection } from '#core/connection.ts';
import type { Host } from '#core/host.ts';
import type { JsonValue } from '#core/json.ts';
import type { CalledBy } from '#lineage/called-by.ts';
import { readCalledBy } from '../called-by-input.ts';
import { InputReader } from '../input-reader.ts';
import { MappingSyntaxError, parseMapping } from '../mapping.ts';
import { type GatewayInputs, readGatewayInputs } from './gateway-inputs.ts';
import { readSecretBindings, type SecretBinding } from './secret-bindings.ts';

/** The inputs of `RunLuigi@1`, read once. They are the contract of the whole major version. */
export interface RunLuigiInputs {
  readonly module: string;
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly connection: ServiceConnection | undefined;
  readonly keyVault: string | undefined;
  readonly secrets: readonly SecretBinding[];
  readonly taskIdentity: 'none' | 'connection';
  /** At most one of them is set. */
  readonly python: string | undefined;
  readonly virtualEnv: string | undefined;
  /** Absolute. */
  readonly workingDirectory: string;
  /** `local` or the URL of a luigid. */
  readonly scheduler: string;
  readonly workers: number;
  readonly timeoutMs: number | undefined;
  readonly onExistingRun: 'adopt' | 'fail' | 'new';
  readonly lineage: 'run' | 'file' | 'none';
  readonly calledBy: CalledBy | undefined;
  /** Where the run is run; absent: on this agent. */
  readonly gateway: GatewayInputs | undefined;
}

/** A dotted Python name; Luigi families with a namespace look the same. */
const DOTTED_NAME = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)*$/u;
const PARAMETER_NAME = /^[\p{L}_][\p{L}\p{N}_-]*$/u;
const HTTP_URL = /^https?:\/\/[^\s/]\S*$/i;
/** User info, also where readers of URLs disagree on where it ends (a backslash, a `#` in a password), query and fragment. */
const PERHAPS_SECRET = /[@\\?#]/;
const MAX_WORKERS = 512;

/**
 * Reads every input and checks them all together, before anything starts.
 * @throws {PlumblineError} `ERR_INPUT_INVALID` with a line for each input that is wrong: its name, what was given, what is allowed.
 */
export async function readInputs(host: Host): Promise<RunLuigiInputs> {
  const reader = new InputReader(host);
  const gateway = readGatewayInputs(reader, host);
  const parameters = await readParameters(reader);
  const secrets = await readSecrets(reader, parameters);
  const inputs: RunLuigiInputs = {
    module: dottedName(reader, 'module', 'a Python module such as sales.daily'),
    task: dottedName(reader, 'task', 'a Luigi task family such as DailyReport or sales.DailyReport'),
    parameters,
    connection: host.connections.selected('azureSubscription'),
    keyVault: reader.text('keyVault'),
    secrets,
    taskIdentity: reader.choice('taskIdentity', ['none', 'connection']),
    python: reader.text('python'),
    virtualEnv: reader.text('virtualEnv'),
    workingDirectory: directory(reader, host.variable('System.DefaultWorkingDirectory') ?? process.cwd(), gateway),
    scheduler: scheduler(reader),
    workers: workers(reader),
    timeoutMs: reader.duration('timeout'),
    onExistingRun: reader.choice('onExistingRun', ['adopt', 'fail', 'new']),
    lineage: reader.choice('lineage', ['run', 'file', 'none']),
    calledBy: readCalledBy(reader),
    gateway,
  };
  if (gateway === undefined) checkTogether(reader, inputs);
  reader.finish();
  return inputs;
}

function dottedName(reader: InputReader, input: string, allowed: string): string {
  return reader.matching(input, reader.required(input, allowed), DOTTED_NAME, allowed);
}

async function readParameters(reader: InputReader): Promise<Record<string, JsonValue>> {
  const parameters = new Map<string, JsonValue>();
  for (const [key, value] of await mapping(reader, 'parameters')) {
    const name = key.replaceAll('-', '_');
    if (!PARAMETER_NAME.test(key)) {
      reader.problem({ input: 'parameters', given: key, allowed: 'names of parameters of the task' });
    } else if (parameters.has(name)) {
      reader.problem({ input: 'parameters', given: key, allowed: 'each parameter once' });
    } else parameters.set(name, value);
  }
  return Object.fromEntries(parameters);
}

async function readSecrets(reader: InputReader, parameters: object): Promise<readonly SecretBinding[]> {
  const refuse = (given: string, allowed: string) => reader.problem({ input: 'secrets', given, allowed });
  const bindings = readSecretBindings(await mapping(reader, 'secrets'), refuse);
  for (const { target, name } of bindings) {
    if (target === 'parameter' && Object.hasOwn(parameters, name)) {
      refuse(`parameters.${name}`, 'a parameter that the input parameters does not set too');
    }
  }
  return bindings;
}

async function mapping(reader: InputReader, input: string): Promise<ReadonlyMap<string, JsonValue>> {
  try {
    return await parseMapping(reader.text(input) ?? '');
  } catch (error) {
    if (!(error instanceof MappingSyntaxError)) throw error;
    reader.problem({
      input,
      given: `unreadable (${error.message})`,
      allowed: 'a YAML or JSON map, or key=value lines',
    });
    return new Map();
  }
}

function directory(reader: InputReader, base: string, gateway: GatewayInputs | undefined): string {
  if (gateway !== undefined) return base;
  const given = reader.text('workingDirectory') ?? '';
  const path = resolve(base, given);
  if (!isDirectory(path)) {
    reader.problem({ input: 'workingDirectory', given: path, allowed: 'an existing folder' });
  }
  return path;
}

/** False for whatever the reason is that it cannot be looked at: a name that is too long, a part that nobody may enter. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function scheduler(reader: InputReader): string {
  const input = 'scheduler';
  const given = reader.text(input) ?? 'local';
  const isUrl = HTTP_URL.test(given) && URL.canParse(given);
  if (given === 'local' || (isUrl && !PERHAPS_SECRET.test(given))) return given;
  const allowed = "'local' or the http(s) URL of a luigid, without user info, query and fragment";
  reader.problem({
    input,
    given: PERHAPS_SECRET.test(given) ? '(not shown: it may hold a password)' : given,
    allowed,
  });
  return given;
}

function workers(reader: InputReader): number {
  const given = reader.text('workers') ?? '1';
  const count = Number(given);
  if (/^\d+$/.test(given) && count >= 1 && count <= MAX_WORKERS) return count;
  reader.problem({ input: 'workers', given, allowed: `a whole number from 1 to ${MAX_WORKERS}` });
  return 1;
}

function checkTogether(reader: InputReader, inputs: RunLuigiInputs): void {
  const needed = 'an AzureRM service connection with workload identity federation or a managed identity';
  const why = inputs.secrets.length > 0 ? 'secrets' : 'taskIdentity: connection';
  if ((inputs.secrets.length > 0 || inputs.taskIdentity === 'connection') && !inputs.connection) {
    reader.problem({ input: 'azureSubscription', allowed: `${needed}, because of ${why}` });
  }
  if (inputs.secrets.length > 0 && !inputs.keyVault) {
    reader.problem({ input: 'keyVault', allowed: 'the name or URL of a Key Vault, because of secrets' });
  }
  if (inputs.keyVault && inputs.secrets.length === 0) {
    reader.problem({ input: 'secrets', allowed: 'at least one secret, because of keyVault' });
  }
  if (inputs.python && inputs.virtualEnv) {
    reader.problem({ input: 'virtualEnv', given: inputs.virtualEnv, allowed: "nothing when 'python' is given" });
  }
}
