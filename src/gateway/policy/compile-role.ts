import { isAbsolute, posix } from 'node:path';
import { parseDuration } from '#core/duration.ts';
import type { CompiledRole } from './binding.ts';
import { compileCondition, compileParameters } from './condition.ts';
import { Glob } from './glob.ts';
import type { CodeEntry, RoleEntry } from './policy-document.ts';
import type { CodeSource, Role } from './role.ts';
import type { TaskIdentity } from './task-identity.ts';

type Identities = ReadonlyMap<string, TaskIdentity>;

const DEFAULT_MAX_WORKERS = 1;
const DEFAULT_MAX_RUNTIME_MS = 86_400_000;
const DEFAULT_CONCURRENCY = 4;
/** A lost run is not started again unless somebody says that it may. */
const DEFAULT_ATTEMPTS = 1;

export function compileRole(name: string, entry: RoleEntry, identities: Identities): CompiledRole {
  const role = roleOf(name, entry, identities);
  const { modules, tasks, parameters, secrets, code, taskIdentities } = role;
  return {
    role,
    modules: modules.map((pattern) => new Glob(pattern)),
    tasks: tasks.map((pattern) => new Glob(pattern)),
    parameters: compileParameters(parameters),
    secretParameters: new Set(secrets.filter(({ target }) => target === 'parameter').map((grant) => grant.name)),
    bundle:
      code.kind === 'bundle'
        ? { repository: compileCondition(code.repository), ref: compileCondition(code.ref) }
        : undefined,
    families: taskIdentities?.map((one) => ({
      globs: one.tasks.map((pattern) => new Glob(pattern)),
      identity: one.identity,
    })),
  };
}

function roleOf(name: string, entry: RoleEntry, identities: Identities): Role {
  return {
    name,
    modules: entry.modules,
    tasks: entry.tasks,
    parameters: entry.parameters ?? {},
    otherParameters: entry.otherParameters ?? false,
    environment: entry.environment,
    workerIdentity: entry.workerIdentity,
    unixUser: entry.unixUser,
    code: codeOf(entry.code),
    scheduler: entry.scheduler,
    variables: entry.variables ?? {},
    secrets: entry.secrets ?? [],
    maxWorkers: entry.maxWorkers ?? DEFAULT_MAX_WORKERS,
    maxRuntimeMs: parseDuration(entry.maxRuntime ?? '') ?? DEFAULT_MAX_RUNTIME_MS,
    concurrency: entry.concurrency ?? DEFAULT_CONCURRENCY,
    attempts: entry.attempts ?? DEFAULT_ATTEMPTS,
    taskIdentities: entry.taskIdentities?.map(({ tasks, identity }) => ({
      tasks,
      identity: identities.get(identity ?? ''),
    })),
    namespaces: entry.namespaces ?? [],
    stockLuigi: entry.stockLuigi ?? false,
  };
}

function codeOf(code: CodeEntry): CodeSource {
  if (code.kind !== 'installed') return code;
  const below = (path: string) => (isAbsolute(path) ? path : posix.join(code.path, path));
  return {
    ...code,
    python: below(code.python),
    commitFile: code.commitFile === undefined ? undefined : below(code.commitFile),
  };
}
