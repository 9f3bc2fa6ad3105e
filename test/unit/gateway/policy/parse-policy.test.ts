import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MAX_POLICY_BYTES, parsePolicy, policyError } from '#gateway/policy/parse-policy.ts';
import { binding, ISSUERS, loaded, policyFrom, policyText, problemsOf, ROLE } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const SCHEMA = new URL('../../../../src/gateway/policy/gateway-policy.schema.json', import.meta.url);
const PUBLISHED = new URL('../../../../docs/schemas/gateway-policy.schema.json', import.meta.url);

const YAML = `# Who may run what.
apiVersion: plumbline.dev/policy/v1
issuers:
  gitlab:
    profile: gitlab
    issuer: https://gitlab.example.com
    audiences: [https://gateway.example.com]
    maxLifetime: 10m
roles:
  sales:
    modules: [retail.*]
    tasks: [DailyReport]
    parameters:
      date: { glob: '2026-*' }
    code: { kind: installed, path: /srv/retail, python: bin/python, commitFile: COMMIT }
    maxRuntime: 90m
bindings:
  - name: sales
    issuer: gitlab
    match:
      all:
        - { claim: project_id, equals: 57382910 }
    roles: [sales]
    from: 2026-11-01
    until: 2026-12-01T08:00:00+01:00
    reason: quarter end
    examples:
      allow:
        - claims: { project_id: '57382910' }
      deny:
        - claims: { project_id: '1' }
`;

describe('parsePolicy', () => {
  it('reads a policy with its defaults', () => {
    const policy = loaded(YAML);
    assert.equal(policy.sha256, createHash('sha256').update(YAML).digest('hex'));
    const [issuer] = policy.issuers;
    assert.deepEqual(
      [issuer?.name, issuer?.maxLifetimeMs, issuer?.algorithms, issuer?.use, issuer?.sharedAudience],
      ['gitlab', 600_000, ['RS256'], 'once', false],
    );
    assert.deepEqual(policy.roles.get('sales'), {
      name: 'sales',
      modules: ['retail.*'],
      tasks: ['DailyReport'],
      parameters: { date: { glob: '2026-*' } },
      otherParameters: false,
      environment: undefined,
      workerIdentity: undefined,
      unixUser: undefined,
      code: {
        kind: 'installed',
        path: '/srv/retail',
        python: '/srv/retail/bin/python',
        commitFile: '/srv/retail/COMMIT',
      },
      scheduler: undefined,
      variables: {},
      secrets: [],
      maxWorkers: 1,
      maxRuntimeMs: 5_400_000,
      concurrency: 4,
      attempts: 1,
      taskIdentities: undefined,
      namespaces: [],
      stockLuigi: false,
    });
  });

  it('gives the file the SHA-256 of its bytes, with a byte order mark too', () => {
    const bytes = Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(YAML)]);
    assert.equal(parsePolicy(bytes, 'p').policy?.sha256, createHash('sha256').update(bytes).digest('hex'));
  });

  it('knows credentials of old by their digest and end', () => {
    const policy = policyFrom({
      legacy: [{ name: 'cron', sha256: 'c'.repeat(64), until: '2027-01-01', roles: ['sales'] }],
    });
    assert.deepEqual(policy.legacy, [{ name: 'cron', sha256: 'c'.repeat(64), until: Date.UTC(2027, 0, 1) }]);
  });

  it('tells everything that is wrong with the shape, with line and field', () => {
    const text = YAML.replace('apiVersion: plumbline.dev/policy/v1', 'apiVersion: v2\nmod: report')
      .replace('profile: gitlab', 'profile: gitlub')
      .replace('modules: [retail.*]', 'modules: retail.*')
      .replace('equals: 57382910', 'equals: x, glob: x');
    assert.deepEqual(problemsOf(text), [
      '2:apiVersion: must be "plumbline.dev/policy/v1"',
      '3:mod: unknown key; known are apiVersion, mode, issuers, identities, roles, airflow, pipelines, bindings, deny, legacy, viewers',
      '6:issuers.gitlab.profile: must be one of azure-pipelines, azure-connection, entra, gitlab, github, kubernetes, oidc',
      '12:roles.sales.modules: must be a list',
      '23:bindings[0].match.all[0]: needs exactly one of equals, oneOf, glob and exists',
    ]);
  });

  it('tells everything that has no meaning, with line and field', () => {
    const text = YAML.replace('    issuer: gitlab\n', '    issuer: gitlub\n')
      .replace('roles: [sales]', 'roles: [sale]')
      .replace('from: 2026-11-01', 'from: 2026-02-30')
      .replace('    reason: quarter end\n', '')
      .replace('maxRuntime: 90m', 'maxRuntime: 0m');
    assert.deepEqual(problemsOf(text), [
      '16:roles.sales.maxRuntime: must be longer than nothing and at most 3650d',
      '18:bindings[0].reason: is needed with `from` or `until`',
      '19:bindings[0].issuer: is not one of `issuers`',
      '23:bindings[0].roles[0]: is not one of `roles`',
      '24:bindings[0].from: is a day or time that does not exist',
    ]);
  });

  const yaml: readonly (readonly [string, string, RegExp])[] = [
    ['a key that is given twice', YAML.replace('    tasks:', '    tasks: [A]\n    tasks:'), /^13:.*given twice/],
    ['an anchor', YAML.replace('[retail.*]', '&m [retail.*]'), /^11:.*anchors/],
    ['an alias', YAML.replace('[retail.*]', '*m'), /^11:/],
    ['an alias bomb', `a: &a [x, x]\n${'b: &b [*a, *a, *a]\n'.repeat(1)}c: [*b, *b]\n`, /^1:.*anchors/],
    [
      'a merge key',
      YAML.replace('    modules:', '    <<: {maxWorkers: 9}\n    modules:'),
      /^11:roles\.sales\.<<: unknown key/,
    ],
    ['a tag', YAML.replace('[retail.*]', '!!set {a}'), /^11:.*tags/],
    ['__proto__', YAML.replace('    modules:', '    __proto__: {maxWorkers: 9}\n    modules:'), /^11:.*__proto__/],
    [
      'constructor as a parameter',
      YAML.replace('date:', 'constructor:'),
      /^14:roles\.sales\.parameters\.constructor: is no name/,
    ],
    ['a parameter that is no name', YAML.replace('date:', '"a-b":'), /^14:roles\.sales\.parameters\.a-b: is no name/],
    ['two documents', `${YAML}---\n${YAML}`, /more than one document/],
    ['a list', '- a\n', /^1:\(document\): must be a map/],
    ['nothing', '', /^1:\(document\): must be a map/],
    ['a text', 'hello', /^1:\(document\): must be a map/],
    ['no end of a bracket', '{[', /^1:\(document\):/],
    ['brackets without end', '['.repeat(60_000), /^1:\(file\): is nested too deep/],
    ['what is large and no policy', 'x\n'.repeat(40_000), /^1:\(file\): is no policy/],
    [
      'maps without end',
      Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      /:\(document\): .*nested/,
    ],
    ['a number that YAML shortens', YAML.replace('57382910', '1.10'), /^22:.*quotes/],
    ['a number with zeros before it', YAML.replace('57382910', '007'), /^22:.*quotes/],
    ['a number that no double holds', YAML.replace('57382910', '12345678901234567890'), /^22:/],
    ['no number', YAML.replace('57382910', '.nan'), /^22:/],
    [
      'a name with a control character',
      YAML.replace('maxRuntime', '"max\\u001b[31m##vso[x]\\nRuntime"'),
      /^16:roles\.sales\.max \[31m##vs o\[x\] Runtime: unknown key/,
    ],
  ];
  for (const [what, text, expected] of yaml)
    it(`refuses ${what}`, () => assert.match(problemsOf(text)[0] ?? 'none', expected));

  it('refuses what is no UTF-8, and what is too large to have been read by a person', () => {
    const refused = (bytes: Uint8Array | string) => parsePolicy(bytes, 'p').problems?.[0]?.message;
    assert.equal(refused(Buffer.of(0x61, 0xff)), 'is not UTF-8');
    assert.equal(refused(`${YAML}#${' '.repeat(MAX_POLICY_BYTES)}`), 'is larger than 1 MiB');
  });

  const gitlab = ISSUERS.gitlab;
  const issuer = (fields: Fields) => ({ issuers: { ...ISSUERS, gitlab: { ...gitlab, ...fields } } });
  const role = (fields: Fields) => ({ roles: { sales: { ...ROLE, ...fields } } });
  const bound = (fields: Fields) => ({ bindings: [binding(fields)] });
  const match = (...all: Fields[]) => bound({ match: { all } });
  const secret = { vault: 'kv-sales', secret: 's', target: 'parameter', name: 'password' };
  const bundle = { kind: 'bundle', python: '/p', maxBytes: 1, repository: { equals: '7' }, ref: { glob: '**' } };
  const old = { name: 'cron', sha256: 'c'.repeat(64), until: '2027-01-01', roles: ['sales'] };
  const refused: readonly (readonly [string, Fields, string | RegExp])[] = [
    ['http for an issuer', issuer({ issuer: 'http://gitlab.example.com' }), /^issuers\.gitlab\.issuer: .*https/],
    ['an issuer with user info', issuer({ issuer: 'https://a:b@gitlab.example.com' }), /^issuers\.gitlab\.issuer: /],
    [
      'an issuer with a query',
      issuer({ issuer: 'https://gitlab.example.com?a' }),
      /^issuers\.gitlab\.issuer: must have no query/,
    ],
    ['no audience', issuer({ audiences: [] }), 'issuers.gitlab.audiences: must have at least 1 entry'],
    [
      'a symmetric algorithm',
      issuer({ algorithms: ['HS256'] }),
      /^issuers\.gitlab\.algorithms\[0\]: must be one of RS256/,
    ],
    ['no algorithm', issuer({ algorithms: ['none'] }), /^issuers\.gitlab\.algorithms\[0\]: must be one of RS256/],
    [
      'a private key',
      issuer({ jwks: { keys: [{ kty: 'RSA', kid: 'k', n: 'x', e: 'AQAB', d: 'x' }] } }),
      /^issuers\.gitlab\.jwks\.keys\[0\]\.d: is a part of a private/,
    ],
    ['a lifetime without end', issuer({ maxLifetime: '365d' }), /^issuers\.gitlab\.maxLifetime: /],
    ['a duration that is none', issuer({ maxAge: '1 week' }), /^issuers\.gitlab\.maxAge: must be a duration/],
    [
      'the audience that every Azure tenant shares',
      issuer({ audiences: ['api://AzureADTokenExchange'] }),
      /^issuers\.gitlab\.audiences: .*sharedAudience/,
    ],
    [
      'the name of the gateway',
      { issuers: { plumbline: gitlab, gitlab } },
      /^issuers\.plumbline: is a name that the gateway keeps/,
    ],
    [
      'the name of credentials of old',
      { issuers: { legacy: gitlab, gitlab: { ...gitlab, audiences: ['x'] } } },
      /^issuers\.legacy: is a name that the gateway keeps/,
    ],
    [
      'two issuers for one token',
      { issuers: { gitlab, other: gitlab } },
      /^issuers\.other\.audiences: has an audience of the same issuer that 'gitlab' has too/,
    ],
    [
      '65 issuers',
      {
        issuers: Object.fromEntries(
          Array.from({ length: 65 }, (_, i) => [`i${i}`, { ...gitlab, audiences: [`a${i}`] }]),
        ),
      },
      'issuers: must have at most 64 entries',
    ],
    [
      '1,001 bindings',
      { bindings: Array.from({ length: 1_001 }, (_, i) => binding({ name: `b${i}` })) },
      'bindings: has more than 1000 entries',
    ],
    [
      'a pattern of 257 characters',
      role({ modules: ['a'.repeat(257)] }),
      'roles.sales.modules[0]: must have at most 256 characters',
    ],
    ['an empty pattern', role({ tasks: [''] }), 'roles.sales.tasks[0]: must not be empty'],
    [
      'a secret for a parameter that callers may give',
      role({ parameters: { password: { exists: true } }, secrets: [secret] }),
      'roles.sales.secrets[0].name: is already set by this role',
    ],
    [
      'two secrets in one place',
      role({ secrets: [secret, secret] }),
      'roles.sales.secrets[1].name: is already set by this role',
    ],
    [
      'a secret over a variable',
      role({ variables: { A: 'x' }, secrets: [{ ...secret, target: 'environment', name: 'A' }] }),
      'roles.sales.secrets[0].name: is already set by this role',
    ],
    [
      'a secret file with a path',
      role({ secrets: [{ ...secret, target: 'file', name: '../x' }] }),
      /^roles\.sales\.secrets\[0\]\.name: /,
    ],
    [
      'a vault that is a plain address',
      role({ secrets: [{ ...secret, vault: 'http://vault' }] }),
      /^roles\.sales\.secrets\[0\]\.vault: must be the name of a Key Vault/,
    ],
    [
      'code of no kind',
      role({ code: { kind: 'git', path: '/x' } }),
      'roles.sales.code: must be installed, wheel or bundle',
    ],
    [
      'code without its digest',
      role({ code: { kind: 'wheel', file: '/x.whl', python: '/p' } }),
      'roles.sales.code.sha256: is missing',
    ],
    [
      'a digest in capitals',
      role({ code: { kind: 'wheel', file: '/x.whl', python: '/p', sha256: 'A'.repeat(64) } }),
      /^roles\.sales\.code\.sha256: must be a SHA-256/,
    ],
    [
      'a Python above its environment',
      role({ code: { ...ROLE.code, python: '../python' } }),
      'roles.sales.code.python: must be absolute or lie below `path`',
    ],
    [
      'a bundle of any repository',
      role({ code: { ...bundle, repository: { exists: false } } }),
      /^roles\.sales\.code\.repository\.exists: must be true/,
    ],
    [
      'a bundle that is bound to nothing',
      role({ code: { kind: 'bundle', python: '/p', maxBytes: 1 } }),
      'roles.sales.code.repository: is missing',
    ],
    [
      'a scheduler with a password',
      role({ scheduler: 'http://a:b@luigid:8082' }),
      /^roles\.sales\.scheduler: must be `local` or/,
    ],
    [
      'a Unix user that is none',
      role({ unixUser: 'Root; x' }),
      /^roles\.sales\.unixUser: must be the name of a Unix user, or uid:gid/,
    ],
    ['the Unix user root in numbers', role({ unixUser: '0:0' }), /^roles\.sales\.unixUser: must be/],
    ['no condition', match(), 'bindings[0].match.all: must have at least 1 entry'],
    [
      'a regular expression',
      match({ claim: 'sub', regex: '.*' }),
      /^bindings\[0\]\.match\.all\[0\]\.regex: unknown key/,
    ],
    [
      'no operator',
      match({ claim: 'sub' }),
      'bindings[0].match.all[0]: needs exactly one of equals, oneOf, glob and exists',
    ],
    [
      'a claim that must be missing',
      match({ claim: 'sub', exists: false }),
      /^bindings\[0\]\.match\.all\[0\]\.exists: must be true/,
    ],
    ['null', match({ claim: 'sub', equals: null }), /^bindings\[0\]\.match\.all\[0\]\.equals: must be a text/],
    [
      'one of nothing',
      match({ claim: 'sub', oneOf: [] }),
      'bindings[0].match.all[0].oneOf: must have at least 1 entry',
    ],
    [
      'a pointer that is none',
      match({ claim: '/a~2', equals: 'x' }),
      /^bindings\[0\]\.match\.all\[0\]\.claim: is no JSON Pointer/,
    ],
    [
      'run facts of nobody',
      match({ claim: 'prj_id', runFacts: true, equals: 'x' }),
      'bindings[0].match.all[0].runFacts: needs `runFactsIssuer` beside `issuer`',
    ],
    [
      'an issuer of facts as caller',
      bound({ issuer: 'pipelines' }),
      'bindings[0].issuer: has `factsOnly`: it authorises nobody',
    ],
    [
      'an issuer of facts that is not there',
      bound({ runFactsIssuer: 'x' }),
      'bindings[0].runFactsIssuer: is not one of `issuers`',
    ],
    [
      'no allow example',
      bound({ examples: { allow: [], deny: [{ claims: {} }] } }),
      'bindings[0].examples.allow: must have at least 1 entry',
    ],
    ['no deny example', bound({ examples: { allow: [{ claims: {} }] } }), 'bindings[0].examples.deny: is missing'],
    ['no examples', bound({ examples: undefined }), 'bindings[0].examples: is missing'],
    [
      'an example of a role that is not there',
      bound({ examples: { allow: [{ claims: {}, role: 'x' }], deny: [{ claims: {} }] } }),
      'bindings[0].examples.allow[0].role: is not one of `roles`',
    ],
    [
      'a period that ends before it begins',
      bound({ from: '2026-12-01', until: '2026-11-01', reason: 'x' }),
      'bindings[0].until: must be later than `from`',
    ],
    [
      'a time without a zone',
      bound({ until: '2026-12-01T08:00:00', reason: 'x' }),
      /^bindings\[0\]\.until: must be a day/,
    ],
    [
      'a period without a reason',
      bound({ until: '2026-12-01' }),
      'bindings[0].reason: is needed with `from` or `until`',
    ],
    [
      'a requirement that is not asked for',
      bound({ require: { approval: false } }),
      'bindings[0].require.approval: must be true',
    ],
    ['an unknown requirement', bound({ require: { mfa: true } }), /^bindings\[0\]\.require\.mfa: unknown key/],
    ['an unknown mode', bound({ mode: 'audit' }), 'bindings[0].mode: must be one of enforce, report'],
    [
      'two bindings of one name',
      { bindings: [binding(), binding()] },
      'bindings[1].name: is the name of another binding, deny rule or credential too',
    ],
    [
      'a deny rule with the name of a binding',
      { deny: [{ name: 'sales', reason: 'x' }] },
      'deny[0].name: is the name of another binding, deny rule or credential too',
    ],
    ['a deny rule without a reason', { deny: [{ name: 'stop' }] }, 'deny[0].reason: is missing'],
    [
      'a deny rule of a role that is not there',
      { deny: [{ name: 'stop', reason: 'x', roles: ['y'] }] },
      'deny[0].roles[0]: is not one of `roles`',
    ],
    [
      'a deny rule of an issuer that is not there',
      { deny: [{ name: 'stop', reason: 'x', issuer: 'y' }] },
      'deny[0].issuer: is not one of `issuers`',
    ],
    ['a credential of old without an end', { legacy: [{ ...old, until: undefined }] }, 'legacy[0].until: is missing'],
    [
      'a credential of old that is no digest',
      { legacy: [{ ...old, sha256: 'hunter2' }] },
      /^legacy\[0\]\.sha256: must be a SHA-256/,
    ],
    [
      'the digest of an empty token',
      { legacy: [{ ...old, sha256: createHash('sha256').digest('hex') }] },
      /^legacy\[0\]\.sha256: is of an empty token/,
    ],
    [
      'two credentials of old for one token',
      { legacy: [old, { ...old, name: 'b' }] },
      /^legacy\[1\]\.sha256: .*another credential/,
    ],
  ];
  for (const [what, fields, expected] of refused)
    it(`refuses ${what}`, () => {
      const problems = problemsOf(policyText(fields)).map((problem) => problem.replace(/^\d+:/, ''));
      const isIt = (problem: string) => (typeof expected === 'string' ? problem === expected : expected.test(problem));
      assert.ok(problems.some(isIt), `${problems.join('\n')} is not ${expected}`);
    });

  it('makes one error of all problems, a line each', () => {
    const { problems = [] } = parsePolicy('a: 1\n', 'policy.yaml');
    const error = policyError('policy.yaml', problems);
    assert.equal(error.code, 'ERR_POLICY_INVALID');
    assert.match(error.message, /^Cannot use the policy policy\.yaml: it has 4 problems\npolicy\.yaml:1:1: /);
    assert.equal(error.message.split('\n').length, 5);
  });

  it('has its schema published as it is used', () => {
    assert.equal(readFileSync(PUBLISHED, 'utf8'), readFileSync(SCHEMA, 'utf8'));
  });
});
