import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';
import type { Launch } from '../launch/launcher.ts';
import type { Role, SecretGrant } from '../policy/role.ts';
import type { GrantedSecret } from './run-collaborators.ts';
import { persistently, type RunContext } from './run-context.ts';
import type { CodeFacts, SecretFact } from './run-record.ts';
import type { StoredRun } from './run-row.ts';
import { gatewayOfWorker, PROXIED_LUIGID } from './worker-access.ts';

/** Everything that one attempt needs: the role's code in its place, and its secrets, each reading on record. */
export async function prepareLaunch(
  context: RunContext,
  { record, caller }: StoredRun,
  role: Role,
  attempt: number,
  signal: AbortSignal,
): Promise<Launch> {
  const { specification, id } = record;
  if (!caller) throw new TypeError(`The run ${id} has no caller any more.`);
  refuseDoubles(record.specification.parameters, role);
  const gateway = gatewayOfWorker(context.access, role, `${id}.${attempt}`);
  const code = await context.code.prepare(role, { specification, caller }, signal);
  await keep(context, id, code.facts, []);
  const granted = await readSecrets(context, id, attempt, role, signal);
  await keep(context, id, code.facts, granted.map(asFact));
  const valuesFor = (target: SecretGrant['target']): Readonly<Record<string, Secret>> =>
    Object.fromEntries(
      granted.filter(({ grant }) => grant.target === target).map(({ grant, value }) => [grant.name, value]),
    );
  return {
    runId: id,
    attempt,
    module: specification.module,
    task: specification.task,
    parameters: specification.parameters,
    workers: specification.workers,
    scheduler: gateway?.luigid === true ? PROXIED_LUIGID : (role.scheduler ?? context.scheduler),
    gateway,
    python: code.python,
    workingDirectory: code.workingDirectory,
    modulePath: code.modulePath,
    unixUser: role.unixUser,
    variables: role.variables,
    secretVariables: valuesFor('environment'),
    secretFiles: valuesFor('file'),
    secretParameters: valuesFor('parameter'),
  };
}

function keep(context: RunContext, id: string, code: CodeFacts, secrets: readonly SecretFact[]): Promise<boolean> {
  return persistently(context, () => context.runs.prepared(id, code, secrets));
}

/** Intent before, outcome after; names and versions, never values. */
async function readSecrets(
  { journal, secrets }: RunContext,
  id: string,
  attempt: number,
  { name: role, secrets: grants }: Role,
  signal: AbortSignal,
): Promise<readonly GrantedSecret[]> {
  if (grants.length === 0) return [];
  const wanted = grants.map(({ vault, secret, version, target }) => ({ vault, name: secret, version, target }));
  await journal.intent('secrets.read.intent', id, { role, attempt, secrets: wanted });
  try {
    const granted = await secrets.read(grants, signal);
    await journal.intent('secrets.read.outcome', id, { role, attempt, secrets: granted.map(asFact), result: 'ok' });
    return granted;
  } catch (thrown) {
    const errorCode = asPlumblineError(thrown).code;
    await journal.intent('secrets.read.outcome', id, { role, attempt, secrets: wanted, result: 'failed', errorCode });
    throw thrown;
  }
}

/** The vault as the policy names it, which is what the intent says too. */
function asFact({ grant, version }: GrantedSecret): SecretFact {
  return { vault: grant.vault, name: grant.secret, version, target: grant.target };
}

/** What a role takes from a vault is not the caller's to give. */
function refuseDoubles(parameters: Readonly<Record<string, unknown>>, { name, secrets }: Role): void {
  // As on Luigi's command line a dash may stand for an underscore.
  const given = new Set(Object.keys(parameters).map((parameter) => parameter.replaceAll('-', '_')));
  const isGiven = ({ target, name: wanted }: SecretGrant) =>
    target === 'parameter' && given.has(wanted.replaceAll('-', '_'));
  const double = secrets.find(isGiven);
  if (!double) return;
  throw new PlumblineError(
    'ERR_PARAMETER_INVALID',
    `Parameter '${double.name}' cannot be given: role '${name}' takes it from a vault`,
    { remedy: 'Leave the parameter out.', details: { parameter: double.name, role: name } },
  );
}
