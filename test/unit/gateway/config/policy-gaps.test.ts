import assert from 'node:assert/strict';
import type { GatewayConfig } from '#gateway/config/gateway-config.ts';
import { policyGaps } from '#gateway/config/policy-gaps.ts';
import { readGatewayConfig } from '#gateway/config/read-gateway-config.ts';
import type { AirflowGrant } from '#gateway/policy/access-grants.ts';
import { FakePolicy, roleOf } from '../../../support/gateway/runs-fixture.ts';

type Settings = Partial<Pick<GatewayConfig, 'isolation' | 'issuer' | 'luigid' | 'publicUrl' | 'listen' | 'transport'>>;
const LISTENER = {
  airflow: new Map(),
  azureDevOps: [],
  isolation: 'none',
  listen: { host: '127.0.0.1', port: 8443 },
  transport: { kind: 'plain' },
} as const;
const upstream = { kind: 'url', url: 'http://127.0.0.1:8082' } as const;
const ISSUER: Settings['issuer'] = {
  url: 'https://issuer.example.com',
  lifetimeMs: 600_000,
  keys: { kind: 'files', rotateEveryMs: 0, publishForMs: 0 },
};

describe('what a policy needs and a configuration does not have', () => {
  const policy = new FakePolicy(
    roleOf('loader', { taskIdentities: [{ tasks: ['*'] }], namespaces: ['sales'] }),
    roleOf('cron', { stockLuigi: true, namespaces: ['ops'] }),
    roleOf('plain'),
    roleOf('elsewhere', { scheduler: 'local' }),
  );
  const gaps = (settings: Settings) =>
    policyGaps({ ...LISTENER, ...settings }, policy).map((gap) => [
      /role '(\w+)'/.exec(gap)?.[1],
      /no (?:issuer:|luigid behind|publicUrl:|namespaces:)/.exec(gap)?.[0],
    ]);

  it('is nothing when it has all of it', () => {
    assert.deepEqual(policyGaps({ ...LISTENER, issuer: ISSUER }, new FakePolicy(roleOf('plain'))), []);
    assert.deepEqual(gaps({ issuer: ISSUER, luigid: { upstream, proxied: true } }), [['plain', 'no namespaces:']]);
  });

  it('is told by role', () => {
    for (const settings of [{ luigid: { upstream, proxied: false } }, {}])
      assert.deepEqual(gaps(settings), [
        ['loader', 'no issuer:'],
        ['cron', 'no luigid behind'],
      ]);
  });

  it('is told by pipeline, for organizations and projects that the configuration does not have', () => {
    const organization = 'https://dev.azure.com/fabrikam';
    const pipelines = new Map(
      ['demo', 'Other'].map((project) => [project, { name: project, organization, project, pipeline: 1 }] as const),
    );
    const told = (azureDevOps: GatewayConfig['azureDevOps']) =>
      policyGaps({ ...LISTENER, azureDevOps }, { roles: new Map(), airflow: new Map(), pipelines }).map(
        (gap) => gap.split(' is of ')[0],
      );
    assert.deepEqual(told([]), ["pipeline 'demo'", "pipeline 'Other'"]);
    assert.deepEqual(told([{ organization, base: organization, projects: ['other'] }]), ["pipeline 'demo'"]);
    assert.deepEqual(told([{ organization, base: organization }]), []);
    const elsewhere = 'https://dev.azure.com/contoso';
    assert.equal(told([{ organization: elsewhere, base: elsewhere }]).length, 2);
  });

  it('is told by grant, for an Airflow that is not there or has another auth manager', () => {
    const config = readGatewayConfig(
      '/etc/gateway.yaml',
      `apiVersion: plumbline.dev/gateway/v1
stateDirectory: state
runsDirectory: runs
policyFile: p.yaml
publicUrl: https://gateway.example.com
airflow:
  one: { url: https://one.example, authManager: simple, audience: one, publicKeys: one.json }
  two: { url: https://two.example, authManager: fab, audience: two, publicKeys: two.json }
`,
      { text: () => '', secret: () => '' },
    );
    const grants: readonly AirflowGrant[] = [
      { name: 'good', airflow: 'one', user: 'a', role: 'op' },
      { name: 'goodToo', airflow: 'two', user: '1' },
      { name: 'roleless', airflow: 'one', user: '1' },
      { name: 'raised', airflow: 'two', user: '1', role: 'op' },
      { name: 'lost', airflow: 'three', user: '1' },
    ];
    const airflow = new Map(grants.map((grant) => [grant.name, grant]));
    assert.deepEqual(
      policyGaps(config, { roles: new Map(), airflow, pipelines: new Map() }).map((gap) => gap.split(',')[0]),
      ["airflow 'roleless' has no role", "airflow 'raised' has a role", "airflow 'lost' is for 'three'"],
    );
  });

  it('is an address for stock workers that they can use', () => {
    const settings: Settings = { issuer: ISSUER, luigid: { upstream, proxied: true } };
    const [known, unknown] = [
      [['plain', 'no namespaces:']],
      [
        ['cron', 'no publicUrl:'],
        ['plain', 'no namespaces:'],
      ],
    ];
    const publicUrl = 'https://gateway.example.com';
    const tls = { kind: 'tls', certFile: '', keyFile: '' } as const;
    const free = { host: '127.0.0.1', port: 0 };
    assert.deepEqual(gaps({ ...settings, transport: tls }), unknown);
    assert.deepEqual(gaps({ ...settings, listen: free }), unknown);
    assert.deepEqual(gaps({ ...settings, transport: tls, publicUrl }), known);
    assert.deepEqual(gaps({ ...settings, listen: free, publicUrl }), known);
  });

  it('is a Unix user with one kind of isolation, and none with the other', () => {
    const isolated = new FakePolicy(
      roleOf('own', { unixUser: 'plumbline-own' }),
      roleOf('open'),
      roleOf('cron', { stockLuigi: true, namespaces: ['ops'] }),
    );
    const luigid = { upstream, proxied: true };
    const told = (isolation: 'users' | 'none') =>
      policyGaps({ ...LISTENER, isolation, luigid }, isolated).filter((gap) => gap.includes('isolation'));
    assert.deepEqual(told('users'), [
      "role 'open' has no unixUser, and the configuration says isolation: users: its runs are not started",
    ]);
    assert.deepEqual(told('none'), [
      "role 'own' has a unixUser, and the configuration says isolation: none: its runs are not started",
    ]);
  });
});
