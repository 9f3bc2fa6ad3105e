import { randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import type { AirflowConfig } from '../config/gateway-config.ts';
import { signedToken } from '../issuer/signed-token.ts';
import type { SigningKeys } from '../issuer/signing-keys.ts';
import type { IssuedToken, PublicKey } from '../issuer/token-issuer.ts';
import type { AirflowGrant } from '../policy/access-grants.ts';
import type { AirflowKeyFile } from './airflow-key-file.ts';

/** This gateway as an issuer of tokens for one Airflow. */
export interface AirflowIssuer {
  readonly config: AirflowConfig;
  /**
   * Everything by which that Airflow verifies tokens, its own ones included; `undefined` when a part is missing: with a set
   * without its own key every one of its tasks would fail.
   */
  keys(): readonly PublicKey[] | undefined;
  /**
   * @param until milliseconds since the epoch; no token lives longer
   * @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE`
   */
  issue(as: Pick<AirflowGrant, 'user' | 'role'>, until?: number): Promise<IssuedToken>;
  /** What an operator has to look at. */
  problem(): string | undefined;
}

export interface AirflowIssuerParts {
  readonly config: AirflowConfig;
  readonly keys: Pick<SigningKeys, 'published' | 'sign' | 'problem'>;
  readonly file: Pick<AirflowKeyFile, 'keys' | 'problem'>;
  readonly clock: Clock;
}

export function airflowIssuer({ config, keys, file, clock }: AirflowIssuerParts): AirflowIssuer {
  const { issuer: url, audience, lifetimeMs } = config;
  return {
    config,
    keys: () => {
      const [own, ours] = [file.keys(), keys.published()];
      const isWhole = own.length > 0 && ours.length > 0 && collision(own, ours) === undefined;
      return isWhole ? [...own, ...ours] : undefined;
    },
    issue: ({ user, role }, until = Number.POSITIVE_INFINITY) => {
      const left = Math.min(lifetimeMs, until - clock.now());
      const frame = { url, lifetimeSeconds: Math.max(1, Math.floor(left / 1_000)), newId };
      return signedToken({ sub: user, aud: audience, ...(role !== undefined && { role }) }, frame, { keys, clock });
    },
    problem: () => keys.problem() ?? fileProblem(file.problem()) ?? collision(file.keys(), keys.published()),
  };
}

function fileProblem(why: string | undefined): string | undefined {
  return why === undefined ? undefined : `the file of its own public keys ${why}`;
}

/** Airflow revokes a token at a log-out by its id, and keeps 32 characters of one (`RevokedToken.jti`, 3.3.2). */
function newId(): string {
  return randomUUID().replaceAll('-', '');
}

/** Why keys of Airflow and keys of ours cannot stand in one set: a `kid` would name two, or a key be both. */
export function collision(own: readonly PublicKey[], ours: readonly PublicKey[]): string | undefined {
  for (const key of own) {
    if (ours.some(({ kid }) => kid === key.kid)) return `has the kid of a key of this gateway: ${key.kid}`;
    if (ours.some(({ n }) => n !== undefined && n === key['n']))
      return `has a key of this gateway under the kid ${key.kid}`;
  }
  return undefined;
}
