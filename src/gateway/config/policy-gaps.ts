import type { Policy } from '../policy/policy.ts';
import type { Role } from '../policy/role.ts';
import type { GatewayConfig } from './gateway-config.ts';

/** What a policy gives its roles and this gateway does not have: sentences for whoever sets it up. Their runs do not get far. */
export function policyGaps(
  { issuer, luigid }: Pick<GatewayConfig, 'issuer' | 'luigid'>,
  { roles }: Pick<Policy, 'roles'>,
): readonly string[] {
  const isProxied = luigid?.proxied === true;
  const gapsOf = ({ name, taskIdentities, stockLuigi, namespaces, scheduler }: Role): readonly (string | false)[] => [
    issuer === undefined &&
      taskIdentities !== undefined &&
      `role '${name}' has taskIdentities, and the configuration no issuer: its runs are not started`,
    !isProxied &&
      stockLuigi &&
      `role '${name}' has stockLuigi, and the configuration no luigid behind the gateway: no such worker is registered`,
    isProxied &&
      scheduler === undefined &&
      namespaces.length === 0 &&
      `role '${name}' works at the luigid behind the gateway and has no namespaces: its workers can do nothing there`,
  ];
  return [...roles.values()].flatMap(gapsOf).filter((gap) => gap !== false);
}
