import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';
import { policyAndRequests } from './arbitrary-policy.ts';
import { NOW } from './sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const FILE = (name: string) => ({ files: [{ audience: name, variable: `${name.toUpperCase()}_FILE` }], sharedBy: 'x' });
const IDENTITIES = { i: FILE('i'), j: FILE('j') };
const familyGlobs = fc.uniqueArray(fc.constantFrom('T', 'T*', '*', 'n.*', 'n.**', '**', 'U', '*.T'), {
  minLength: 1,
  maxLength: 2,
});
const entry = fc
  .tuple(familyGlobs, fc.constantFrom('i', 'j', undefined))
  .map(([tasks, identity]) => ({ tasks, ...(identity !== undefined && { identity }) }));
const roleFields = fc
  .tuple(
    fc.option(fc.array(entry, { minLength: 1, maxLength: 3 })),
    fc.uniqueArray(fc.constantFrom('', 'n', 'n.m', 'o'), { minLength: 1, maxLength: 2 }),
  )
  .map(([taskIdentities, namespaces]) => ({
    ...(taskIdentities !== null && { taskIdentities }),
    namespaces,
    sharedNamespaces: 'x',
  }));

/** Families and task ids that the globs and namespaces above tell apart, and some that are none. */
export const FAMILIES = ['T', 'Tx', 'U', 'n.T', 'n.m.T', 'n.m.x.U', 'nm.T', 'o.T', '', 'T-x', '.T', 'n..T', 'ä.T', '7'];

const day = (offset: number) => new Date(NOW + offset * 86_400_000).toISOString().slice(0, 10);
const period = fc.constantFrom<Fields>(
  {},
  {},
  {},
  { until: day(-1), reason: 'x' },
  { from: day(1), reason: 'x' },
  { from: day(-1), until: day(1), reason: 'x' },
);
const roles = fc.uniqueArray(fc.constantFrom('r1', 'r2'), { minLength: 1 });
const member = fc.constantFrom<JsonValue>('x', 'y', 'x.y', true);
const personCondition = fc.tuple(
  fc.constantFrom('groups', 'sub', '/a/b'),
  fc.oneof(
    fc.record({ equals: member }),
    fc.record({ oneOf: fc.array(member, { minLength: 1, maxLength: 2 }) }),
    fc.record({ glob: fc.constantFrom('x*', '**', '*') }),
    fc.constant({ exists: true }),
  ),
);
const viewer = fc
  .tuple(
    fc.array(personCondition, { minLength: 1, maxLength: 2 }),
    fc.oneof(roles, fc.constant('all' as const)),
    fc.constantFrom('read', 'operate', 'admin'),
    period,
  )
  .map(([conditions, given, access, when]) => ({
    match: { all: conditions.map(([claim, one]) => ({ claim, ...one })) },
    roles: access === 'admin' ? 'all' : given,
    access,
    examples: { allow: [{ claims: {} }], deny: [{ claims: {} }] },
    ...when,
  }));

/** Claims of people whom such viewers know, or not. */
export const personClaims: fc.Arbitrary<Record<string, JsonValue>> = fc.dictionary(
  fc.constantFrom('groups', 'sub', 'a'),
  fc.oneof(member, fc.array(member, { maxLength: 2 }), fc.constant<JsonValue>({ b: 'x' }), fc.constant(null)),
  { maxKeys: 3 },
);

export const ADDRESSES = [
  '10.1.2.3',
  '::ffff:10.1.2.3',
  '10.2.0.1',
  '2001:db8::1',
  '2001:DB8:0::1',
  '127.0.0.1',
  'x',
  '',
];
const addressCondition = fc.constantFrom<Fields>(
  { equals: '10.1.2.3' },
  { oneOf: ['2001:db8::1', '127.0.0.1'] },
  { glob: '10.*.*.*' },
  { glob: '10.1.**' },
  { glob: '2001:db8:*' },
  { exists: true },
);
const anonymous = fc
  .tuple(
    fc.array(addressCondition, { minLength: 1, maxLength: 2 }),
    roles,
    fc.constantFrom('report', 'report', 'enforce'),
    period,
  )
  .map(([conditions, given, mode, when]) => ({
    issuer: 'anonymous',
    match: { all: conditions.map((one) => ({ claim: 'address', ...one })) },
    roles: given,
    mode,
    examples: { allow: [{ claims: { address: '::1' } }], deny: [{ claims: { address: '::1' } }] },
    ...when,
  }));
const addressDeny = fc
  .tuple(fc.option(fc.constant('anonymous')), fc.option(addressCondition), fc.option(roles), period)
  .map(([issuer, condition, of, when]) => ({
    ...(issuer !== null && { issuer }),
    ...(condition !== null && { match: { all: [{ claim: 'address', ...condition }] } }),
    ...(of !== null && { roles: of }),
    ...when,
    reason: 'x',
  }));

/** The policies and requests of `policyAndRequests`, with identities, namespaces, viewers and calls that bring nothing. */
export const accessPolicies: fc.Arbitrary<{ policy: Fields; wanted: RunPermission[] }> = fc
  .tuple(
    policyAndRequests,
    fc.tuple(roleFields, roleFields),
    fc.array(fc.option(familyGlobs), { minLength: 4, maxLength: 4 }),
    fc.array(viewer, { maxLength: 4 }),
    fc.array(anonymous, { maxLength: 3 }),
    fc.array(addressDeny, { maxLength: 2 }),
  )
  .map(([{ policy, wanted }, more, narrowed, viewers, calls, denials]) => {
    const own = policy['roles'] as Record<string, Fields>;
    const names = Object.keys(own);
    const hasTokens = new Set(names.filter((_, i) => more[i as 0 | 1].taskIdentities !== undefined));
    const bindings = (policy['bindings'] as Fields[]).map((one, i) => {
      const canNarrow = (one['roles'] as string[]).some((role) => hasTokens.has(role));
      const taskFamilies = narrowed[i] ?? null;
      return { ...one, ...(canNarrow && taskFamilies !== null && { taskFamilies }) };
    });
    return {
      wanted,
      policy: {
        ...policy,
        identities: IDENTITIES,
        roles: Object.fromEntries(names.map((name, i) => [name, { ...own[name], ...more[i as 0 | 1] }])),
        bindings: [...calls.map((one, i) => ({ name: `a${i}`, ...one })), ...bindings],
        deny: [...(policy['deny'] as Fields[]), ...denials.map((one, i) => ({ name: `x${i}`, ...one }))],
        viewers: viewers.map((one, i) => ({ name: `v${i}`, ...one })),
      },
    };
  });
