import type { ActivePeriod, Binding, ClaimCondition, DenyRule } from './binding.ts';
import { claimReader } from './claim-path.ts';
import { compileIssuer } from './compile-issuer.ts';
import { compileRole } from './compile-role.ts';
import { compileCondition } from './condition.ts';
import { parseInstant } from './instant.ts';
import { LoadedPolicy } from './loaded-policy.ts';
import { LEGACY_ISSUER } from './policy.ts';
import type {
  BindingEntry,
  ConditionEntry,
  DenyEntry,
  LegacyEntry,
  Mode,
  Period,
  PolicyDocument,
  Requirement,
} from './policy-document.ts';
import type { Place } from './schema-problems.ts';

/** A document that was checked, ready to decide. */
export function compilePolicy(document: PolicyDocument, sha256: string, file: string, place: Place): LoadedPolicy {
  const { issuers, roles, bindings, deny = [], legacy = [], mode = 'enforce' } = document;
  const compiled = [...bindings.map((entry, i) => compileBinding(entry, i, mode)), ...legacy.map(compileLegacy)];
  return new LoadedPolicy({
    file,
    sha256,
    document,
    place,
    issuers: new Map(Object.entries(issuers).map(([name, entry]) => [name, compileIssuer(name, entry)])),
    roles: new Map(Object.entries(roles).map(([name, entry]) => [name, compileRole(name, entry)])),
    bindings: compiled,
    bindingsOf: byIssuer(compiled),
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
    mode: entry.mode ?? mode,
    require: Object.keys(require) as Requirement[],
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
    mode: 'enforce',
    require: [],
    ...periodOf({ until }),
  };
}

function compileDeny(entry: DenyEntry): DenyRule {
  const { name, issuer, match, roles } = entry;
  return {
    name,
    issuer,
    conditions: (match?.all ?? []).map(compileClaimCondition),
    roles: roles && new Set(roles),
    ...periodOf(entry),
  };
}

function compileClaimCondition(entry: ConditionEntry): ClaimCondition {
  const { claim, runFacts = false } = entry;
  return { ...compileCondition(entry), claim, read: claimReader(claim), runFacts };
}

function periodOf({ from, until }: Period): ActivePeriod {
  return { from: parseInstant(from ?? ''), until: parseInstant(until ?? '') };
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
