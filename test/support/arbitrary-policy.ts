import fc from 'fast-check';
import type { JsonValue } from '#core/json.ts';
import type { Caller } from '#gateway/auth/caller.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';
import { binding, document, NOW, ROLE, token } from './sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

// Few names and values, so that rules and requests meet.
const name = fc.constantFrom('a', 'b', 'c');
const scalar = fc.constantFrom<JsonValue>('x', 'y', 'x.y', 'x/z', '', '1', 1, true, 'true', false);
/** A parameter's value. */
export const value: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.constant(null),
  fc.constantFrom<JsonValue>({ a: 'x' }, { b: 1 }, {}),
);
const glob = fc.string({ unit: fc.constantFrom('x', 'y', '.', '/', '*', '**'), minLength: 1, maxLength: 4 });
const operator = (exists: fc.Arbitrary<boolean>): fc.Arbitrary<Fields> =>
  fc.oneof(
    fc.record({ equals: fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })) }),
    fc.record({ oneOf: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
    fc.record({ glob }),
    fc.record({ exists }),
  );
const claim = fc.oneof(name, fc.constantFrom('/a', '/a/b', '/a/a', '/c/0', 'toString', '/a/length'));
const condition = (exists: fc.Arbitrary<boolean>, runFacts: boolean): fc.Arbitrary<Fields> =>
  fc
    .tuple(claim, operator(exists), runFacts ? fc.boolean() : fc.constant(false))
    .map(([of, one, beside]) => ({ claim: of, ...one, ...(beside && { runFacts: true }) }));
const roles = fc.uniqueArray(fc.constantFrom('r1', 'r2'), { minLength: 1 });
const day = (offset: number) => new Date(NOW + offset * 86_400_000).toISOString().slice(0, 10);
const period = fc.constantFrom<Fields>(
  {},
  {},
  {},
  { from: day(-1), reason: 'x' },
  { from: day(2), reason: 'x' },
  { until: day(-1), reason: 'x' },
  { from: day(-2), until: day(2), reason: 'x' },
);
const requirement = fc.constantFrom<Fields>(
  {},
  {},
  { require: { refProtected: true } },
  { require: { approval: true } },
  { require: { approval: true, notRequester: true } },
);
const mode = fc.constantFrom<Fields>({}, {}, { mode: 'enforce' }, { mode: 'report' });

/** A binding for some of two roles; without a name. */
export const bindingBody = fc
  .tuple(fc.constantFrom('gitlab', 'gitlab', 'entra'), fc.boolean())
  .chain(([issuer, facts]) =>
    fc
      .tuple(
        fc.array(condition(fc.constant(true), facts), { minLength: 1, maxLength: 2 }),
        roles,
        period,
        requirement,
        mode,
      )
      .map(([conditions, given, when, need, how]) => ({
        issuer,
        ...(facts && { runFactsIssuer: 'pipelines' }),
        match: { all: conditions },
        roles: given,
        examples: { allow: [{ claims: {}, role: 'r1' }], deny: [{ claims: {}, role: 'r1' }] },
        ...when,
        ...need,
        ...how,
      })),
  );

/** A deny rule; without a name. */
export const denyBody: fc.Arbitrary<Fields> = fc
  .tuple(
    fc.option(fc.constantFrom('gitlab', 'entra')),
    fc.option(fc.array(condition(fc.boolean(), true), { minLength: 1, maxLength: 2 })),
    fc.option(roles),
    period,
  )
  .map(([issuer, conditions, of, when]) => ({
    ...(issuer !== null && { issuer }),
    ...(conditions !== null && { match: { all: conditions } }),
    ...(of !== null && { roles: of }),
    ...when,
    reason: 'because',
  }));

/** What a parameter may be. */
export const parameterRule = fc
  .tuple(operator(fc.boolean()), fc.boolean())
  .map(([one, optional]) => ({ ...one, ...(optional && { optional }) }));
const role = fc
  .record({
    modules: fc.array(fc.constantFrom('m', 'm.*', 'n.**', '**'), { minLength: 1, maxLength: 2 }),
    tasks: fc.array(fc.constantFrom('T', 'T*', '*'), { minLength: 1, maxLength: 2 }),
    parameters: fc.dictionary(name, parameterRule, { maxKeys: 2 }),
    otherParameters: fc.boolean(),
    maxWorkers: fc.constantFrom(1, 4),
    maxRuntime: fc.constantFrom('1h', '2h'),
  })
  .map((fields) => ({ ...ROLE, ...fields, modules: [...new Set(fields.modules)], tasks: [...new Set(fields.tasks)] }));

/** Policies of the right shape, in which rules overlap. */
const arbitraryPolicy: fc.Arbitrary<Fields> = fc
  .record({
    mode,
    roles: fc.record({ r1: role, r2: role }),
    bindings: fc.array(bindingBody, { minLength: 1, maxLength: 4 }),
    deny: fc.array(denyBody, { maxLength: 2 }).map((rules) => (rules.length > 1 ? rules : [])),
  })
  .map((parts) => ({
    ...document({ roles: parts.roles, ...parts.mode }),
    bindings: parts.bindings.map((body: Fields, i: number) => ({ ...binding(), ...body, name: `b${i}` })),
    deny: parts.deny.map((body: Fields, i: number) => ({ ...body, name: `d${i}` })),
  }));

const claims = fc.dictionary(name, value, { maxKeys: 3 });
const signed = fc.constantFrom<Caller['signed']>({}, {}, { refProtected: true }, { refProtected: false });

export const arbitraryCaller: fc.Arbitrary<Caller> = fc
  .tuple(fc.constantFrom('gitlab', 'gitlab', 'entra'), claims, signed, fc.option(fc.tuple(claims, signed)))
  .map(([issuer, own, facts, beside]) => ({
    ...token(issuer as 'gitlab' | 'entra', own),
    signed: facts,
    scope: '',
    runFacts: beside === null ? undefined : { ...token('pipelines', beside[0]), signed: beside[1] },
  }));

const anyPermission: fc.Arbitrary<RunPermission> = fc.record({
  caller: arbitraryCaller,
  role: fc.constantFrom('r1', 'r1', 'r2', 'r3'),
  module: fc.constantFrom('m', 'm.x', 'n.x.y'),
  task: fc.constantFrom('T', 'Tx', 'U'),
  parameters: fc.dictionary(name, value, { maxKeys: 2 }),
  workers: fc.constantFrom(undefined, 1, 2, 5),
  timeoutMs: fc.constantFrom(undefined, 3_600_000, 5_400_000, 9_000_000),
  evidence: fc.constantFrom(
    undefined,
    {},
    { approval: true },
    { approval: true, notRequester: true },
    { approval: false },
  ),
});

/** A policy and requests, of which each is in some parts what one of the bindings asks for and in others anything. */
export const policyAndRequests: fc.Arbitrary<{ policy: Fields; wanted: RunPermission[] }> = arbitraryPolicy.chain(
  (policy) =>
    fc.record({
      policy: fc.constant(policy),
      wanted: fc.array(
        fc
          .tuple(fc.nat(9), anyPermission, fc.array(fc.nat(9), { minLength: 5, maxLength: 5 }))
          .map(([at, any, dice]) => mixed(policy, at, any, dice)),
        { minLength: 10, maxLength: 10 },
      ),
    }),
);

function mixed(policy: Fields, at: number, any: RunPermission, dice: readonly number[]): RunPermission {
  const bindings = policy['bindings'] as Fields[];
  const wish = bindings[at % bindings.length] as Fields;
  const role = (wish['roles'] as string[])[0] ?? 'r1';
  const rules = ((policy['roles'] as Record<string, Fields>)[role]?.['parameters'] ?? {}) as Record<string, Fields>;
  const isMeant = (i: number) => (dice[i] ?? 0) > 1;
  return {
    ...any,
    ...(isMeant(0) && { caller: meantCaller(wish, any.caller) }),
    ...(isMeant(1) && { role }),
    ...(isMeant(2) && { parameters: Object.fromEntries(Object.entries(rules).map(([of, rule]) => [of, meant(rule)])) }),
    ...(isMeant(3) && { evidence: { approval: true, notRequester: true } }),
    ...(isMeant(4) && { module: 'm', task: 'T', workers: undefined, timeoutMs: undefined }),
  };
}

/** Whom a binding knows. */
export function meantCaller(wish: Fields, any: Caller): Caller {
  const conditions = (wish['match'] as { all: Fields[] }).all;
  const claimsOf = (beside: boolean) =>
    Object.fromEntries(
      conditions
        .filter(({ claim: of, runFacts }) => (runFacts === true) === beside && !String(of).includes('/'))
        .map((one) => [String(one['claim']), meant(one)]),
    );
  const { signed: facts } = any;
  const own = token(wish['issuer'] as 'gitlab' | 'entra', { ...any.claims, ...claimsOf(false) });
  const beside = wish['runFactsIssuer'] === undefined ? undefined : token('pipelines', claimsOf(true));
  return { ...own, signed: { refProtected: true, ...facts }, scope: '', runFacts: beside };
}

/** A value that satisfies a condition. */
export function meant(condition: Fields): JsonValue {
  if ('equals' in condition) return condition['equals'] as JsonValue;
  if ('oneOf' in condition) return (condition['oneOf'] as JsonValue[]).at(-1) ?? null;
  return String(condition['glob'] ?? 'x').replaceAll('*', 'y');
}
