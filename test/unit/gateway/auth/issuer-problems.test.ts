import assert from 'node:assert/strict';
import { PROFILES } from '#gateway/auth/caller.ts';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { issuerDefaults } from '#gateway/auth/issuer-defaults.ts';
import { issuerConflicts, issuerProblems } from '#gateway/auth/issuer-problems.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import { testKey } from '../../../support/test-issuer.ts';
import {
  ORGANIZATION,
  SAMPLE_NAMES,
  type SampleName,
  sharedKey,
  TENANT,
  testIssuer,
} from '../../../support/test-issuers.ts';

const of = (name: SampleName, more: Partial<IssuerSettings> = {}) => testIssuer(name, more).settings;
const problems = (settings: IssuerSettings, level: 'error' | 'warning' = 'error') =>
  issuerProblems(settings)
    .filter((problem) => problem.level === level)
    .map(({ field, why }) => `${field}: ${why}`);

describe('problems of issuers', () => {
  it('there are none with the samples, and each with an error is not taken', () => {
    for (const name of SAMPLE_NAMES) assert.deepEqual(problems(of(name)), [], name);
    assert.throws(
      () => createAuthenticator([of('gitlab', { audiences: [] })], { http: NO_NETWORK, clock: handClock(0) }),
      failure('ERR_ISSUER_INVALID', /^Issuer 'gitlab' cannot be used \(audiences\): there is none$/),
    );
  });

  const WRONG: Readonly<Record<string, readonly [IssuerSettings, RegExp]>> = {
    'a connection without sharedAudience': [
      of('azure-connection', { sharedAudience: false }),
      /^audiences: .*sharedAudience/,
    ],
    'a connection of another issuer': [of('azure-connection', { issuer: 'https://gitlab.com' }), /^issuer: /],
    'a connection of the version 1 issuer': [
      of('azure-connection', { issuer: `https://sts.windows.net/${TENANT}/` }),
      /^issuer: /,
    ],
    'pipelines without an organization': [
      of('azure-pipelines', { issuer: 'https://vstoken.dev.azure.com' }),
      /^issuer: /,
    ],
    'pipelines with a slash at the end': [
      of('azure-pipelines', { issuer: `https://vstoken.dev.azure.com/${ORGANIZATION}/` }),
      /^issuer: /,
    ],
    'Entra of every tenant': [of('entra', { issuer: 'https://login.microsoftonline.com/common/v2.0' }), /^issuer: /],
    'Entra with the audience of connections': [
      of('entra', { audiences: ['api://AzureADTokenExchange'] }),
      /^audiences: /,
    ],
    'any issuer with the audience of connections': [
      of('oidc', { audiences: ['api://AzureADTokenExchange'] }),
      /^audiences: /,
    ],
    'the audience of the API server': [
      of('kubernetes', { audiences: ['https://kubernetes.default.svc'] }),
      /^audiences: /,
    ],
    'the audience that GitHub gives by default': [
      of('github', { audiences: ['https://github.com/octo'] }),
      /^audiences: /,
    ],
    'run facts of another profile': [of('gitlab', { factsOnly: true }), /^factsOnly: /],
    'http elsewhere than on this machine': [
      of('gitlab', { issuer: 'http://gitlab.example.com', jwks: undefined }),
      /^issuer: it is not https/,
    ],
    'no URL to discover from': [of('gitlab', { issuer: 'gitlab', jwks: undefined }), /^issuer: it is no URL/],
    'user info in the address of keys': [
      of('gitlab', { jwks: undefined, jwksUri: 'https://a:b@gitlab.example.com/keys' }),
      /^jwksUri: /,
    ],
    'a file as the address of keys': [of('gitlab', { jwks: undefined, jwksUri: 'file:///etc/passwd' }), /^jwksUri: /],
    'keys and their address': [of('gitlab', { jwksUri: 'https://gitlab.example.com/keys' }), /^jwks: /],
    'keys that are none': [of('gitlab', { jwks: { keys: [] } }), /^jwks: /],
    'a shared secret as a key': [of('gitlab', { jwks: { keys: [{ kty: 'oct', kid: 'a', k: 'AAAA' }] } }), /^jwks: /],
    'no algorithm': [of('gitlab', { algorithms: [], jwks: { keys: [] } }), /^algorithms: /],
    'a lifetime of a week': [of('gitlab', { maxLifetimeMs: 7 * 86_400_000 }), /^maxLifetime: /],
    'no lifetime': [of('gitlab', { maxLifetimeMs: 0 }), /^maxLifetime: /],
    'a lifetime that is no number': [of('gitlab', { maxLifetimeMs: Number.NaN }), /^maxLifetime: /],
    'an age of nothing': [of('gitlab', { maxAgeMs: 0 }), /^maxAge: /],
    'a line break in the issuer': [of('gitlab', { issuer: 'https://gitlab.example.com\n' }), /^issuer: /],
    'the name of the gateway itself': [of('gitlab', { name: 'plumbline' }), /^name: /],
  };
  for (const [what, [settings, says]] of Object.entries(WRONG))
    it(`refuses ${what}`, () => {
      assert.ok(
        problems(settings).some((problem) => says.test(problem)),
        problems(settings).join('; '),
      );
    });

  it('refuses keys that are weak, private, for encryption, or without a name', () => {
    const weak = testKey('RS256', 'weak', 1024);
    const { jwk, privateKey } = sharedKey();
    const unusable = [
      weak.jwk,
      { ...privateKey.export({ format: 'jwk' }), kid: 'private' },
      { ...jwk, use: 'enc' },
      { ...jwk, key_ops: ['encrypt'] },
      { ...jwk, kid: undefined },
      { ...jwk, kid: '' },
      { ...jwk, alg: 'RS512' },
      { ...jwk, alg: 'HS256' },
      { ...jwk, e: 'AQ' },
      { ...jwk, kty: 'constructor' },
      { kty: 'EC', kid: 'curve', crv: 'P-521', x: 'AA', y: 'AA' },
      { kty: 'EC', kid: 'curve', crv: 'toString', x: 'AA', y: 'AA' },
    ];
    for (const key of unusable)
      assert.match(problems(of('gitlab', { jwks: { keys: [key] } })).join(), /no public key/, JSON.stringify(key));
  });

  it('warns of what ends or is doubtful', () => {
    const warnings = (settings: IssuerSettings) => problems(settings, 'warning').join('; ');
    assert.match(warnings(of('azure-connection-old')), /2027-07-01/);
    assert.doesNotMatch(warnings(of('azure-connection')), /2027/);
    assert.match(warnings(of('azure-pipelines')), /whoever else gets such a token/);
    assert.equal(warnings(of('azure-pipelines', { factsOnly: true })), '');
    assert.match(warnings(of('gitlab', { use: 'untilExpiry' })), /use up/);
    assert.match(warnings(of('oidc', { issuer: `https://login.microsoftonline.com/${TENANT}/v2.0` })), /entra/);
  });

  it('finds entries that claim the same tokens', () => {
    assert.deepEqual(issuerConflicts([of('gitlab'), of('gitlab', { name: 'again' })]), [
      { name: 'again', other: 'gitlab' },
    ]);
    assert.deepEqual(issuerConflicts([of('gitlab'), of('github', { name: 'gitlab' })]), [
      { name: 'gitlab', other: 'gitlab' },
    ]);
    assert.deepEqual(issuerConflicts([of('azure-pipelines'), of('azure-connection-old')]), []);
    const any = of('oidc', { issuer: of('azure-pipelines').issuer, audiences: of('azure-pipelines').audiences });
    assert.equal(issuerConflicts([of('azure-pipelines'), any]).length, 1);
  });

  it('every profile has defaults, asymmetric algorithms and no shared audience among them', () => {
    for (const profile of PROFILES) {
      const { algorithms, maxLifetimeMs, sharedAudience } = issuerDefaults(profile);
      assert.ok(algorithms.every((each) => /^(RS|PS|ES|Ed)/.test(each)));
      assert.ok(maxLifetimeMs > 0 && !sharedAudience);
    }
  });
});
