import assert from 'node:assert/strict';
import { parsePolicy } from '#gateway/policy/parse-policy.ts';
import { binding, document, policyText, problemsOf, ROLE } from '../../../support/sample-policy.ts';

type Fields = Readonly<Record<string, unknown>>;

const GUID = '8a1c2e3f-0b4d-4c5e-9f60-7182930a4b5c';
const OTHER = '11111111-2222-4333-8444-555555555555';
const AZURE = { azure: { clientId: GUID, tenantId: OTHER } };
const AWS = { aws: { roleArn: 'arn:aws:iam::123456789012:role/loader' } };
const POOL = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/plumbline';
const account = (name: string) => `${name}@retail-1.iam.gserviceaccount.com`;
const file = (fields: Fields = {}) => ({ files: [{ audience: 'vault', variable: 'VAULT_JWT_FILE', ...fields }] });
const entry = (identity?: string, ...tasks: string[]) => ({ tasks: tasks.length > 0 ? tasks : ['*'], identity });

/** Roles by name, all of one binding. */
function roles(map: Readonly<Record<string, Fields>>, fields: Fields = {}): Fields {
  const [first] = Object.keys(map);
  const example = (project: string) => ({ claims: { project_id: project }, role: first });
  return {
    roles: Object.fromEntries(Object.entries(map).map(([name, role]) => [name, { ...ROLE, ...role }])),
    bindings: [binding({ roles: Object.keys(map), examples: { allow: [example('7')], deny: [example('8')] } })],
    ...fields,
  };
}

/** One role, whose tasks are `it`. */
const identity = (it: Fields, role: Fields = {}) =>
  roles({ sales: { taskIdentities: [entry('it')], ...role } }, { identities: { it } });
const uses = (...names: string[]) => ({ taskIdentities: names.map((name, i) => entry(name, `T${i}`)) });

function problems(fields: Fields): string[] {
  return problemsOf(policyText(fields)).map((problem) => problem.replace(/^\d+:/, ''));
}

describe('a policy with identities', () => {
  const good: readonly (readonly [string, Fields])[] = [
    ['every cloud', identity({ ...AZURE, ...AWS, google: { provider: POOL }, ...file() })],
    ['a GUID in capitals', identity({ azure: { clientId: GUID.toUpperCase(), tenantId: OTHER } })],
    ['a role of AWS with a path', identity({ aws: { roleArn: 'arn:aws-cn:iam::123456789012:role/a/b+c=d,e.f@g-h' } })],
    ["an environment that is the role's", identity({ ...AZURE, environment: 'prod' }, { environment: 'Production' })],
    [
      'a region beside a role',
      identity(AWS, { variables: { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-1' } }),
    ],
    ['variables of credentials where no task has an identity', roles({ sales: { variables: { AWS_PROFILE: 'x' } } })],
    ['an identity for two lists of families', roles({ a: uses('it', 'it') }, { identities: { it: AZURE } })],
    [
      'an identity that is said to be shared',
      roles({ a: uses('it'), b: uses('it') }, { identities: { it: { ...AZURE, sharedBy: 'x' } } }),
    ],
    [
      'two names of one identity, one of which says why',
      roles({ a: uses('one'), b: uses('two') }, { identities: { one: AZURE, two: { ...AZURE, sharedBy: 'x' } } }),
    ],
    [
      'one provider of Google for two identities that are told apart by their subject',
      roles(
        { a: uses('one'), b: uses('two') },
        { identities: { one: { google: { provider: POOL } }, two: { google: { provider: POOL } } } },
      ),
    ],
    ['families without any identity', roles({ a: { taskIdentities: [entry()] }, b: { taskIdentities: [entry()] } })],
    ['an identity of staging for staging', identity({ ...AZURE, environment: 'staging' }, { environment: 'staging' })],
  ];
  for (const [what, fields] of good) it(`may have ${what}`, () => assert.deepEqual(problems(fields), []));

  const ARN = 'roles.b.taskIdentities[0].identity';
  const shared =
    "is an identity of tasks of 'a' too; give each role one of its own, or say why with `sharedBy` at the identity";
  const production = 'is an identity of production in a role that is not';
  const refused: readonly (readonly [string, Fields, string | RegExp])[] = [
    [
      'nowhere to be good',
      identity({ environment: 'x' }, { environment: 'x' }),
      'identities.it: needs one of azure, aws, google and files',
    ],
    [
      'the name that tasks without one have',
      { identities: { task: AZURE } },
      /^identities\.task: is a name that the gateway keeps/,
    ],
    ['a name that is none', { identities: { 'It is': AZURE } }, /^identities\.It is: is no name/],
    ['an unknown cloud', identity({ oracle: {} }), /^identities\.it\.oracle: unknown key/],
    [
      'a client id that is none',
      identity({ azure: { clientId: 'sales', tenantId: OTHER } }),
      'identities.it.azure.clientId: must be a client id, which is a GUID',
    ],
    [
      'a client id with a line after it',
      identity({ azure: { clientId: `${GUID}\n`, tenantId: OTHER } }),
      /clientId: must be a client id/,
    ],
    [
      'a tenant by its domain',
      identity({ azure: { clientId: GUID, tenantId: 'contoso.com' } }),
      /tenantId: must be a tenant id/,
    ],
    ['no tenant', identity({ azure: { clientId: GUID } }), 'identities.it.azure.tenantId: is missing'],
    [
      "an authority that is nobody's",
      identity({ azure: { ...AZURE.azure, authorityHost: 'https://login.example.com' } }),
      /authorityHost: must be one of https:/,
    ],
    [
      'an authority without TLS',
      identity({ azure: { ...AZURE.azure, authorityHost: 'http://login.microsoftonline.com' } }),
      /authorityHost: must be one of/,
    ],
    [
      'an authority with a path',
      identity({ azure: { ...AZURE.azure, authorityHost: 'https://login.microsoftonline.com/x' } }),
      /authorityHost: must be one of/,
    ],
    [
      'a secret',
      identity({ azure: { ...AZURE.azure, clientSecret: 'x' } }),
      /^identities\.it\.azure\.clientSecret: unknown key/,
    ],
    [
      'an ARN of a user',
      identity({ aws: { roleArn: 'arn:aws:iam::123456789012:user/x' } }),
      /roleArn: must be the ARN of an IAM role/,
    ],
    ['an ARN without an account', identity({ aws: { roleArn: 'arn:aws:iam:::role/x' } }), /roleArn: must be/],
    ['an ARN of any role', identity({ aws: { roleArn: 'arn:aws:iam::123456789012:role/*' } }), /roleArn: must be/],
    ['a region that is none', identity({ aws: { ...AWS.aws, region: 'Frankfurt' } }), /region: must be a region/],
    ['a provider with a scheme', identity({ google: { provider: `https:${POOL}` } }), /provider: must be \/\/iam/],
    [
      'a provider of a project by its name',
      identity({ google: { provider: POOL.replace('/1/', '/retail/') } }),
      /provider: must be/,
    ],
    [
      'a service account of another company',
      identity({ google: { provider: POOL, serviceAccount: 'a@example.com' } }),
      /serviceAccount: must be/,
    ],
    ['an audience with a space', identity(file({ audience: 'a b' })), /files\[0\]\.audience: must be an audience/],
    ['no audience', identity(file({ audience: '' })), /files\[0\]\.audience: must be an audience/],
    [
      'a file without a variable',
      identity({ files: [{ audience: 'x' }] }),
      'identities.it.files[0].variable: is missing',
    ],
    [
      'one audience for two targets',
      identity({ ...AZURE, files: [{ audience: 'api://AzureADTokenExchange', variable: 'X' }] }),
      'identities.it.files: has an audience that another part of this identity has too',
    ],
    [
      'one variable for two files',
      identity({ files: ['a', 'b'].map((audience) => ({ audience, variable: 'X' })) }),
      'identities.it.files[1].variable: is the variable of another file too',
    ],
    [
      'an identity that is not there',
      roles({ sales: uses('it') }),
      'roles.sales.taskIdentities[0].identity: is not one of `identities`',
    ],
    [
      'an identity that every object has',
      roles({ sales: uses('constructor') }, { identities: { it: AZURE } }),
      'roles.sales.taskIdentities[0].identity: is not one of `identities`',
    ],
    [
      'no families',
      roles({ sales: { taskIdentities: [{ tasks: [], identity: 'it' }] } }),
      /taskIdentities\[0\]\.tasks: must have at least 1 entry/,
    ],
    ['no entry', roles({ sales: { taskIdentities: [] } }), /taskIdentities: must have at least 1 entry/],
    [
      'one identity of two roles',
      roles({ a: uses('it'), b: uses('it') }, { identities: { it: AZURE } }),
      `${ARN}: ${shared}`,
    ],
    [
      'two names of one client of Entra ID',
      roles(
        { a: uses('one'), b: uses('two') },
        { identities: { one: AZURE, two: { azure: { clientId: GUID.toUpperCase(), tenantId: GUID } } } },
      ),
      `${ARN}: ${shared}`,
    ],
    [
      'two names of one role of AWS',
      roles({ a: uses('one'), b: uses('two') }, { identities: { one: AWS, two: AWS } }),
      `${ARN}: ${shared}`,
    ],
    [
      'two names of one account of Google',
      roles(
        { a: uses('one'), b: uses('two') },
        {
          identities: Object.fromEntries(
            ['one', 'two'].map((name) => [name, { google: { provider: POOL, serviceAccount: account('it') } }]),
          ),
        },
      ),
      `${ARN}: ${shared}`,
    ],
    [
      "a worker identity that another role's tasks have",
      roles({ a: { workerIdentity: 'it', sharedIdentity: undefined }, b: uses('it') }, { identities: { it: AZURE } }),
      /^roles\.b\.taskIdentities\[0\]\.identity: is the worker identity of 'a' too/,
    ],
    [
      "a client id as worker identity that another role's tasks have",
      roles({ a: { workerIdentity: GUID }, b: uses('it') }, { identities: { it: AZURE } }),
      /is the worker identity of 'a' too/,
    ],
    [
      'a reason at the role for an identity of tasks',
      roles({ a: { ...uses('it'), sharedIdentity: 'x' }, b: uses('it') }, { identities: { it: AZURE } }),
      `${ARN}: ${shared}`,
    ],
    [
      'a third role that says nothing',
      roles(
        { a: uses('one'), b: uses('two'), c: uses('three') },
        { identities: { one: AZURE, two: { ...AZURE, sharedBy: 'x' }, three: AZURE } },
      ),
      /^roles\.c\.taskIdentities\[0\]\.identity: is an identity of tasks of 'a' too/,
    ],
    [
      'one worker identity of two roles',
      roles({ a: { workerIdentity: 'one' }, b: { workerIdentity: 'ONE' } }),
      /^roles\.b\.workerIdentity: is the worker identity of 'a' too; .*`sharedIdentity`$/,
    ],
    [
      'a staging role with an identity of production by its name',
      roles({ s: { environment: 'staging', ...uses('sales-prod') } }, { identities: { 'sales-prod': AZURE } }),
      `roles.s.taskIdentities[0].identity: ${production}`,
    ],
    [
      'a role of staging by its name with such an identity',
      roles({ 'sales-test': uses('live') }, { identities: { live: AZURE } }),
      `roles.sales-test.taskIdentities[0].identity: ${production}`,
    ],
    [
      'a staging role with the identity of a role of production, though it is said to be shared',
      roles(
        { live: { environment: 'production', ...uses('one') }, stage: { environment: 'staging', ...uses('two') } },
        { identities: { one: { ...AZURE, sharedBy: 'x' }, two: { ...AZURE, sharedBy: 'x' } } },
      ),
      `roles.stage.taskIdentities[0].identity: ${production}`,
    ],
    [
      'a staging role with a worker identity of production',
      roles({ stage: { environment: 'staging', workerIdentity: 'uami-sales-prod' } }),
      `roles.stage.workerIdentity: ${production}`,
    ],
    [
      'a staging role with the worker identity of a role of production, though it is said to be shared',
      roles({
        live: { environment: 'production', workerIdentity: 'one', sharedIdentity: 'x' },
        stage: { environment: 'staging', workerIdentity: 'one' },
      }),
      `roles.stage.workerIdentity: ${production}`,
    ],
    [
      'a staging role with a second name of an identity of production that no role has',
      roles({ 'sales-test': uses('it') }, { identities: { it: AZURE, 'sales-prod': AZURE } }),
      `roles.sales-test.taskIdentities[0].identity: ${production}`,
    ],
    [
      'a second name of an identity of another environment',
      roles(
        { sales: { ...uses('it'), environment: 'eu-8' } },
        { identities: { it: AWS, other: { ...AWS, environment: 'eu-7' } } },
      ),
      /^roles\.sales\.taskIdentities\[0\]\.identity: is an identity of another environment/,
    ],
    [
      'a worker identity that is one of another environment',
      roles(
        { sales: { workerIdentity: 'it', environment: 'eu-8' } },
        { identities: { it: { ...AWS, environment: 'eu-7' } } },
      ),
      /^roles\.sales\.workerIdentity: is an identity of another environment/,
    ],
    [
      'an identity of another environment',
      identity({ ...AZURE, environment: 'eu-7' }, { environment: 'eu-8' }),
      /is an identity of another environment/,
    ],
    [
      'an identity of an environment in a role of none',
      identity({ ...AZURE, environment: 'eu-7' }),
      /is an identity of another environment/,
    ],
    [
      'a variable that a file and the role have',
      identity(file(), { variables: { VAULT_JWT_FILE: '/x' } }),
      'roles.sales.taskIdentities[0].identity: has a file in a variable that this role sets itself',
    ],
    [
      'a variable that a file and a secret have',
      identity(file(), {
        secrets: [{ vault: 'kv-sales', secret: 's', target: 'environment', name: 'VAULT_JWT_FILE' }],
      }),
      'roles.sales.taskIdentities[0].identity: has a file in a variable that this role sets itself',
    ],
    [
      'a secret in a variable that wins',
      identity(AZURE, {
        secrets: [{ vault: 'kv-sales', secret: 's', target: 'environment', name: 'AZURE_CLIENT_SECRET' }],
      }),
      'roles.sales.secrets[0].name: would win over the tokens of `taskIdentities`',
    ],
    [
      'families for a binding whose roles have no identities',
      { bindings: [binding({ taskFamilies: ['*'] })] },
      'bindings[0].taskFamilies: narrows nothing: none of its roles has `taskIdentities`',
    ],
    [
      'stock workers with a luigid of their own',
      roles({ sales: { stockLuigi: true, scheduler: 'local' } }),
      /^roles\.sales\.stockLuigi: needs the gateway's luigid/,
    ],
    [
      'stock workers whose URL the role sets',
      roles({ sales: { stockLuigi: true, variables: { PLUMBLINE_SCHEDULER_URL: 'x' } } }),
      /PLUMBLINE_SCHEDULER_URL: is set by the gateway/,
    ],
    [
      'an example of an identity without a family',
      {
        identities: { it: AZURE },
        bindings: [
          binding({ examples: { allow: [{ claims: { project_id: '7' }, identity: 'it' }], deny: [{ claims: {} }] } }),
        ],
      },
      'bindings[0].examples.allow[0].identity: needs `family` beside it',
    ],
    [
      'an example of an identity that is not there',
      {
        bindings: [
          binding({
            examples: { allow: [{ claims: { project_id: '7' }, family: 'T', identity: 'it' }], deny: [{ claims: {} }] },
          }),
        ],
      },
      'bindings[0].examples.allow[0].identity: is not one of `identities`',
    ],
  ];
  for (const [what, fields, expected] of refused)
    it(`refuses ${what}`, () => {
      const found = problems(fields);
      const isIt = (problem: string) => (typeof expected === 'string' ? problem === expected : expected.test(problem));
      assert.ok(found.some(isIt), `${found.join('\n')} is not ${expected}`);
    });

  const reserved = [
    'PATH',
    'path',
    'LD_PRELOAD',
    'DYLD_X',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'PLUMBLINE_X',
    'AZURE_CLIENT_ID',
  ];
  const more = [
    'AWS_ROLE_ARN',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'HOME',
    'BASH_ENV',
    'LUIGI_CONFIG_PATH',
    'HTTPS_PROXY',
    'https_proxy',
  ];
  for (const variable of [
    ...reserved,
    ...more,
    'SSL_CERT_FILE',
    'REQUESTS_CA_BUNDLE',
    'NODE_OPTIONS',
    'TMPDIR',
    'LC_ALL',
    'IFS',
  ])
    it(`never puts the path of a token into ${variable}`, () =>
      assert.deepEqual(problems(identity(file({ variable }))), [
        'identities.it.files[0].variable: is a variable that means something else to the worker',
      ]));

  const winning = [
    'AZURE_CLIENT_SECRET',
    'AZURE_CLIENT_CERTIFICATE_PATH',
    'AZURE_TENANT_ID',
    'AZURE_FEDERATED_TOKEN_FILE',
  ];
  const others = [
    'AWS_ACCESS_KEY_ID',
    'AWS_SESSION_TOKEN',
    'AWS_PROFILE',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONFIG_FILE',
  ];
  for (const variable of [
    ...winning,
    ...others,
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'GOOGLE_APPLICATION_CREDENTIALS',
  ])
    it(`refuses ${variable} beside task identities`, () =>
      assert.deepEqual(problems(identity(AZURE, { variables: { [variable]: 'x' } })), [
        `roles.sales.variables.${variable}: would win over the tokens of \`taskIdentities\``,
      ]));

  it('tells of the largest number of roles with one identity before anybody gets tired', () => {
    const names = Array.from({ length: 24 }, (_, i) => `i${i}`);
    const map = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`r${i}`, uses(...names)]));
    const identities = Object.fromEntries(names.map((name) => [name, AZURE]));
    const fields = { ...roles(map), bindings: [binding({ roles: ['r0'] })], identities };
    const { problems: found = [] } = parsePolicy(JSON.stringify(document(fields)), 'policy.yaml');
    assert.equal(found.length, 100);
    assert.match(String(found[0]?.message), /^is an identity of tasks of 'r0' too/);
  });
});
