import assert from 'node:assert/strict';
import { explainToken, type TokenExplanation } from '#gateway/auth/explain-token.ts';
import { HOSTILE_CLAIMS, hostileToken } from '../../../support/hostile-claims.ts';
import { HOSTILE_TOKENS } from '../../../support/hostile-tokens.ts';
import { type Claims, token } from '../../../support/test-issuer.ts';
import { NOW, SAMPLE_NAMES, sharedKey, testIssuer } from '../../../support/test-issuers.ts';

const gitlab = testIssuer('gitlab');
const explain = (text: string, issuers = [gitlab.settings], jwks?: unknown): Promise<TokenExplanation> =>
  explainToken(text, issuers, { now: NOW, jwks });
const failed = ({ checks }: TokenExplanation) => checks.filter(({ result }) => result === 'failed');
const results = ({ checks }: TokenExplanation) => Object.fromEntries(checks.map(({ name, result }) => [name, result]));

describe('explain a token', () => {
  it('accepts each good token, and gives what bindings would see', async () => {
    for (const name of SAMPLE_NAMES) {
      const issuer = testIssuer(name);
      const explanation = await explain(token(issuer), [issuer.settings]);
      assert.equal(explanation.verdict, 'accepted', JSON.stringify(failed(explanation)));
      assert.deepEqual([explanation.token?.subject, explanation.issuer], [issuer.claims['sub'], issuer.settings]);
    }
  });

  it('says the same word as the gateway for every hostile token, and never repeats the token', async () => {
    for (const name of ['entra', 'gitlab', 'kubernetes'] as const) {
      const issuer = testIssuer(name);
      const own = HOSTILE_CLAIMS[name].map((claims) => ({ ...claims, make: () => hostileToken(issuer, claims) }));
      for (const attack of [...HOSTILE_TOKENS, ...own]) {
        const text = attack.make(issuer);
        const explanation = await explain(text, [issuer.settings]);
        assert.equal(failed(explanation)[0]?.reason, attack.reason, `${name}: ${attack.name}`);
        const signature = text.split('.').at(-1) ?? '';
        assert.ok(signature.length < 20 || !JSON.stringify(explanation).includes(signature));
      }
    }
  });

  it('shows every check that can be made, not only the first that fails', async () => {
    const text = token(gitlab, { exp: NOW / 1_000 - 1, project_id: 20 });
    const explanation = await explain(text);
    assert.deepEqual(results(explanation), {
      form: 'passed',
      issuer: 'passed',
      'algorithm and type': 'passed',
      signature: 'passed',
      times: 'failed',
      claims: 'passed',
      profile: 'failed',
      authorises: 'skipped',
    });
    assert.deepEqual(
      failed(explanation).map(({ reason, field }) => [reason, field]),
      [
        ['expired', undefined],
        ['claim', 'project_id'],
      ],
    );
  });

  it('without keys the signature is not checked, and that is said', async () => {
    const offline = { ...gitlab.settings, jwks: undefined };
    const explanation = await explain(token(gitlab), [offline]);
    assert.equal(explanation.verdict, 'unproven');
    assert.match(explanation.checks.find(({ name }) => name === 'signature')?.why ?? '', /no keys here/);
    assert.equal((await explain(token(gitlab), [offline], { keys: [gitlab.key.jwk] })).verdict, 'accepted');
    const wrong = await explain(token(gitlab), [offline], { keys: [sharedKey('RS256', 'other').jwk] });
    assert.deepEqual([wrong.verdict, failed(wrong)[0]?.reason], ['refused', 'key']);
    assert.equal((await explain(token(gitlab), [offline], 'no key set')).verdict, 'unproven');
  });

  it('says that an issuer for run facts authorises nobody', async () => {
    const pipelines = testIssuer('azure-pipelines', { factsOnly: true });
    assert.equal(failed(await explain(token(pipelines), [pipelines.settings]))[0]?.reason, 'facts-only');
  });

  it('shows what the token has and what the policy has', async () => {
    const why = async (claims: Claims, header: Claims = {}) =>
      failed(await explain(token(gitlab, claims, header)))[0]?.why ?? '';
    assert.match(
      await why({ iss: 'https://gitlab.example.com/' }),
      /has its iss: it has 'https:\/\/gitlab\.example\.com\/', the policy has 'https:\/\/gitlab\.example\.com'$/,
    );
    assert.match(await why({ aud: ['a'] }), /: it has 'a', the policy has 'https:\/\/gateway\.example\.com'$/);
    assert.match(await why({}, { alg: 'PS256' }), /: it has 'PS256', the policy has 'RS256'$/);
    assert.match(await why({}, { typ: 'at+jwt' }), /: it has 'at\+jwt'$/);
    assert.match(await why({}, { kid: 'key-9' }), /: its kid is 'key-9'$/);
    assert.match(
      await why({ iat: NOW / 1_000 - 120, nbf: undefined, exp: NOW / 1_000 - 60 }),
      /: it ended at 2026-11-21T11:59:00\.000Z, now it is 2026-11-21T12:00/,
    );
    assert.match(await why({ exp: NOW / 1_000 + 7_190 }), /: it lives 7200 s, the policy allows 3600 s$/);
  });

  it('names usual mistakes', async () => {
    const hints: readonly (readonly [string, RegExp])[] = [
      ['', /empty/],
      [`Bearer ${token(gitlab)}`, /Bearer/],
      [`"${token(gitlab)}"`, /quotes/],
      [`${token(gitlab)}\n`, /line break/],
      ['a.b.c.d.e', /encrypted/],
      ['a.b.', /no signature/],
    ];
    for (const [text, hint] of hints) assert.match((await explain(text)).hint ?? '', hint);
    assert.equal((await explain(token(gitlab))).hint, undefined);
  });
});
