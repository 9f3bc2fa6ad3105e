import type { Logger } from 'pino';
import type { Authenticator } from './auth/authenticator.ts';
import { createAuthenticator } from './auth/create-authenticator.ts';
import { policyGaps } from './config/policy-gaps.ts';
import type { GatewayGround } from './gateway-ground.ts';
import { PolicyFile } from './policy/policy-file.ts';

export interface PolicyParts {
  readonly policyFile: PolicyFile;
  readonly authenticator: Authenticator;
  /** Calls when another policy is in force. */
  onChange(changed: () => void): void;
}

/** A policy is on record before it is in force, and in force with its issuers or not at all. */
export async function openPolicy({
  config,
  options,
  http,
  audit,
  metrics,
  closers,
}: GatewayGround): Promise<PolicyParts> {
  const { log, clock } = options;
  let authenticator: Authenticator | undefined;
  let changed = () => {};
  const rejected = async (fields: readonly string[]) => {
    metrics.policyRead('rejected');
    log.error({ fields }, 'the policy file was rejected; the last good policy stays in force');
    await audit.append({ type: 'dev.plumbline.policy.rejected', data: { fields } }).catch(() => undefined);
  };
  const policyFile = await PolicyFile.open({
    path: config.policyFile,
    clock,
    onLoaded: async (loaded) => {
      const { sha256, issuers } = loaded;
      await audit.append({ type: 'dev.plumbline.policy.loaded', data: { policy: sha256 } });
      try {
        if (authenticator === undefined)
          authenticator = createAuthenticator(issuers, { http, clock, log: wordsTo(log) });
        else authenticator.configure(issuers);
      } catch (error) {
        await rejected(['issuers']);
        throw error;
      }
      metrics.policyRead('loaded');
      log.info({ policy: sha256 }, 'the policy is in force');
      for (const gap of policyGaps(config, loaded)) log.warn({ policy: sha256 }, gap);
      // It is when this has returned.
      setImmediate(() => changed());
    },
    onRejected: (problems) => rejected(problems.map(({ line, field }) => `${line}: ${field}`)),
  });
  closers.push(() => policyFile.close());
  if (authenticator === undefined) throw new TypeError('A policy came into force without its issuers');
  const verifier: Authenticator = authenticator;
  closers.push(() => verifier.close());
  return {
    policyFile,
    authenticator: verifier,
    onChange: (listener) => {
      changed = listener;
    },
  };
}

function wordsTo(log: Logger): { info(message: string): void; debug(message: string): void } {
  return {
    info: (message) => log.info({ room: 'auth' }, message),
    debug: (message) => log.debug({ room: 'auth' }, message),
  };
}
