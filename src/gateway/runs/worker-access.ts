import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import type { WorkerTokens } from '../auth/worker-tokens.ts';
import type { GatewayOfWorker } from '../launch/launcher.ts';
import type { Role } from '../policy/role.ts';

/** What workers ask of this gateway while they run. Where: by the socket of their Unix user. */
export interface WorkerAccess {
  readonly tokens: Pick<WorkerTokens, 'issue' | 'schedulerPassword'>;
  /** Tokens of tasks are issued here. */
  readonly issues: boolean;
  /** URL of the luigid that is reached through this gateway only, without a credential; absent: workers reach luigid by themselves. */
  readonly luigid?: string | undefined;
}

/** What is shown instead of where luigid is: only the gateway's sockets lead there. */
export const PROXIED_LUIGID = 'http://luigid.plumbline.invalid/luigid';

/** For how long a worker waits for a gateway that starts again. */
const PATIENCE_SECONDS = 60;

/**
 * What one worker needs to reach this gateway; `undefined`: nothing there is for it.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID` for a role whose tasks have identities at a gateway that issues none
 */
export function gatewayOfWorker(
  access: WorkerAccess | undefined,
  role: Role,
  workerId: string,
): GatewayOfWorker | undefined {
  const identities = role.taskIdentities !== undefined;
  if (identities && access?.issues !== true) throw noIssuer(role);
  const luigid = access?.luigid !== undefined && role.scheduler === undefined;
  if (access === undefined || !(identities || luigid)) return undefined;
  return {
    token: new Secret(access.tokens.issue(workerId)),
    identities,
    luigid,
    timeoutSeconds: PATIENCE_SECONDS,
    ...(luigid && role.stockLuigi && { stock: stockLuigi(access, workerId) }),
  };
}

function stockLuigi({ luigid, tokens }: WorkerAccess, workerId: string): GatewayOfWorker['stock'] {
  const password = tokens.schedulerPassword(workerId);
  const url = new URL(luigid as string);
  url.username = workerId;
  url.password = password;
  return { workerId, schedulerUrl: new Secret(url.href), password: new Secret(password) };
}

function noIssuer({ name }: Role): PlumblineError {
  return new PlumblineError(
    'ERR_CONFIG_INVALID',
    `The tasks of role '${name}' cannot have identities: this gateway issues no tokens`,
    { remedy: "Add 'issuer' to gateway.yaml, or take 'taskIdentities' from the role.", details: { field: 'issuer' } },
  );
}
