import fc from 'fast-check';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { handClock, NO_NETWORK } from '../support/hand-clock.ts';
import { checkMutated, checkStrange, edited, edits, goodToken, strangeClaims } from '../support/mutated-token.ts';
import { fuzz } from '../support/soak.ts';
import { NOW, testIssuer } from '../support/test-issuers.ts';

/** The same properties as in test/unit, for minutes. */
describe('tokens that were changed, for minutes', () => {
  for (const name of ['entra', 'gitlab', 'kubernetes'] as const) {
    const issuer = testIssuer(name);
    const authenticator = createAuthenticator([issuer.settings], { http: NO_NETWORK, clock: handClock(NOW) });

    it(`${name}: changed after it was signed`, async () => {
      const good = await goodToken(authenticator, issuer);
      await fuzz(
        { name: `changed tokens of ${name}` },
        fc.asyncProperty(edits, (changes) => checkMutated(authenticator, good, edited(good, changes))),
      );
    });

    it(`${name}: strange claims, well signed`, () =>
      fuzz(
        { name: `strange claims of ${name}` },
        fc.asyncProperty(strangeClaims(issuer), (claims) => checkStrange(authenticator, issuer, claims)),
      ));
  }
});
