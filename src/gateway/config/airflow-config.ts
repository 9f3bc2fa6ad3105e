import type { AirflowConfig, IssuerConfig } from './gateway-config.ts';
import type { RawAirflow, RawGatewayConfig } from './raw-gateway-config.ts';
import { HOUR, milliseconds, SECOND } from './read-duration.ts';
import { signingKeySettings } from './signing-key-settings.ts';
import { type Complain, issuerUrlProblem } from './url-problem.ts';

const LONGEST_TOKEN_MS = 600_000;
/** Airflow asks for keys again when its copy is older than an hour, and an unknown `kid` does not make it ask (3.3.2). */
const PUBLISHED = { publishFor: '2h', leastMs: HOUR };
/** What the execution API of every Airflow takes unless it is told otherwise: `[execution_api] jwt_audience`. */
const TASKS = 'urn:airflow.apache.org:task';

/**
 * The Airflows of a configuration.
 *
 * @param path makes a path of the file absolute
 * @param issuer of this gateway, whose key must be none of theirs
 */
export function airflowConfigs(
  { airflow, publicUrl }: Pick<RawGatewayConfig, 'airflow' | 'publicUrl'>,
  issuer: IssuerConfig | undefined,
  path: (relative: string) => string,
  complain: Complain,
): ReadonlyMap<string, AirflowConfig> {
  const configs = Object.entries(airflow).map(([name, raw]) => {
    const complainOf: Complain = (field, message) => complain(['airflow', name, ...field], message);
    checkAudience(raw, complainOf);
    return airflowConfig(name, raw, { publicUrl, path, complain: complainOf });
  });
  const own = issuer === undefined ? [] : [{ what: "the gateway's own issuer", ...issuer, issuer: issuer.url }];
  checkApart(own, configs, complain);
  return new Map(configs.map((config) => [config.name, config]));
}

interface Reading {
  readonly publicUrl: string | undefined;
  readonly path: (relative: string) => string;
  readonly complain: Complain;
}

function airflowConfig(name: string, raw: RawAirflow, { publicUrl, path, complain }: Reading): AirflowConfig {
  const url = URL.parse(raw.url);
  const why = issuerUrlProblem(url);
  if (why !== undefined) complain(['url'], why);
  const base = URL.parse(publicUrl ?? '')?.href.replace(/\/+$/, '');
  const issuer = raw.issuer ?? (base === undefined ? '' : `${base}/airflow/${name}`);
  const address = url?.href.replace(/\/+$/, '') ?? '';
  checkIssuer(raw, issuer, address, complain);
  return {
    name,
    url: address,
    issuer,
    audience: raw.audience,
    authManager: raw.authManager,
    publicKeysFile: path(raw.publicKeys),
    keys: signingKeySettings(raw.keys, ['keys'], PUBLISHED, complain),
    lifetimeMs: milliseconds(raw.lifetime, ['lifetime'], [60 * SECOND, LONGEST_TOKEN_MS], complain),
  };
}

/**
 * Airflow reads its issuers as a list with commas; its execution API compares with the whole of it, unsplit. An issuer with a
 * comma could be that text, and so would the only one that Airflow knows.
 */
function checkIssuer({ issuer, airflowIssuer }: RawAirflow, used: string, url: string, complain: Complain): void {
  const field = issuer === undefined ? [] : ['issuer'];
  if (used === '') complain(field, "needs 'issuer', or 'publicUrl' beside it");
  if (/[\s,]/.test(used)) complain(field, 'must have no comma and no white space: Airflow reads a list there');
  const own = [url, ...(airflowIssuer ?? url).split(',')].map((one) => one.trim().replace(/\/+$/, ''));
  if (own.includes(used.replace(/\/+$/, '')))
    complain(field, "must not be Airflow's own: the execution API would take the gateway's tokens for those of tasks");
}

function checkAudience({ audience, taskAudience }: RawAirflow, complain: Complain): void {
  const ofTasks = [TASKS, ...taskAudience.split(',').map((one) => one.trim())];
  if (ofTasks.includes(audience))
    complain(['audience'], "must not be that of the execution API: the gateway's tokens are for people's API alone");
  if (/[\s,]/.test(audience))
    complain(['audience'], 'must have no comma and no white space: Airflow reads a list there');
}

interface Apart {
  readonly what: string;
  readonly issuer: string;
  readonly audience?: string;
  readonly keys: AirflowConfig['keys'];
}

/** What is for one Airflow is nothing anywhere else. */
function checkApart(own: readonly Apart[], configs: readonly AirflowConfig[], complain: Complain): void {
  const known = [...own];
  for (const config of configs) {
    const complainOf = (field: string, message: string) => complain(['airflow', config.name, field], message);
    for (const { what, issuer, audience, keys } of known) {
      if (audience === config.audience)
        complainOf('audience', `is that of ${what} too: each Airflow needs one of its own`);
      if (issuer === config.issuer) complainOf('issuer', `is that of ${what} too`);
      if (isSameKey(keys, config.keys)) complainOf('keys', `is the key of ${what} too: its tokens would be good here`);
    }
    known.push({ what: `'${config.name}'`, ...config });
  }
}

function isSameKey(a: AirflowConfig['keys'], b: AirflowConfig['keys']): boolean {
  if (a.kind === 'files' || b.kind === 'files') return false;
  const nameOf = (vault: string) => (URL.parse(vault)?.hostname ?? vault).split('.')[0]?.toLowerCase();
  return nameOf(a.vault) === nameOf(b.vault) && a.key.toLowerCase() === b.key.toLowerCase();
}
