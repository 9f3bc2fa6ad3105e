import fc from 'fast-check';
import type { Caller } from '#gateway/auth/caller.ts';
import type { AirflowPermission, PipelinePermission } from '#gateway/policy/access-grants.ts';
import {
  arbitraryCaller,
  bindingBody,
  denyBody,
  meant,
  meantCaller,
  parameterRule,
  value,
} from './arbitrary-policy.ts';
import { binding, document } from './sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const PLACE = { organization: 'https://dev.azure.com/fabrikam', project: 'Sales' };
const AIRFLOW = {
  u1: { airflow: 'east', user: '1' },
  u2: { airflow: 'east', user: 'x', role: 'user' },
  u3: { airflow: 'west', user: 'x', role: 'op' },
};
const REFS = ['refs/heads/main', 'refs/heads/dev', 'refs/heads/release/1', 'refs/tags/v1.2'];

const ref = fc.oneof(
  fc.record({ equals: fc.constantFrom(...REFS) }),
  fc.record({ oneOf: fc.uniqueArray(fc.constantFrom(...REFS), { minLength: 1 }) }),
  fc.record({ glob: fc.constantFrom('refs/heads/*', 'refs/heads/**', 'refs/tags/*', 'refs/**', '**', '*') }),
);
const pipelineGrant = fc
  .record({
    pipeline: fc.constantFrom(1, 1, 2),
    refs: fc.array(ref, { minLength: 1, maxLength: 2 }),
    templateParameters: fc.dictionary(fc.constantFrom('a', 'b'), parameterRule, { maxKeys: 2 }),
    contextParameter: fc.constantFrom(undefined, 'c', 'C'),
  })
  .map(({ contextParameter, ...fields }) => ({ ...PLACE, ...fields, ...(contextParameter && { contextParameter }) }));
const names = (...all: string[]) =>
  fc.subarray(all).chain((some) => fc.shuffledSubarray(some, { minLength: some.length }));
const gives = fc.record({ airflow: names('u1', 'u2', 'u3'), pipelines: names('p1', 'p2', 'p3') });

/** What a deny rule is about, beside what it says of roles. */
const about = fc.record({ airflow: names('u1', 'u2', 'u3'), pipelines: names('p1', 'p2', 'p3') }).map(nonEmpty);

export const denyGrant: fc.Arbitrary<Fields> = fc
  .tuple(denyBody, fc.oneof(about, fc.constant({})))
  .map(([body, what]) => ({ ...body, ...what }));

/** Policies in which bindings overlap in what they give, and three requests for each of two kinds. */
export const grantsAndRequests = fc
  .record({
    mode: fc.constantFrom<Fields>({}, { mode: 'report' }),
    pipelines: fc.record({ p1: pipelineGrant, p2: pipelineGrant, p3: pipelineGrant }),
    bindings: fc.array(fc.tuple(bindingBody, gives), { minLength: 1, maxLength: 4 }),
    deny: fc.array(denyGrant, { maxLength: 2 }).map((rules) => (rules.length > 1 ? rules : [])),
  })
  .map(({ mode, pipelines, bindings, deny }): Fields & { bindings: Fields[]; deny: Fields[] } => ({
    ...document({ roles: undefined, ...mode }),
    roles: ROLES,
    airflow: AIRFLOW,
    pipelines,
    bindings: bindings.map(([body, given], i) => ({ ...binding(), ...body, ...nonEmpty(given), name: `b${i}` })),
    deny: deny.map((rule, i) => ({ ...rule, name: `d${i}` })),
  }))
  .chain((policy) =>
    fc.record({
      policy: fc.constant(policy),
      airflow: fc.array(airflowRequest(policy.bindings), { minLength: 5, maxLength: 5 }),
      pipelines: fc.array(pipelineRequest(policy), { minLength: 5, maxLength: 5 }),
    }),
  );

const ROLES = Object.fromEntries(
  ['r1', 'r2'].map((name) => [
    name,
    { modules: ['m'], tasks: ['T'], code: { kind: 'installed', path: '/x', python: 'p' } },
  ]),
);
const evidence = fc.constantFrom(undefined, { approval: true }, { approval: true, notRequester: true });
const dice = fc.array(fc.nat(9), { minLength: 4, maxLength: 4 });

/** Requests of which each is in some parts what one of the bindings gives and in others anything. */
function airflowRequest(bindings: readonly Fields[]): fc.Arbitrary<AirflowPermission> {
  const any = fc.record({
    caller: arbitraryCaller,
    airflow: fc.constantFrom('east', 'east', 'west', 'north'),
    grant: fc.constantFrom(undefined, undefined, 'u1', 'u2', 'u3'),
    evidence,
  });
  return fc.tuple(any, fc.nat(), dice).map(([request, at, thrown]) => {
    const wish = wishOf(bindings, 'airflow', at);
    const grant = String((wish['airflow'] as string[] | undefined)?.[0] ?? 'u1') as keyof typeof AIRFLOW;
    return {
      ...request,
      ...asker(wish, request.caller, thrown),
      ...(isMeant(thrown, 2) && { airflow: AIRFLOW[grant].airflow, grant: isMeant(thrown, 3) ? undefined : grant }),
    };
  });
}

function pipelineRequest(policy: Fields & { bindings: readonly Fields[] }): fc.Arbitrary<PipelinePermission> {
  const grants = policy['pipelines'] as Record<string, Fields>;
  const any = fc.record({
    caller: arbitraryCaller,
    pipeline: fc.constantFrom(1, 1, 2, 3),
    ref: fc.constantFrom(...REFS, 'main'),
    templateParameters: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'A'), value, { maxKeys: 2 }),
    evidence,
  });
  return fc.tuple(any, fc.nat(), dice).map(([request, at, thrown]) => {
    const wish = wishOf(policy.bindings, 'pipelines', at);
    const grant = grants[(wish['pipelines'] as string[] | undefined)?.[0] ?? 'p1'] as Fields;
    return {
      ...PLACE,
      ...request,
      ...asker(wish, request.caller, thrown),
      ...(isMeant(thrown, 2) && { pipeline: Number(grant['pipeline']), ref: fittingRef(grant, request.ref) }),
      ...(isMeant(thrown, 3) && { templateParameters: fitting(grant) }),
    };
  });
}

function isMeant(thrown: readonly number[], part: number): boolean {
  return (thrown[part] ?? 0) > 1;
}

/** A binding, one that gives such a thing where there is one. */
function wishOf(bindings: readonly Fields[], kind: 'airflow' | 'pipelines', at: number): Fields {
  const giving = bindings.filter((one) => one[kind] !== undefined);
  const some = giving.length > 0 ? giving : bindings;
  return some[at % some.length] as Fields;
}

function asker(wish: Fields, any: Caller, thrown: readonly number[]) {
  return {
    ...(isMeant(thrown, 0) && { caller: meantCaller(wish, any) }),
    ...(isMeant(thrown, 1) && { evidence: { approval: true, notRequester: true } }),
  };
}

function fitting(grant: Fields): PipelinePermission['templateParameters'] {
  const rules = Object.entries(grant['templateParameters'] as Record<string, Fields>);
  return Object.fromEntries(rules.map(([name, rule]) => [name, meant(rule)]));
}

function fittingRef(grant: Fields, any: string): string {
  const [first = {}] = grant['refs'] as Fields[];
  return 'glob' in first ? any : String(meant(first));
}

function nonEmpty(lists: Readonly<Record<string, readonly string[]>>): Fields {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}
