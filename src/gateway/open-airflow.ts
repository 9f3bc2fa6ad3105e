import { machineIdentity } from '#identity/machine-identity.ts';
import { type AirflowIssuer, airflowIssuer, collision } from './airflow/airflow-issuer.ts';
import { AirflowKeyFile } from './airflow/airflow-key-file.ts';
import { airflowTokens } from './airflow/airflow-tokens.ts';
import { keptAirflowKeys } from './airflow/kept-airflow-keys.ts';
import { OpeningKeys } from './airflow/opening-keys.ts';
import type { AirflowServices } from './app/airflow-routes.ts';
import type { AirflowConfig } from './config/gateway-config.ts';
import type { GatewayGround } from './gateway-ground.ts';
import { openSigningKeys } from './issuer/open-signing-keys.ts';
import type { PolicyFile } from './policy/policy-file.ts';

/** This gateway as an issuer of tokens for Airflows; `undefined` when it has none. A key is on record before it is anything. */
export async function openAirflow(
  ground: GatewayGround,
  policyFile: Pick<PolicyFile, 'policy'>,
): Promise<AirflowServices | undefined> {
  const { config, options, audit } = ground;
  if (config.airflow.size === 0) return undefined;
  // At the same time: vaults that are away are waited for once.
  const opened = await Promise.all([...config.airflow.values()].map((one) => openOne(ground, one)));
  const issuers = new Map(opened.map((issuer) => [issuer.config.name, issuer]));
  const tokens = airflowTokens({ issuers, policy: () => policyFile.policy, audit, clock: options.clock });
  return { issuers, tokens };
}

async function openOne(ground: GatewayGround, config: AirflowConfig): Promise<AirflowIssuer> {
  const { options, http, audit, closers } = ground;
  const { clock } = options;
  const { name } = config;
  const log = options.log.child({ airflow: name });
  const audited = async (keyId: string, result: string) => {
    await audit.append({ type: 'dev.plumbline.airflow.key', subject: name, data: { airflow: name, keyId, result } });
  };
  const kept = keptAirflowKeys(config, ground.config.stateDirectory);
  const identity = () => machineIdentity(ground.config.identity, { http, clock, mask: () => {} });
  const keys = await OpeningKeys.open(() => openSigningKeys(kept, { clock, log, audited, identity, http }), {
    clock,
    log,
  });
  closers.push(() => keys.close());
  const file = await AirflowKeyFile.open({
    path: config.publicKeysFile,
    clock,
    log,
    audited,
    refuses: (own) => collision(own, keys.published()),
  });
  closers.push(() => file.close());
  return airflowIssuer({ config, keys, file, clock });
}
