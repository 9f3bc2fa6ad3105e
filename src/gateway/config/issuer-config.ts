import type { IssuerConfig } from './gateway-config.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import { DAY, milliseconds, SECOND } from './read-duration.ts';
import { type Complain, issuerUrlProblem } from './url-problem.ts';

const LONGEST_TOKEN_MS = 600_000;

export function issuerConfig(
  { issuer, publicUrl }: Pick<RawGatewayConfig, 'issuer' | 'publicUrl'>,
  complain: Complain,
): IssuerConfig | undefined {
  if (issuer === undefined) return undefined;
  const text = issuer.url ?? publicUrl;
  const url = URL.parse(text ?? '');
  const why = text === undefined ? "needs 'url', or 'publicUrl' beside it" : issuerUrlProblem(url);
  if (why !== undefined) complain(issuer.url === undefined ? ['issuer'] : ['issuer', 'url'], why);
  return {
    url: url?.href.replace(/\/+$/, '') ?? '',
    lifetimeMs: milliseconds(issuer.lifetime, ['issuer', 'lifetime'], [60 * SECOND, LONGEST_TOKEN_MS], complain),
    keys: keysOf(issuer.keys, complain),
  };
}

function keysOf(raw: NonNullable<RawGatewayConfig['issuer']>['keys'], complain: Complain): IssuerConfig['keys'] {
  const { kind, vault = '', key = '', publishFor = '1d', rotateEvery = '30d' } = raw;
  const field = ['issuer', 'keys'];
  const publishForMs = milliseconds(publishFor, [...field, 'publishFor'], [0, 365 * DAY], complain);
  if (kind === 'azure-key-vault') return { kind, vault, key, publishForMs };
  const rotateEveryMs = milliseconds(rotateEvery, [...field, 'rotateEvery'], [0, 3_650 * DAY], complain);
  if (rotateEveryMs > 0 && rotateEveryMs <= publishForMs)
    complain([...field, 'rotateEvery'], "must be longer than 'publishFor'");
  return { kind, rotateEveryMs, publishForMs };
}
