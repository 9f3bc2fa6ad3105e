import type { Caller } from '../auth/caller.ts';
import { anonymousCaller } from './anonymous-caller.ts';
import type { Binding } from './binding.ts';
import { callerChecks } from './binding-checks.ts';
import { denies } from './decide-question.ts';
import type { ExampleTime } from './example-time.ts';
import type { AnonymousPermission } from './luigid-access.ts';
import type { PolicyParts } from './policy-parts.ts';

/**
 * What a call from an address may do that brings nothing: what the roles have of all bindings in report mode that know it now, less
 * those roles of which a binding in enforce mode knows it, or a deny rule strikes. `undefined`: nothing.
 */
export function decideAnonymous(parts: PolicyParts, address: string, now: number): AnonymousPermission | undefined {
  const caller = parts.anonymous.length === 0 ? undefined : anonymousCaller(address);
  if (caller === undefined) return undefined;
  const known = parts.anonymous.filter((binding) => knows(binding, caller, now));
  const closed = new Set(known.flatMap(({ mode, roles }) => (mode === 'enforce' ? [...roles] : [])));
  const isOpen = (role: string) =>
    !closed.has(role) && !isAnonymousDenied(parts, caller, role, { now, counts: () => true });
  const reporting = known.filter(({ mode, roles }) => mode === 'report' && [...roles].some(isOpen));
  const [first] = reporting;
  if (first === undefined) return undefined;
  const roles = new Set(reporting.flatMap((binding) => [...binding.roles].filter(isOpen)));
  const namespaces = [...new Set([...roles].flatMap((role) => parts.roles.get(role)?.role.namespaces ?? []))];
  const rules = reporting.map(({ name }) => name);
  return {
    permission: { read: namespaces, operate: namespaces, admin: false, rules, policy: parts.sha256 },
    binding: first.name,
  };
}

function knows(binding: Binding, caller: Caller, now: number): boolean {
  for (const { held } of callerChecks(binding, { caller }, now)) if (!held) return false;
  return true;
}

/** Whether a deny rule that counts strikes for a role. */
export function isAnonymousDenied(
  { deny }: PolicyParts,
  caller: Caller,
  role: string,
  { now, counts }: ExampleTime,
): boolean {
  return deny.some((rule) => counts(rule) && denies(rule, { caller }, { kind: 'roles', name: role }, now));
}
