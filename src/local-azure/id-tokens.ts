import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import { AZURE_DEVOPS_APPLICATION, azureDevOpsIssuer, EXCHANGE_APPLICATION, EXCHANGE_AUDIENCE } from './federation.ts';
import type { PipelineRun } from './pipeline-run.ts';
import type { SigningKey } from './signing-key.ts';
import type { Connection, World } from './world.ts';

const DEVOPS_SECONDS = 600;
const ENTRA_SECONDS = 86_700;

export interface IdTokensOptions {
  readonly world: World;
  readonly devOpsKey: SigningKey;
  readonly entraKey: SigningKey;
  readonly clock: Clock;
}

/** The three kinds of ID token that a job can ask for, with exactly their claims. */
export class IdTokens {
  readonly #options: IdTokensOptions;

  constructor(options: IdTokensOptions) {
    this.#options = options;
  }

  /** Of a connection: what Entra exchanges for an access token. */
  forConnection(connection: Connection): Promise<string> {
    return connection.issuerType === 'EntraID' ? this.#fromEntra(connection) : this.#fromDevOps(connection.subject, {});
  }

  /** Of the pipeline itself: who, where and which commit, signed. */
  forPipeline({ facts, project }: PipelineRun): Promise<string> {
    const { organization } = this.#options.world;
    return this.#fromDevOps(`p://${organization.name}/${project.name}/${facts.definitionName}`, {
      org_id: organization.id,
      prj_id: project.id,
      def_id: String(facts.definitionId),
      rpo_id: facts.repository.id,
      rpo_uri: facts.repository.url,
      rpo_ver: facts.commit,
      rpo_ref: facts.branch,
      run_id: String(facts.buildId),
    });
  }

  #fromDevOps(sub: string, facts: Readonly<Record<string, string>>): Promise<string> {
    const { world, devOpsKey } = this.#options;
    const iat = this.#now();
    const life = world.lifetimes.idToken ?? DEVOPS_SECONDS;
    const iss = azureDevOpsIssuer(world.organization.id);
    return devOpsKey.sign({
      jti: randomUUID(),
      sub,
      aud: EXCHANGE_AUDIENCE,
      ...facts,
      iss,
      nbf: iat - DEVOPS_SECONDS,
      iat,
      exp: iat + life,
    });
  }

  #fromEntra({ issuer, subject, tenantId, id }: Connection): Promise<string> {
    const { world, entraKey } = this.#options;
    const iat = this.#now();
    return entraKey.sign({
      aud: world.entraAudience === 'guid' ? EXCHANGE_APPLICATION : EXCHANGE_AUDIENCE,
      iss: issuer,
      iat,
      nbf: iat,
      exp: iat + (world.lifetimes.idToken ?? ENTRA_SECONDS),
      azp: AZURE_DEVOPS_APPLICATION,
      azpacr: '2',
      idtyp: 'app',
      oid: id,
      sub: subject,
      tid: tenantId,
      uti: randomBytes(16).toString('base64url'),
      ver: '2.0',
    });
  }

  #now(): number {
    return Math.floor(this.#options.clock.now() / 1_000);
  }
}
