import type { IssuerConfig } from './gateway-config.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import { milliseconds, SECOND } from './read-duration.ts';
import { signingKeySettings } from './signing-key-settings.ts';
import { type Complain, issuerUrlProblem } from './url-problem.ts';

const LONGEST_TOKEN_MS = 600_000;
const PUBLISHED = { publishFor: '1d', leastMs: 0 };

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
    keys: signingKeySettings(issuer.keys, ['issuer', 'keys'], PUBLISHED, complain),
  };
}
