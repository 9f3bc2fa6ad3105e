import type { Clock } from '#core/clock.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import type { RunTokens } from '../auth/run-tokens.ts';
import type { TokenLedger } from '../auth/token-ledger.ts';
import type { WorkerTokens } from '../auth/worker-tokens.ts';
import type { TaskTokens } from '../issuer/task-tokens.ts';
import type { TokenIssuer } from '../issuer/token-issuer.ts';
import type { LegacyCredential } from '../policy/policy.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import type { Workers } from '../workers/worker.ts';
import type { AirflowServices } from './airflow-routes.ts';
import type { Bundles } from './bundles.ts';
import type { DispatchServices } from './dispatch-routes.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { GatewayRuns } from './gateway-runs.ts';
import type { Readiness } from './readiness.ts';
import type { StockWorkerServices } from './stock-worker-routes.ts';

/** What the API stands on. */
export interface AppServices {
  readonly runs: GatewayRuns;
  readonly bundles: Bundles;
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  readonly runTokens: RunTokens;
  readonly workerTokens: WorkerTokens;
  readonly workers: Workers;
  /** This gateway as an issuer; absent: no tokens of tasks are issued. */
  readonly issuer?: TokenIssuer | undefined;
  readonly taskTokens?: TaskTokens | undefined;
  /** Absent: no tokens for Airflows are issued. */
  readonly airflow?: AirflowServices | undefined;
  /** Absent: no pipelines are queued. */
  readonly dispatch?: DispatchServices | undefined;
  /** Absent: workers elsewhere do not reach luigid through this gateway. */
  readonly stockWorkers?: StockWorkerServices | undefined;
  /** Absent: nobody can sign in to luigid's pages. */
  readonly signIn?: SignIn | undefined;
  readonly ledger: TokenLedger;
  /** Credentials of old in the policy that is in force. */
  readonly legacy: () => readonly LegacyCredential[];
  readonly audit: Pick<AuditLog, 'append'>;
  readonly readiness: Readiness;
  readonly metrics: GatewayMetrics;
  readonly clock: Clock;
}
