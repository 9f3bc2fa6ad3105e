import type { AuditLog } from '../audit/audit-log.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import type { TokenIssuer } from '../issuer/token-issuer.ts';
import type { Readiness, ReadinessCheck, ReadinessReport } from './readiness.ts';

export interface ReadinessSources {
  readonly audit: Pick<AuditLog, 'problem'>;
  /** Why the store cannot be used. */
  readonly store: () => string | undefined;
  /** The policy file as it is now was rejected. */
  readonly policyRejected: () => boolean;
  readonly authenticator: Pick<Authenticator, 'health'>;
  readonly isolation: 'user' | 'none';
  /** Why luigid cannot be used, asked of it; absent: there is none that this gateway knows of. */
  readonly luigid?: (() => Promise<string | undefined>) | undefined;
  /** Absent: no tokens are issued. */
  readonly issuer?: Pick<TokenIssuer, 'problem'> | undefined;
  /** What is wrong with the keys for an Airflow; absent: there is none. */
  readonly airflow?: (() => string | undefined) | undefined;
  /** What cannot be read of Azure DevOps; absent: no pipelines are queued. */
  readonly azureDevOps?: (() => string | undefined) | undefined;
  readonly now: () => number;
}

/** Anybody may ask: what costs a request is asked so often at most. */
const LUIGID_EVERY_MS = 5_000;

/** Looks at everything that the gateway stands on. */
export class GatewayReadiness implements Readiness {
  serving = false;
  stopping = false;
  readonly #sources: ReadinessSources;
  #luigid: { readonly at: number; readonly problem: Promise<string | undefined> } | undefined;

  constructor(sources: ReadinessSources) {
    this.#sources = sources;
  }

  async report(): Promise<ReadinessReport> {
    const issuers = this.#sources.authenticator.health();
    const checks = [
      ...this.#own(),
      this.#issuers(),
      ...this.#issuer(),
      ...this.#airflow(),
      ...this.#azureDevOps(),
      ...(await this.#scheduler()),
      this.#isolation(),
    ];
    return { ready: checks.every(({ state }) => state !== 'failed'), checks, issuers };
  }

  #own(): ReadinessCheck[] {
    const { audit, store, policyRejected } = this.#sources;
    const recovered = this.serving && !this.stopping;
    const policy = policyRejected() ? 'the file was rejected; the last good policy is in force' : undefined;
    return [
      { name: 'recovery', ...(recovered ? OK : failed(this.stopping ? 'stopping' : 'runs of before are taken up')) },
      {
        name: 'audit',
        ...(audit.problem() === undefined ? OK : failed('records cannot be written: no run is accepted')),
      },
      { name: 'store', ...(store() === undefined ? OK : failed('it cannot be used: no run is accepted')) },
      { name: 'policy', ...(policy === undefined ? OK : warning(policy)) },
    ];
  }

  /** An issuer that is away keeps out its own callers only; with none left nobody can be let in. */
  #issuers(): ReadinessCheck {
    const issuers = this.#sources.authenticator.health();
    const away = issuers.filter(({ keys }) => keys === 'unavailable').map(({ name }) => name);
    if (away.length > 0 && away.length === issuers.length)
      return { name: 'issuers', ...failed('no keys of any issuer') };
    if (away.length > 0) return { name: 'issuers', ...warning(`no keys of ${away.join(', ')}`) };
    const stale = issuers.filter(({ keys }) => keys === 'stale').map(({ name }) => name);
    return { name: 'issuers', ...(stale.length > 0 ? warning(`old keys of ${stale.join(', ')}`) : OK) };
  }

  /** Runs whose scheduler is another one go on, and nothing is lost: no reason to send callers away. */
  async #scheduler(): Promise<ReadinessCheck[]> {
    const { luigid, now } = this.#sources;
    if (luigid === undefined) return [];
    if (this.#luigid === undefined || now() - this.#luigid.at >= LUIGID_EVERY_MS)
      this.#luigid = { at: now(), problem: luigid() };
    const problem = await this.#luigid.problem;
    return [{ name: 'luigid', ...(problem === undefined ? OK : warning(problem)) }];
  }

  /** Runs without task identities go on. */
  #issuer(): ReadinessCheck[] {
    const { issuer } = this.#sources;
    if (issuer === undefined) return [];
    const problem = issuer.problem();
    return [{ name: 'issuer', ...(problem === undefined ? OK : warning(`no token can be issued: ${problem}`)) }];
  }

  /** An Airflow keeps its copy of the keys while there are none here; everything else goes on. */
  #airflow(): ReadinessCheck[] {
    const { airflow } = this.#sources;
    if (airflow === undefined) return [];
    const problem = airflow();
    return [{ name: 'airflow', ...(problem === undefined ? OK : warning(problem)) }];
  }

  /** Everything else goes on, and so do the pipelines. */
  #azureDevOps(): ReadinessCheck[] {
    const { azureDevOps } = this.#sources;
    if (azureDevOps === undefined) return [];
    const problem = azureDevOps();
    return [
      { name: 'azureDevOps', ...(problem === undefined ? OK : warning(`pipeline runs cannot be read: ${problem}`)) },
    ];
  }

  #isolation(): ReadinessCheck {
    if (this.#sources.isolation === 'user') return { name: 'isolation', ...OK };
    return { name: 'isolation', ...warning('none: workers run as the gateway and can read what it can') };
  }
}

const OK = { state: 'ok' } as const;
const failed = (detail: string) => ({ state: 'failed', detail }) as const;
const warning = (detail: string) => ({ state: 'warning', detail }) as const;
