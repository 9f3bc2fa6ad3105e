import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { PlumblineError } from '#core/errors.ts';
import { readGatewayConfig } from '#gateway/config/read-gateway-config.ts';
import type { FileProblem } from '#gateway/config/yaml-source.ts';

const FILES = { text: () => '-----BEGIN CERTIFICATE-----', secret: () => 's3cret\n' };
const LEAST = {
  apiVersion: 'plumbline.dev/gateway/v1',
  stateDirectory: 'state',
  runsDirectory: 'runs',
  policyFile: 'policy.yaml',
  publicUrl: 'https://gateway.example.com/',
};
const ONE = {
  url: 'https://airflow.example.com/',
  authManager: 'simple',
  audience: 'airflow-prod',
  publicKeys: 'prod.json',
};

const read = (airflow: object, more: object = {}) =>
  readGatewayConfig('/etc/p/gateway.yaml', stringify({ ...LEAST, ...more, airflow }), FILES);

function problemsOf(airflow: object, more: object = {}): string[] {
  try {
    read(airflow, more);
    return [];
  } catch (error) {
    assert.ok(error instanceof PlumblineError, String(error));
    return (error.details['problems'] as FileProblem[]).map(({ field, message }) => `${field}: ${message}`);
  }
}

describe('airflow of gateway.yaml', () => {
  it('needs little', () => {
    assert.deepEqual(
      [...read({ prod: ONE }).airflow.values()],
      [
        {
          name: 'prod',
          url: 'https://airflow.example.com',
          issuer: 'https://gateway.example.com/airflow/prod',
          audience: 'airflow-prod',
          authManager: 'simple',
          publicKeysFile: '/etc/p/prod.json',
          keys: { kind: 'files', rotateEveryMs: 30 * 86_400_000, publishForMs: 2 * 3_600_000 },
          lifetimeMs: 600_000,
        },
      ],
    );
    assert.equal(read({}).airflow.size, 0);
  });

  const vault = { kind: 'azure-key-vault', vault: 'https://Keys.vault.azure.net', key: 'Airflow' };
  const own = 'https://airflow.example.com';
  const refused: readonly (readonly [string, object, RegExp, object?])[] = [
    ['a name with other letters', { 'Prod/1': ONE }, /^airflow\S*: is no name/],
    ['another auth manager', { prod: { ...ONE, authManager: 'keycloak' } }, /authManager: must be one of simple, fab/],
    ['what nobody knows', { prod: { ...ONE, secret: 'x' } }, /airflow\.prod\.secret: unknown key/],
    [
      'http elsewhere',
      { prod: { ...ONE, url: 'http://airflow.example.com' } },
      /airflow\.prod\.url: must begin with https/,
    ],
    [
      'a password in the URL',
      { prod: { ...ONE, url: 'https://a:b@airflow.example.com' } },
      /airflow\.prod\.url: .*user info/,
    ],
    ['no issuer', { prod: ONE }, /airflow\.prod: needs 'issuer', or 'publicUrl'/, { publicUrl: undefined }],
    [
      'a list of issuers',
      { prod: { ...ONE, issuer: `${own},https://b.example` } },
      /airflow\.prod\.issuer: must have no comma/,
    ],
    [
      'Airflow’s own issuer, by its URL',
      { prod: { ...ONE, issuer: `${own}/` } },
      /airflow\.prod\.issuer: must not be Airflow's own/,
    ],
    [
      'Airflow’s own issuer, as it says',
      { prod: { ...ONE, airflowIssuer: 'urn:a', issuer: 'urn:a' } },
      /airflow\.prod\.issuer: must not be Airflow's own/,
    ],
    [
      'Airflow’s own issuer as the default',
      { prod: { ...ONE, airflowIssuer: 'https://gateway.example.com/airflow/prod' } },
      /airflow\.prod: must not be Airflow's own/,
    ],
    [
      'the audience of tasks',
      { prod: { ...ONE, audience: 'urn:airflow.apache.org:task' } },
      /audience: must not be that of the execution API/,
    ],
    [
      'another audience of tasks',
      { prod: { ...ONE, taskAudience: 'a, airflow-prod' } },
      /audience: must not be that of the execution API/,
    ],
    ['a list of audiences', { prod: { ...ONE, audience: 'a,b' } }, /audience: must have no comma/],
    ['long tokens', { prod: { ...ONE, lifetime: '11m' } }, /lifetime: must be from 60s to 600s/],
    ['short tokens', { prod: { ...ONE, lifetime: '30s' } }, /lifetime: must be from/],
    [
      'keys that sign before Airflow asks for them',
      { prod: { ...ONE, keys: { kind: 'files', publishFor: '59m' } } },
      /publishFor: must be from 1h/,
    ],
    ['the same in a vault', { prod: { ...ONE, keys: { ...vault, publishFor: '1m' } } }, /publishFor: must be from 1h/],
    [
      'keys that end before they sign',
      { prod: { ...ONE, keys: { kind: 'files', rotateEvery: '1h' } } },
      /rotateEvery: must be longer/,
    ],
    [
      'one audience for two',
      { prod: ONE, test: { ...ONE, url: 'https://b.example' } },
      /airflow\.test\.audience: is that of 'prod' too/,
    ],
    [
      'one issuer for two',
      { prod: { ...ONE, issuer: 'urn:g' }, test: { ...ONE, audience: 'b', issuer: 'urn:g' } },
      /airflow\.test\.issuer: is that of/,
    ],
    [
      'one key for two, however the vault is named',
      {
        prod: { ...ONE, keys: vault },
        test: { ...ONE, audience: 'b', keys: { ...vault, vault: 'keys', key: 'airflow' } },
      },
      /airflow\.test\.keys: is the key of 'prod' too/,
    ],
    [
      'the key of the tasks’ issuer',
      { prod: { ...ONE, keys: vault } },
      /airflow\.prod\.keys: is the key of the gateway's own issuer too/,
      { issuer: { keys: { ...vault, vault: 'keys' } } },
    ],
    [
      'the issuer of the tasks’ tokens',
      { prod: { ...ONE, issuer: 'https://gateway.example.com' } },
      /airflow\.prod\.issuer: is that of the gateway's own issuer too/,
      { issuer: {} },
    ],
  ];
  for (const [what, airflow, problem, more] of refused)
    it(`has not ${what}`, () => {
      const problems = problemsOf(airflow, more);
      assert.ok(
        problems.some((one) => problem.test(one)),
        problems.join('\n'),
      );
    });

  it('may have its keys in a vault', () => {
    const { keys } = read({ prod: { ...ONE, keys: vault } }).airflow.get('prod') ?? {};
    assert.deepEqual(keys, { ...vault, publishForMs: 2 * 3_600_000 });
  });
});
