import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { handClock, NO_NETWORK } from '../test/support/hand-clock.ts';
import { HOSTILE_TOKENS } from '../test/support/hostile-tokens.ts';
import { type TestIssuer, token } from '../test/support/test-issuer.ts';
import { testIssuer } from '../test/support/test-issuers.ts';
import { type Figure, figure, median } from './figure.ts';

const TOKENS = 500;
const ROUNDS = 5;

/** What the gateway's authenticator costs a request, beside jose's `jwtVerify` alone on the same tokens. */
export async function tokenVerification(): Promise<Figure[]> {
  const issuer = testIssuer('gitlab');
  const facts = testIssuer('azure-pipelines', { factsOnly: true });
  const entra = testIssuer('entra');
  const authenticator = createAuthenticator([issuer.settings, entra.settings, facts.settings], {
    http: NO_NETWORK,
    clock: handClock(issuer.now),
  });
  const fresh = (round: number) =>
    Array.from({ length: TOKENS }, (_, i) => token(issuer, { jti: `bench-${round}-${i}` }));
  const [peer, anew] = [joseOf(issuer), (text: string) => authenticator.verify(text)];
  const alone = await microseconds(fresh, peer);
  const [bearer, runFacts] = [token(entra), token(facts)];
  const known = () => new Array<string>(20 * TOKENS).fill(bearer);
  const figures = [
    figure('token-verification', 'a token, the first time', await microseconds(fresh, anew), alone, 'µs'),
    figure(
      'token-verification',
      'a token, a moment later',
      await microseconds(known, (text) => authenticator.authenticate({ bearer: text })),
      alone,
      'µs',
    ),
    figure(
      'token-verification',
      'two tokens, a moment later',
      await microseconds(known, (text) => authenticator.authenticate({ bearer: text, runFacts })),
      alone,
      'µs',
    ),
    figure('token-verification', 'p99 of a refusal', await refusals(issuer, anew), await refusals(issuer, peer), 'µs'),
  ];
  authenticator.close();
  return figures;
}

type Verify = (text: string) => Promise<unknown>;

function joseOf({ key, settings, now }: TestIssuer): Verify {
  const keys = createLocalJWKSet({ keys: [key.jwk] } as JSONWebKeySet);
  const options = {
    issuer: settings.issuer,
    audience: [...settings.audiences],
    algorithms: [...settings.algorithms],
    requiredClaims: ['exp', 'iat', 'sub'],
    clockTolerance: 30,
    currentDate: new Date(now),
  };
  return (text) => jwtVerify(text, keys, options);
}

/** One token's time, the median of a few rounds; the first round warms up. */
async function microseconds(texts: (round: number) => readonly string[], verify: Verify): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const list = texts(round);
    const began = performance.now();
    for (const text of list) await verify(text);
    if (round > 0) rounds.push(((performance.now() - began) / list.length) * 1_000);
  }
  return median(rounds);
}

/** The slowest of a hundred refusals, over all hostile tokens. */
async function refusals(issuer: TestIssuer, verify: Verify): Promise<number> {
  const texts = HOSTILE_TOKENS.map(({ make }) => make(issuer));
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++)
    for (const text of texts) {
      const began = performance.now();
      await verify(text).catch(() => undefined);
      times.push((performance.now() - began) * 1_000);
    }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? Number.NaN;
}
