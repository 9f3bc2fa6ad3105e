import { Secret } from '#core/secret.ts';
import type { GatewayOfWorker } from './launcher.ts';

/** The field `gateway` of docs/worker-protocol.md. Standard input is the only way on which the token reaches the worker. */
export function gatewayAccess({ token, identities, luigid, timeoutSeconds }: GatewayOfWorker, socket: string): object {
  return { socket, token: token.reveal(), identities, luigid, timeoutSeconds };
}

/** What no output of the run may show. */
export function gatewaySecrets(gateway: GatewayOfWorker | undefined): readonly Secret[] {
  if (gateway === undefined) return [];
  const { token, stock } = gateway;
  if (stock === undefined) return [token];
  // As an Authorization header has it, too.
  const basic = Buffer.from(`${stock.workerId}:${stock.password.reveal()}`).toString('base64');
  return [token, stock.password, new Secret(basic)];
}

/** For a stock Luigi that a task starts: `[core] default_scheduler_url` and `[worker] id`. */
export function gatewayVariables(gateway: GatewayOfWorker | undefined): Record<string, string> {
  const { stock } = gateway ?? {};
  if (stock === undefined) return {};
  return { PLUMBLINE_SCHEDULER_URL: stock.schedulerUrl.reveal(), PLUMBLINE_WORKER_ID: stock.workerId };
}
