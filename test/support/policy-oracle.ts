import type { JsonValue } from '#core/json.ts';
import type { AirflowPermission, PipelinePermission } from '#gateway/policy/access-grants.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What docs/gateway/policy.md says, taken at its word and without any thought of speed: the verdict on a request under a
 * policy as it is written. It shares nothing with the product but the words.
 */
export function oracle(policy: Fields, wanted: RunPermission, now: number): { allowed: boolean; wouldAllow: boolean } {
  const roles = policy['roles'] as Record<string, Fields>;
  const role = Object.keys(roles).includes(wanted.role) ? roles[wanted.role] : undefined;
  const rules = list(policy['deny']);
  if (role === undefined || rules.some((rule) => strikes(rule, wanted, ['roles', wanted.role], now)))
    return { allowed: false, wouldAllow: false };
  const known = list(policy['bindings']).filter((binding) => knows(binding, wanted, ['roles', wanted.role], now));
  const wouldAllow = known.some((binding) => requires(binding, wanted) && roleAllows(role, wanted));
  const reports = known.some((binding) => (binding['mode'] ?? policy['mode']) === 'report');
  return { allowed: wouldAllow || reports, wouldAllow };
}

/** The verdict on a task of a run: whether it gets a token, as whom, and what becomes of it without one. */
export function taskOracle(policy: Fields, wanted: RunPermission, family: string, now: number): string {
  const { allowed, wouldAllow } = oracle(policy, wanted, now);
  if (!allowed) return 'refused: its run ends';
  const role = (policy['roles'] as Record<string, Fields>)[wanted.role] as Fields;
  const known = list(policy['bindings']).filter((binding) => knows(binding, wanted, ['roles', wanted.role], now));
  const deciding = wouldAllow
    ? known.find((binding) => requires(binding, wanted) && roleAllows(role, wanted))
    : known.find((binding) => (binding['mode'] ?? policy['mode']) === 'report');
  const isName = family.split('.').every((step) => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(step));
  if (!isName) return 'refused: its run ends';
  const names = (globs: unknown) => (globs as string[]).some((glob) => fits(glob, family));
  const entry = list(role['taskIdentities']).find(({ tasks }) => names(tasks));
  const isLeftOut = deciding?.['taskFamilies'] !== undefined && !names(deciding['taskFamilies']);
  const isReporting = (deciding?.['mode'] ?? policy['mode']) === 'report';
  if (entry === undefined || isLeftOut) return isReporting ? 'refused: it runs without' : 'refused: its run ends';
  return `token of ${entry['identity'] ?? 'nobody'}${wouldAllow ? '' : ', reported'}`;
}

/** What a person may do with one task at luigid: the words of the accesses that hold for it. */
export function viewerOracle(policy: Fields, claims: Fields, task: string, now: number): string[] {
  const known = list(policy['viewers']).filter(
    (viewer) =>
      inPeriod(viewer, now) &&
      all(viewer['match']).every((condition) => holds(condition, find(claims, String(condition['claim'])), true)),
  );
  const given = known.filter(({ roles }) => roles === 'all' || isOfRoles(policy, roles as string[], task));
  const isAnyOf = (...accesses: string[]) => given.some(({ access }) => accesses.includes(String(access)));
  return [
    ...(isAnyOf('read', 'operate', 'admin') ? ['read'] : []),
    ...(isAnyOf('operate', 'admin') ? ['operate'] : []),
    ...(isAnyOf('admin') ? ['admin'] : []),
  ];
}

/** Whether a call from an address, which brings nothing, may act on a task at luigid. `address` as RFC 5952 writes it. */
export function anonymousOracle(policy: Fields, address: string, task: string, now: number): boolean {
  const bindings = list(policy['bindings']).filter(
    (binding) =>
      binding['issuer'] === 'anonymous' &&
      inPeriod(binding, now) &&
      all(binding['match']).every((condition) => holds(condition, address, true)),
  );
  const gives = (mode: string, role: string) =>
    bindings.some((binding) => binding['mode'] === mode && (binding['roles'] as string[]).includes(role));
  const isDenied = (role: string) =>
    list(policy['deny']).some(
      (rule) =>
        inPeriod(rule, now) &&
        (rule['issuer'] ?? 'anonymous') === 'anonymous' &&
        ((rule['roles'] ?? [role]) as string[]).includes(role) &&
        all(rule['match']).every((condition) =>
          holds(condition, condition['claim'] === 'address' && !condition['runFacts'] ? address : undefined, true),
        ),
    );
  return Object.keys(policy['roles'] as Fields).some(
    (role) => gives('report', role) && !gives('enforce', role) && !isDenied(role) && isOfRoles(policy, [role], task),
  );
}

/** Whether the namespace of a task is one of some roles', or below one. */
function isOfRoles(policy: Fields, roles: readonly string[], task: string): boolean {
  const steps = task.split('.').slice(0, -1);
  const above = steps.map((_, i) => steps.slice(0, i + 1).join('.'));
  const own = roles.flatMap((role) => (policy['roles'] as Record<string, Fields>)[role]?.['namespaces'] as string[]);
  return own.some((namespace) =>
    steps.length === 0 ? namespace === '' : above.includes(namespace) && namespace !== '',
  );
}

/** As whom a caller acts in an Airflow; `undefined`: not at all. Whatever the mode, enforcement decides. */
export function airflowOracle(policy: Fields, wanted: AirflowPermission, now: number): string | undefined {
  const grants = policy['airflow'] as Record<string, Fields>;
  const known = list(policy['bindings']).filter((binding) => requires(binding, wanted));
  return givenBy(known, 'airflow', policy, wanted, now).find(
    ([, name]) => grants[name]?.['airflow'] === wanted.airflow && (wanted.grant ?? name) === name,
  )?.[1];
}

/** Which grant lets a caller queue a pipeline, and whether enforcement does too. */
export function pipelineOracle(policy: Fields, wanted: PipelinePermission, now: number): string {
  const grants = policy['pipelines'] as Record<string, Fields>;
  const meant = givenBy(list(policy['bindings']), 'pipelines', policy, wanted, now).filter(([, name]) => {
    const isMeant = ({ organization, project, pipeline }: Fields) =>
      [organization, project, pipeline].join() === [wanted.organization, wanted.project, wanted.pipeline].join();
    // By any grant for this pipeline: what it says comes from the gateway.
    const filled = Object.values(grants)
      .filter(isMeant)
      .flatMap(({ contextParameter }) =>
        contextParameter === undefined ? [] : String(contextParameter).toUpperCase(),
      );
    const grant = grants[name] as Fields;
    return (
      isMeant(grant) &&
      wanted.ref.startsWith('refs/') &&
      (grant['refs'] as Fields[]).some((condition) => holds(condition, wanted.ref, false)) &&
      !Object.keys(wanted.templateParameters).some((given) => filled.includes(given.toUpperCase()))
    );
  });
  const allowed = meant.find(
    ([binding, name]) =>
      requires(binding, wanted) &&
      parametersHold({ parameters: grants[name]?.['templateParameters'] }, wanted.templateParameters),
  );
  if (allowed !== undefined) return allowed[1];
  const reported = meant.find(([binding]) => (binding['mode'] ?? policy['mode']) === 'report');
  return reported === undefined ? 'refused' : `${reported[1]}, reported`;
}

/** Each binding that knows the caller, with each thing of a list that it gives and no deny rule takes away. */
function givenBy(
  bindings: readonly Fields[],
  kind: 'airflow' | 'pipelines',
  policy: Fields,
  wanted: Asker,
  now: number,
): [Fields, string][] {
  const isOpen = (binding: Fields, name: string) =>
    knows(binding, wanted, [kind, name], now) &&
    !list(policy['deny']).some((rule) => strikes(rule, wanted, [kind, name], now));
  return bindings.flatMap((binding) =>
    ((binding[kind] ?? []) as string[]).filter((name) => isOpen(binding, name)).map((name) => [binding, name] as const),
  ) as [Fields, string][];
}

type Asker = Pick<RunPermission, 'caller' | 'evidence'>;

function knows(binding: Fields, { caller }: Asker, [kind, name]: readonly [string, string], now: number): boolean {
  return (
    binding['issuer'] === caller.issuer &&
    binding['runFactsIssuer'] === caller.runFacts?.issuer &&
    ((binding[kind] ?? []) as string[]).includes(name) &&
    all(binding['match']).every((condition) => claimHolds(condition, caller)) &&
    inPeriod(binding, now)
  );
}

function strikes(rule: Fields, { caller }: Asker, [kind, name]: readonly [string, string], now: number): boolean {
  const isAboutAll = ['roles', 'airflow', 'pipelines'].every((word) => rule[word] === undefined);
  return (
    (rule['issuer'] === undefined || rule['issuer'] === caller.issuer) &&
    (isAboutAll || ((rule[kind] ?? []) as string[]).includes(name)) &&
    all(rule['match']).every((condition) => claimHolds(condition, caller)) &&
    inPeriod(rule, now)
  );
}

function requires(binding: Fields, { caller, evidence }: Asker): boolean {
  const wants = (binding['require'] ?? {}) as Fields;
  const facts = [caller.runFacts?.signed.refProtected, caller.signed.refProtected];
  if (wants['refProtected'] && facts.find((fact) => fact !== undefined) !== true) return false;
  return ['approval', 'notRequester'].every((word) => !wants[word] || evidence?.[word] === true);
}

function roleAllows(role: Fields, wanted: RunPermission): boolean {
  const named = (list: string, name: string) => (role[list] as string[]).some((glob) => fits(glob, name));
  return (
    named('modules', wanted.module) &&
    named('tasks', wanted.task) &&
    parametersHold(role, wanted.parameters) &&
    (wanted.workers ?? 1) <= Number(role['maxWorkers'] ?? 1) &&
    (wanted.timeoutMs ?? 0) <= hours(role['maxRuntime'])
  );
}

function parametersHold(role: Fields, parameters: RunPermission['parameters']): boolean {
  const rules = new Map(Object.entries((role['parameters'] ?? {}) as Record<string, Fields>));
  const given = new Map(Object.entries(parameters));
  const mayBeLeftOut = (rule: Fields) => rule['optional'] === true || rule['exists'] === false;
  return (
    (role['otherParameters'] === true || [...given.keys()].every((name) => rules.has(name))) &&
    [...rules].every(([name, rule]) => (given.has(name) ? holds(rule, given.get(name), false) : mayBeLeftOut(rule)))
  );
}

function claimHolds(condition: Fields, caller: RunPermission['caller']): boolean {
  const claims = condition['runFacts'] === true ? caller.runFacts?.claims : caller.claims;
  return holds(condition, claims === undefined ? undefined : find(claims, String(condition['claim'])), true);
}

function find(claims: Fields, claim: string): JsonValue | undefined {
  const steps = claim.startsWith('/') ? claim.slice(1).split('/') : [claim];
  let here: unknown = claims;
  for (const step of steps) {
    const entry =
      typeof here === 'object' && here !== null ? Object.entries(here).find(([name]) => name === step) : undefined;
    here = entry?.[1];
  }
  return here as JsonValue | undefined;
}

/** In a claim a list holds when one of its members does, and null is nothing. */
function holds(condition: Fields, value: JsonValue | undefined, isClaim: boolean): boolean {
  const isThere = value !== undefined && !(isClaim && value === null);
  if ('exists' in condition) return condition['exists'] === isThere;
  if (!isThere) return false;
  if (isClaim && Array.isArray(value) && value.some((member) => holds(condition, member, false))) return true;
  const wanted = 'equals' in condition ? [condition['equals']] : (condition['oneOf'] as unknown[] | undefined);
  if (wanted !== undefined) return wanted.some((one) => canonical(one) === canonical(value));
  return value !== null && typeof value !== 'object' && fits(String(condition['glob']), String(value));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join('|')}]`;
  return value === null || typeof value === 'object' ? `never ${Math.random()}` : `"${value}"`;
}

/** By a regular expression, which the product must not use. */
function fits(glob: string, text: string): boolean {
  const parts = glob.split(/(\*+)/).map((part) => {
    if (part.startsWith('**')) return '[^]*';
    return part === '*' ? '[^./]*' : part.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`).test(text);
}

function inPeriod(rule: Fields, now: number): boolean {
  const at = (field: string) => (rule[field] === undefined ? undefined : Date.parse(String(rule[field])));
  return (at('from') ?? now) <= now && now < (at('until') ?? Number.POSITIVE_INFINITY);
}

function hours(duration: unknown): number {
  return (duration === undefined ? 24 : Number.parseInt(String(duration), 10)) * 3_600_000;
}

function list(rules: unknown): readonly Fields[] {
  return (rules ?? []) as Fields[];
}

function all(match: unknown): readonly Fields[] {
  return list((match as Fields | undefined)?.['all']);
}
