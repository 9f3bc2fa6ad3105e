import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { readAzureDeclaration } from '#local-azure/read-declaration.ts';
import { resolveWorld } from '#local-azure/resolve-world.ts';
import { sampleDeclaration, TENANT, WORKFLOW_CLIENT } from '../../support/local-azure.ts';

const smallest: AzureDeclaration = {
  organization: { name: 'fabrikam' },
  project: { name: 'demo' },
  tenants: [{ id: TENANT }],
};

function findings(act: () => unknown): readonly string[] {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof PlumblineError, String(error));
    assert.equal(error.code, 'ERR_INPUT_INVALID');
    assert.ok(error.remedy);
    return error.details['findings'] as string[];
  }
  return assert.fail('nothing was refused');
}

describe('the Azure declaration', () => {
  it('takes the smallest and the sample file', () => {
    assert.equal(readAzureDeclaration(smallest), smallest);
    assert.equal(resolveWorld(readAzureDeclaration(sampleDeclaration())).vaults.length, 3);
  });

  it('names every place that does not fit, at once', () => {
    const wrong = {
      organization: { name: 'fabri kam', colour: 'red' },
      tenants: [{ id: 'not-a-guid' }],
      identities: [{ name: 'a', clientId: WORKFLOW_CLIENT, federatedCredentials: [{ issuer: 'https://a' }] }],
      vaults: [{ name: 'v', secrets: { bad_name: 'x', late: { value: 'x', expires: 'tomorrow' } } }],
      roleAssignments: [{ identity: 'a', role: 'Owner', vault: 'v' }],
      faults: [{ host: '*', kind: 'status' }],
    };
    const found = findings(() => readAzureDeclaration(wrong)).join('\n');
    for (const part of [
      /the top level must have required property 'project'/,
      /\/organization has an unknown field "colour"/,
      /\/organization\/name must match pattern/,
      /\/tenants\/0\/id must match pattern/,
      /\/identities\/0\/federatedCredentials\/0 must have required property 'subject'/,
      /\/vaults\/0\/name must match pattern/,
      /\/vaults\/0\/secrets has a name that is not allowed, "bad_name"/,
      /\/vaults\/0\/secrets\/late\/expires must match pattern/,
      /\/roleAssignments\/0\/role must be one of Key Vault Secrets User, Key Vault Reader/,
      /\/faults\/0 must have required property 'status'/,
    ]) {
      assert.match(found, part);
    }
  });

  it('takes of each type of connection only the schemes that it has, with what they need', () => {
    const url = 'https://airflow.example.com';
    const wrong = [
      { name: 'a', scheme: 'Token', secret: 'abc' },
      { name: 'b', scheme: 'Token', type: 'plumbline-gateway', url },
      { name: 'c', scheme: 'ServicePrincipal', type: 'plumbline-airflow', url },
      { name: 'd', scheme: 'Token', type: 'plumbline-airflow', url },
      { name: 'e', scheme: 'UsernamePassword', type: 'plumbline-airflow', url, secret: 'abc' },
      { name: 'f', scheme: 'Token', type: 'plumbline-airflow', secret: 'abc' },
      { name: 'g', scheme: 'Token', type: 'plumbline-airflow', url, secret: 'abc', username: 'steps' },
    ];
    for (const [at, connection] of wrong.entries()) {
      const found = findings(() => readAzureDeclaration({ ...smallest, connections: [connection] }));
      assert.ok(
        found.some((finding) => finding.startsWith('/connections/0')),
        `${at}: ${found.join('\n')}`,
      );
    }
    const right = { name: 'h', scheme: 'UsernamePassword', type: 'plumbline-airflow', url, username: 's', secret: 'p' };
    assert.equal(resolveWorld(readAzureDeclaration({ ...smallest, connections: [right] })).connections.length, 1);
  });

  it('never repeats a value of the file in a message', () => {
    const wrong = {
      ...smallest,
      vaults: [{ name: 'myvault', secrets: { a: { value: 'canary-value', enabled: 'yes' }, b: 'x'.repeat(5), c: 7 } }],
    };
    assert.doesNotMatch(findings(() => readAzureDeclaration(wrong)).join('\n'), /canary-value/);
  });

  for (const nothing of [undefined, null, 7, 'text', []]) {
    it(`refuses ${JSON.stringify(nothing)}`, () => {
      assert.ok(findings(() => readAzureDeclaration(nothing)).length > 0);
    });
  }

  it('names every name that leads nowhere', () => {
    const wrong: AzureDeclaration = {
      ...smallest,
      tenants: [
        { id: TENANT, name: 'one' },
        { id: TENANT.replace('1', '2'), name: 'two' },
      ],
      identities: [
        { name: 'a', clientId: WORKFLOW_CLIENT, federatedCredentials: [{ connection: 'nope' }] },
        { name: 'b', clientId: WORKFLOW_CLIENT, tenant: 'three' },
        { name: 'b', clientId: WORKFLOW_CLIENT, tenant: 'two' },
      ],
      connections: [
        { name: 'c', scheme: 'WorkloadIdentityFederation', tenant: 'one' },
        { name: 'd', scheme: 'ServicePrincipal', identity: 'nobody', tenant: 'one' },
      ],
      roleAssignments: [{ identity: 'a', role: 'Key Vault Reader', vault: 'nowhere' }],
      machineIdentities: ['z'],
    };
    assert.deepEqual(findings(() => resolveWorld(wrong)).toSorted(), [
      '/connections "c" needs an identity or a clientId',
      '/connections "d" names the identity "nobody", which is not declared',
      '/connections "d" needs an identity or a clientId',
      '/identities "a" must say which tenant: there are 2',
      '/identities "a" trusts the connection "nope", which is not declared',
      '/identities "b" names the tenant "three", which is not declared',
      '/identities has "b" twice',
      '/machineIdentities/0 names the identity "z", which is not declared',
      '/roleAssignments of "a" names the vault "nowhere", which is not declared',
    ]);
  });

  it('takes whoever a pipeline names for a member, of the organization’s own tenant alone', () => {
    const tenants = [
      { id: TENANT, name: 'one' },
      { id: TENANT.replace('1', '2'), name: 'two' },
    ];
    const identity = (name: string, tenant: string) => ({ name, tenant, clientId: WORKFLOW_CLIENT });
    const declared: AzureDeclaration = {
      ...smallest,
      tenants,
      organization: { name: 'fabrikam', tenant: 'two', members: ['c'] },
      identities: [identity('a', 'two'), identity('b', 'two'), identity('c', 'two'), identity('d', 'one')],
      pipelines: [
        { id: 1, name: 'p', yaml: 'p.yml', queueBuilds: ['a'], tagBuilds: ['b'] },
        { id: 2, name: 'q', yaml: 'q.yml', project: 'DEMO' },
        { id: 3, name: 'r', yaml: 'r.yml', project: 'other' },
      ],
    };
    const { organization, pipelines, project } = resolveWorld(readAzureDeclaration(declared));
    assert.deepEqual(organization.members.map(({ name }) => name).toSorted(), ['a', 'b', 'c']);
    assert.equal(organization.tenant.name, 'two');
    assert.deepEqual([pipelines[0]?.refs, pipelines[1]?.project], [['refs/heads/main'], project]);
    assert.notEqual(pipelines[2]?.project.id, project.id);
    const wrong: AzureDeclaration = {
      ...declared,
      organization: { name: 'fabrikam' },
      pipelines: [
        { id: 1, name: 'p', yaml: 'p.yml', queueBuilds: ['d', 'a', 'nobody'] },
        { id: 1, name: 'q', yaml: 'q.yml' },
      ],
    };
    assert.deepEqual(findings(() => resolveWorld(wrong)).toSorted(), [
      '/organization cannot have the member "a", which is of another tenant',
      '/organization must say which tenant: there are 2',
      '/pipelines "p" names the identity "nobody", which is not declared',
      '/pipelines has 1 twice',
    ]);
  });

  it('gives the same ids in every start and other ids to other names', () => {
    const [one, again] = [resolveWorld(sampleDeclaration()), resolveWorld(sampleDeclaration())];
    assert.deepEqual(one.connections, again.connections);
    const ids = [
      one.organization.id,
      one.project.id,
      ...one.connections.map(({ id }) => id),
      ...one.identities.map(({ objectId }) => objectId),
    ];
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('lets a connection present a tenant that does not exist', () => {
    const missing = '33333333-2222-4333-8444-555555555555';
    const { connections } = resolveWorld({
      ...smallest,
      connections: [{ name: 'c', scheme: 'WorkloadIdentityFederation', tenant: missing, clientId: WORKFLOW_CLIENT }],
    });
    assert.deepEqual(
      connections.map(({ tenantId, issuer }) => [tenantId, issuer]),
      [[missing, `https://login.microsoftonline.com/${missing}/v2.0`]],
    );
  });

  it('gives the Entra issuer to the public cloud only', () => {
    const abroad: AzureDeclaration = {
      ...smallest,
      tenants: [{ id: TENANT, cloud: 'AzureChinaCloud' }],
      connections: [{ name: 'c', scheme: 'WorkloadIdentityFederation', clientId: WORKFLOW_CLIENT }],
    };
    assert.equal(resolveWorld(abroad).connections[0]?.subject, 'sc://fabrikam/demo/c');
    const wrong: AzureDeclaration = {
      ...abroad,
      connections: [
        { name: 'c', scheme: 'WorkloadIdentityFederation', clientId: WORKFLOW_CLIENT, issuerType: 'EntraID' },
      ],
    };
    assert.deepEqual(
      findings(() => resolveWorld(wrong)),
      ['/connections "c" cannot have issuerType EntraID in AzureChinaCloud'],
    );
  });
});
