import { join } from 'node:path';
import { luigiPython } from './luigi-scenario.ts';
import type { ServedGateway } from './served-gateway.ts';

/** Who trusts the tokens of the two identities that most tests have. */
export const AUDIENCE = 'https://vault.contoso.example';

/** The parts of a policy that a test has in its hand. */
export interface IdentityPolicy {
  identities: Record<string, object>;
  roles: Record<string, Record<string, unknown>>;
  bindings: Record<string, unknown>[];
  deny?: object[];
}

/** The same bindings for several roles; their examples are for the first. */
export function bindingsOf({ bindings }: IdentityPolicy, roles: readonly string[]): IdentityPolicy['bindings'] {
  const [role] = roles;
  const named = (examples: unknown) => (examples as object[]).map((example) => ({ ...example, role }));
  return bindings.map((binding) => {
    const { allow, deny } = binding['examples'] as { allow: unknown; deny: unknown };
    return { ...binding, roles, examples: { allow: named(allow), deny: named(deny) } };
  });
}

/** Where the tasks of test/fixtures/task-identities are for the gateway's workers. */
export function codeOf({ folder }: ServedGateway): string {
  return join(folder, 'code');
}

/**
 * One role whose families have two identities, and families that have none.
 *
 * @param hasLuigid the role's workers go to the luigid of the gateway
 */
export function usualPolicy(served: ServedGateway, python: string | undefined, hasLuigid: boolean): IdentityPolicy {
  const base = served.policy() as IdentityPolicy & { roles: { etl: Record<string, unknown> } };
  const { scheduler, ...role } = base.roles.etl;
  const file = { files: [{ audience: AUDIENCE, variable: 'TASK_TOKEN_FILE' }] };
  const etl = {
    ...role,
    ...(!hasLuigid && { scheduler }),
    modules: ['identities', 'clouds'],
    tasks: ['**'],
    maxWorkers: 8,
    attempts: 1,
    namespaces: [''],
    code: { kind: 'installed', path: codeOf(served), python: python ?? luigiPython() },
    taskIdentities: [
      { tasks: ['First', 'Leaf'], identity: 'sales' },
      { tasks: ['Second', 'Third'], identity: 'stock' },
      { tasks: ['Plain', 'Wide'] },
    ],
  };
  return { ...base, identities: { sales: file, stock: file }, roles: { etl } };
}
