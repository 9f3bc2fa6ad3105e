import fc from 'fast-check';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { checkMutated, checkStrange, edited, edits, goodToken, strangeClaims } from '../../../support/mutated-token.ts';
import { NOW, testIssuer } from '../../../support/test-issuers.ts';

describe('tokens that were changed', () => {
  for (const name of ['entra', 'gitlab', 'kubernetes', 'azure-pipelines'] as const) {
    const issuer = testIssuer(name);
    const authenticator = createAuthenticator([issuer.settings], { http: NO_NETWORK, clock: handClock(NOW) });

    it(`${name}: no change of a signed token is accepted`, async () => {
      const good = await goodToken(authenticator, issuer);
      await fc.assert(
        fc.asyncProperty(edits, (changes) => checkMutated(authenticator, good, edited(good, changes))),
        { numRuns: 1_000 },
      );
    });

    it(`${name}: whatever the issuer signs, what is accepted has its types`, () =>
      fc.assert(
        fc.asyncProperty(strangeClaims(issuer), (claims) => checkStrange(authenticator, issuer, claims)),
        { numRuns: 250 },
      ));
  }
});
