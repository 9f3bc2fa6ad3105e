import type { Policy } from '../policy/policy.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';

/** The policy, with every decision counted. */
export function countedPolicy(policy: Policy, metrics: Pick<GatewayMetrics, 'decided'>): Policy {
  const { sha256, issuers, roles, legacy, airflow, pipelines } = policy;
  const counted = <Decided extends Parameters<typeof metrics.decided>[0]>(decision: Decided): Decided => {
    metrics.decided(decision);
    return decision;
  };
  return {
    sha256,
    issuers,
    roles,
    legacy,
    airflow,
    pipelines,
    decideTask: (decision, family) => policy.decideTask(decision, family),
    viewer: (claims, now) => policy.viewer(claims, now),
    anonymous: (address, now) => policy.anonymous(address, now),
    namespacesOf: (role) => policy.namespacesOf(role),
    decide: (wanted, now) => counted(policy.decide(wanted, now)),
    decideAirflow: (wanted, now) => counted(policy.decideAirflow(wanted, now)),
    decidePipeline: (wanted, now) => counted(policy.decidePipeline(wanted, now)),
  };
}
