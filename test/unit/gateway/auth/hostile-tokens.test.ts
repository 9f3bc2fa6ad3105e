import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { assertRefused } from '../../../support/assert-refused.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { HOSTILE_TOKENS } from '../../../support/hostile-tokens.ts';
import { token } from '../../../support/test-issuer.ts';
import { NOW, SAMPLE_NAMES, testIssuer } from '../../../support/test-issuers.ts';

describe('hostile tokens', () => {
  for (const name of SAMPLE_NAMES)
    describe(name, () => {
      const issuer = testIssuer(name);
      const authenticator = createAuthenticator([issuer.settings], { http: NO_NETWORK, clock: handClock(NOW) });
      after(() => authenticator.close());

      it('takes the token that all of them are made of', () => authenticator.verify(token(issuer)));
      for (const attack of HOSTILE_TOKENS)
        it(`refuses (${attack.reason}): ${attack.name}`, () =>
          assertRefused(authenticator, attack.make(issuer), attack.reason));
    });
});
