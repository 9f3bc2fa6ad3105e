import assert from 'node:assert/strict';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { assertRefused } from '../../../support/assert-refused.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { HOSTILE_CLAIMS, hostileToken } from '../../../support/hostile-claims.ts';
import { otherEcdsaSignature, token } from '../../../support/test-issuer.ts';
import { NOW, SAMPLE_NAMES, testIssuer } from '../../../support/test-issuers.ts';

const collaborators = () => ({ http: NO_NETWORK, clock: handClock(NOW) });

describe('tokens that contradict their profile', () => {
  for (const name of SAMPLE_NAMES)
    describe(name, () => {
      const issuer = testIssuer(name);
      const authenticator = createAuthenticator([issuer.settings], collaborators());
      for (const attack of HOSTILE_CLAIMS[name])
        it(`refuses (${attack.reason}): ${attack.name}`, () =>
          assertRefused(authenticator, hostileToken(issuer, attack), attack.reason));
    });

  it('a token for several receivers is taken only where that was said on purpose', async () => {
    const issuer = testIssuer('oidc');
    const text = token(issuer, { aud: [issuer.settings.audiences[0], 'https://other.example.com'] });
    await assertRefused(createAuthenticator([issuer.settings], collaborators()), text, 'audience');
    const shared = createAuthenticator([{ ...issuer.settings, sharedAudience: true }], collaborators());
    assert.equal((await shared.verify(text)).audience, issuer.settings.audiences[0]);
  });

  it('an access token as RFC 9068 marks it is taken where access tokens are expected', async () => {
    for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', undefined]) {
      const issuer = testIssuer('oidc', { use: 'untilExpiry' });
      await createAuthenticator([issuer.settings], collaborators()).verify(token(issuer, {}, { typ }));
    }
  });

  it('a token that is too old for the policy, though it is good for hours', async () => {
    const issuer = testIssuer('azure-connection');
    const clock = handClock(NOW);
    const authenticator = createAuthenticator([issuer.settings], { http: NO_NETWORK, clock });
    const text = token(issuer);
    await authenticator.verify(text);
    clock.set((Number(issuer.claims['iat']) + 3_600) * 1_000 - 1);
    await authenticator.verify(text);
    clock.move(1);
    await assertRefused(authenticator, text, 'age');
  });

  it('the second signature that anybody can make from one of ECDSA does not make a second token', async () => {
    const issuer = testIssuer('oidc', { algorithms: ['ES256'] });
    const authenticator = createAuthenticator([issuer.settings], collaborators());
    const first = token(issuer, { jti: undefined });
    const second = otherEcdsaSignature(first);
    assert.notEqual(first, second);
    const [one, two] = [await authenticator.verify(first), await authenticator.verify(second)];
    assert.notEqual(one.tokenHash, two.tokenHash);
    assert.equal(one.tokenId, two.tokenId);
  });
});

describe('tokens of one issuer at the door of another', () => {
  const authenticatorOf = (...names: Parameters<typeof testIssuer>[0][]) =>
    createAuthenticator(
      names.map((name) => testIssuer(name).settings),
      collaborators(),
    );

  it('an issuer that is not listed is refused, however good its signature', async () => {
    for (const name of SAMPLE_NAMES) {
      const others = SAMPLE_NAMES.filter(
        (other) => testIssuer(other).settings.issuer !== testIssuer(name).settings.issuer,
      );
      for (const other of others) await assertRefused(authenticatorOf(other), token(testIssuer(name)), 'issuer');
    }
  });

  it('the audience decides between two profiles of one issuer', async () => {
    const authenticator = authenticatorOf('entra', 'azure-connection');
    assert.equal((await authenticator.verify(token(testIssuer('entra')))).profile, 'entra');
    assert.equal((await authenticator.verify(token(testIssuer('azure-connection')))).profile, 'azure-connection');
    const swapped = { aud: testIssuer('entra').claims['aud'] };
    await assertRefused(authenticator, token(testIssuer('azure-connection'), swapped), 'kind');
  });

  it('a token for the audiences of two entries is nobody’s', async () => {
    const { settings } = testIssuer('oidc', { sharedAudience: true });
    const second = { ...settings, name: 'second', audiences: ['https://second.example.com'] };
    const authenticator = createAuthenticator([settings, second], collaborators());
    const aud = [...settings.audiences, ...second.audiences];
    await assertRefused(authenticator, token(testIssuer('oidc'), { aud }), 'audience');
  });

  it('the subject decides between pipelines and connections of one organization', async () => {
    const authenticator = authenticatorOf('azure-connection-old', 'azure-pipelines');
    assert.equal((await authenticator.verify(token(testIssuer('azure-pipelines')))).profile, 'azure-pipelines');
    const connection = await authenticator.verify(token(testIssuer('azure-connection-old')));
    assert.equal(connection.issuer, 'azure-connection-old');
    await assertRefused(authenticator, token(testIssuer('azure-pipelines'), { sub: 'x://a/b/c' }), 'subject');
  });
});
