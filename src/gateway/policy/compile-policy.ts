import type { ActivePeriod, Binding, ClaimCondition, DenyRule, Viewer } from './binding.ts';
import { claimReader } from './claim-path.ts';
import { compileAirflow, compilePipelines } from './compile-grants.ts';
import { compileIdentity } from './compile-identity.ts';
import { compileIssuer } from './compile-issuer.ts';
import { compileRole } from './compile-role.ts';
import { compileCondition } from './condition.ts';
import { Glob } from './glob.ts';
import { parseInstant } from './instant.ts';
import { LoadedPolicy } from './loaded-policy.ts';
import { ANONYMOUS_ISSUER, LEGACY_ISSUER } from './policy.ts';
import type {
  BindingEntry,
  ConditionEntry,
  DenyEntry,
  LegacyEntry,
  Mode,
  Period,
  PolicyDocument,
  Requirement,
  ViewerEntry,
} from './policy-document.ts';
import type { Place } from './schema-problems.ts';

/** A document that was checked, ready to decide. */
export function compilePolicy(document: PolicyDocument, sha256: string, file: string, place: Place): LoadedPolicy {
  const { issuers, roles, bindings, deny = [], legacy = [], viewers = [], mode = 'enforce' } = document;
  const identities = mapped(document.identities ?? {}, compileIdentity);
  const compiled = [...bindings.map((entry, i) => compileBinding(entry, i, mode)), ...legacy.map(compileLegacy)];
  return new LoadedPolicy({
    file,
    sha256,
    document,
    place,
    issuers: mapped(issuers, compileIssuer),
    identities,
    roles: mapped(roles, (name, entry) => compileRole(name, entry, identities)),
    airflow: mapped(document.airflow ?? {}, compileAirflow),
    pipelines: compilePipelines(document.pipelines ?? {}),
    bindings: compiled,
    bindingNamed: new Map(compiled.map((binding) => [binding.name, binding])),
    bindingsOf: byIssuer(compiled.filter((binding) => !isAnonymous(binding))),
    anonymous: compiled.filter(isAnonymous),
    viewers: viewers.map((entry) => compileViewer(entry, roles)),
    deny: deny.map(compileDeny),
    legacy: legacy.map(({ name, sha256, until }) => ({ name, sha256, until: parseInstant(until) ?? 0 })),
  });
}

function compileBinding(entry: BindingEntry, index: number, mode: Mode): Binding {
  const { name, issuer, runFactsIssuer, match, roles, require = {} } = entry;
  return {
    name,
    issuer,
    runFactsIssuer,
    conditions: match.all.map(compileClaimCondition),
    roles: new Set(roles),
    airflow: new Set(entry.airflow),
    pipelines: new Set(entry.pipelines),
    mode: entry.mode ?? mode,
    require: Object.keys(require) as Requirement[],
    families: entry.taskFamilies?.map((pattern) => new Glob(pattern)),
    index,
    ...periodOf(entry),
  };
}

/** A credential of old is bound by its name, like a caller whose subject is known. */
function compileLegacy({ name, until, roles }: LegacyEntry): Binding {
  return {
    name,
    issuer: LEGACY_ISSUER,
    conditions: [compileClaimCondition({ claim: 'sub', equals: name })],
    roles: new Set(roles),
    airflow: new Set(),
    pipelines: new Set(),
    mode: 'enforce',
    require: [],
    ...periodOf({ until }),
  };
}

function compileDeny(entry: DenyEntry): DenyRule {
  const { name, issuer, match, roles, airflow, pipelines } = entry;
  return {
    name,
    issuer,
    conditions: (match?.all ?? []).map(compileClaimCondition),
    roles: roles && new Set(roles),
    airflow: airflow && new Set(airflow),
    pipelines: pipelines && new Set(pipelines),
    ...periodOf(entry),
  };
}

function compileViewer(entry: ViewerEntry, roles: PolicyDocument['roles']): Viewer {
  const { name, match, access } = entry;
  const own = entry.roles === 'all' ? [] : entry.roles.flatMap((role) => roles[role]?.namespaces ?? []);
  const namespaces = entry.roles === 'all' ? 'all' : [...new Set(own)];
  return { name, conditions: match.all.map(compileClaimCondition), access, namespaces, ...periodOf(entry) };
}

function isAnonymous({ issuer }: Binding): boolean {
  return issuer === ANONYMOUS_ISSUER;
}

function compileClaimCondition(entry: ConditionEntry): ClaimCondition {
  const { claim, runFacts = false } = entry;
  return { ...compileCondition(entry), claim, read: claimReader(claim), runFacts };
}

function periodOf({ from, until }: Period): ActivePeriod {
  return { from: parseInstant(from ?? ''), until: parseInstant(until ?? '') };
}

function mapped<Entry, Compiled>(
  entries: Readonly<Record<string, Entry>>,
  compile: (name: string, entry: Entry) => Compiled,
): Map<string, Compiled> {
  return new Map(Object.entries(entries).map(([name, entry]) => [name, compile(name, entry)]));
}

function byIssuer(bindings: readonly Binding[]): ReadonlyMap<string, readonly Binding[]> {
  const groups = new Map<string, Binding[]>();
  for (const binding of bindings) {
    const group = groups.get(binding.issuer);
    if (group === undefined) groups.set(binding.issuer, [binding]);
    else group.push(binding);
  }
  return groups;
}
