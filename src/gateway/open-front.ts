import type { Front } from './app/front.ts';
import type { Readiness } from './app/readiness.ts';
import type { WorkerTokens } from './auth/worker-tokens.ts';
import type { GatewayGround } from './gateway-ground.ts';
import { openLuigidFront } from './luigid/luigid-front.ts';
import type { PolicyFile } from './policy/policy-file.ts';
import type { OpenSignIn } from './sign-in/open-sign-in.ts';
import type { Workers } from './workers/worker.ts';

export interface FrontOptions {
  readonly workers: Workers;
  readonly workerTokens: WorkerTokens;
  readonly policyFile: PolicyFile;
  readonly readiness: Readiness;
  readonly signIn: OpenSignIn | undefined;
}

/** The way to luigid, where it leads through this gateway. */
export function openFront(
  { config, options, audit, metrics, closers }: GatewayGround,
  { workers, workerTokens, policyFile, readiness, signIn }: FrontOptions,
): Front | undefined {
  const { luigid, transport, publicUrl, timeouts } = config;
  const { log, clock } = options;
  if (luigid?.proxied !== true) return undefined;
  const front = openLuigidFront({
    upstream: luigid.upstream,
    workers,
    workerTokens,
    policy: () => policyFile.policy,
    signIn,
    audit,
    clock,
    log: log.child({ room: 'luigid' }),
    metrics,
    readiness,
    trustedProxies: transport.kind === 'behindProxy' ? transport.trustedProxies : undefined,
    publicUrl,
    timeouts,
  });
  closers.push(() => front.close());
  return front;
}
