import type { Policy } from '../policy/policy.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';

/** The policy, with every decision counted. */
export function countedPolicy(policy: Policy, metrics: Pick<GatewayMetrics, 'decided'>): Policy {
  const { sha256, issuers, roles, legacy } = policy;
  return {
    sha256,
    issuers,
    roles,
    legacy,
    decideTask: (decision, family) => policy.decideTask(decision, family),
    viewer: (claims, now) => policy.viewer(claims, now),
    anonymous: (address, now) => policy.anonymous(address, now),
    namespacesOf: (role) => policy.namespacesOf(role),
    decide: (wanted, now) => {
      const decision = policy.decide(wanted, now);
      metrics.decided(decision);
      return decision;
    },
  };
}
