import type { Clock } from '#core/clock.ts';
import type { Http } from '#http/http.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { SignInConfig } from '../config/gateway-config.ts';
import type { Policy } from '../policy/policy.ts';
import { clientSecret } from './client-secret.ts';
import { IdentityProvider } from './identity-provider.ts';
import { MemorySessions } from './memory-sessions.ts';
import { PersonRecorder } from './person-recorder.ts';
import { SignIn } from './sign-in.ts';
import { type SignInAddress, signInAddress } from './sign-in-address.ts';
import { SignInFlows } from './sign-in-flows.ts';
import { type ViewerRule, type Visitors, visitors } from './visitors.ts';

export interface SignInOptions {
  readonly config: SignInConfig;
  readonly http: Http;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: { warn(facts: object, message: string): void };
  /** In force. */
  readonly policy: () => Pick<Policy, 'viewer'>;
  /** Absent: the listener's own URL, which is then on loopback. */
  readonly publicUrl?: string | undefined;
}

export interface OpenSignIn {
  /** Whose requests they are. */
  readonly visitors: Visitors;
  /** What the routes of signing in and out do. */
  readonly signIn: SignIn;
  /** Where browsers find this gateway; without `publicUrl` known when it listens. */
  address(): SignInAddress;
  /** The URL of the listener, as soon as there is one. */
  listensAt(url: string): void;
}

/**
 * Nothing is asked of the provider yet.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID` when the file of the client secret cannot be used
 */
export function openSignIn({ config, http, audit, clock, log, policy, publicUrl }: SignInOptions): OpenSignIn {
  const viewer: ViewerRule = (claims, now) => policy().viewer(claims, now);
  let own = publicUrl === undefined ? undefined : signInAddress(publicUrl);
  const address = () => {
    if (own === undefined) throw new TypeError('Nobody can come before the gateway listens');
    return own;
  };
  const sessions = new MemorySessions({ clock, cookie: () => address().cookies.session });
  const { clientSecretFile: file, sessionMs: lifeMs } = config;
  const secret = file === undefined ? undefined : clientSecret(file);
  const signIn = new SignIn({
    provider: new IdentityProvider({ config, secret, http, clock }),
    sessions,
    flows: new SignInFlows(clock),
    recorder: new PersonRecorder(audit, clock),
    viewer,
    clock,
    lifeMs,
    address,
    log,
  });
  return {
    visitors: visitors(sessions, viewer, clock),
    signIn,
    address,
    listensAt: (url) => {
      own ??= signInAddress(url);
    },
  };
}
