import type { GatewayGround } from './gateway-ground.ts';
import type { PolicyFile } from './policy/policy-file.ts';
import { type OpenSignIn, openSignIn } from './sign-in/open-sign-in.ts';

/** How people sign in to luigid's pages. @throws {PlumblineError} `ERR_CONFIG_INVALID` */
export function openPeople(
  { config, options, http, audit }: GatewayGround,
  policyFile: PolicyFile,
): OpenSignIn | undefined {
  const { log, clock } = options;
  if (config.signIn === undefined) return undefined;
  return openSignIn({
    config: config.signIn,
    http,
    audit,
    clock,
    log,
    policy: () => policyFile.policy,
    publicUrl: config.publicUrl,
  });
}
