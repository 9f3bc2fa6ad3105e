import type { ServiceConnection } from '#core/connection.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import type { RunRef } from '#core/run.ts';
import type { GatewayRunFacts } from '#engines/luigi/gateway-run.ts';
import type { LuigiGatewayEngine } from '#engines/luigi/luigi-gateway.ts';
import type { GatewayIdentity } from '#identity/gateway-identity.ts';
import type { GatewayFacts, SecretUse } from '#report/schema.ts';
import type { Delivery } from '../deliver.ts';
import { identityFacts } from '../identity-facts.ts';

const ASK_MS = 15_000;
/** A cancelled step is killed soon. */
const CANCELLED_ASK_MS = 1_500;

interface Surroundings {
  readonly identity: GatewayIdentity;
  readonly connection: ServiceConnection;
  readonly host: Host;
  readonly signal: AbortSignal;
}

/** Whom the step signed in as, under which rules the gateway ran it, and which secrets it says it read. */
export async function gatewayReceipt(
  engine: LuigiGatewayEngine,
  ref: RunRef,
  { identity, connection, host, signal }: Surroundings,
): Promise<Pick<Delivery, 'grants' | 'gateway'>> {
  const facts = await ask(engine, ref, host, signal);
  const { federated } = identity;
  return {
    grants: {
      identity: federated && identityFacts(federated, connection),
      uses: (facts?.secrets ?? []).map(useOf),
    },
    gateway: facts && gatewayFacts(facts, engine.url, ref, identity),
  };
}

/** Missing facts are told; they change nothing about how the run ended. */
async function ask(
  engine: LuigiGatewayEngine,
  ref: RunRef,
  host: Host,
  signal: AbortSignal,
): Promise<GatewayRunFacts | undefined> {
  try {
    return await engine.facts(ref, AbortSignal.timeout(signal.aborted ? CANCELLED_ASK_MS : ASK_MS));
  } catch (thrown) {
    const { message, code } = asPlumblineError(thrown);
    host.issue({ type: 'warning', message: `The report lacks what the gateway knows of the run: ${message}`, code });
    return undefined;
  }
}

function gatewayFacts(facts: GatewayRunFacts, url: string, ref: RunRef, { kind }: GatewayIdentity): GatewayFacts {
  const { secrets: _, ...rest } = facts;
  return { url, runId: ref.handle, authentication: kind, ...rest };
}

function useOf({ vault, name, version, target }: GatewayRunFacts['secrets'][number]): SecretUse {
  return { vault, name, version, target };
}
