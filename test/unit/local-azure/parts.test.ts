import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { createCertificate } from '#local-azure/certificate.ts';
import { Faults } from '#local-azure/faults.ts';
import { JobTokens } from '#local-azure/job-tokens.ts';
import { startLocalAzure } from '#local-azure/local-azure.ts';
import {
  areaLocations,
  LOCATIONS,
  type LocationName,
  matchLocation,
  type ResourceLocation,
} from '#local-azure/resource-locations.ts';
import { RUN, STEP, sampleDeclaration } from '../../support/local-azure.ts';

describe('REST locations', () => {
  const entries = Object.entries(LOCATIONS) as [LocationName, ResourceLocation][];

  it('have the ids and areas that azure-devops-node-api asks for', () => {
    const source = ['BuildApi', 'PipelinesApi', 'TaskApi', 'GitApi', 'LocationsApi']
      .map((file) =>
        readFileSync(new URL(`../../../node_modules/azure-devops-node-api/${file}.js`, import.meta.url), 'utf8'),
      )
      .join('\n');
    // The client never looks its own connection data up by id.
    const asked = entries.filter(([name]) => name !== 'connectionData');
    for (const [name, { id, area }] of asked) assert.match(source, new RegExp(`"${area}", "${id}"`), name);
  });

  it('lead a client’s URL back to the resource it meant', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/^\.+$/.test(text));
    fc.assert(
      fc.property(
        fc.constantFrom(...entries),
        fc.infiniteStream(value),
        fc.boolean(),
        ([name, location], values, withLast) => {
          const given: Record<string, string> = {};
          const parts = location.routeTemplate
            .replace('{area}', location.area)
            .replace('{resource}', location.resourceName)
            .split('/');
          const used = withLast || !parts.at(-1)?.startsWith('{') ? parts : parts.slice(0, -1);
          const path = used.map((part) => {
            if (!part.startsWith('{')) return part;
            const next = values.next().value as string;
            given[part.replace(/[{}*]/g, '')] = next;
            return encodeURIComponent(next);
          });
          const found = matchLocation(`/${path.join('/')}`);
          assert.deepEqual(found, { location: name, values: given });
        },
      ),
    );
  });

  it('are listed by area, whatever its case', () => {
    assert.deepEqual(areaLocations('BUILD'), areaLocations('build'));
    assert.deepEqual(areaLocations('nothing'), []);
  });
});

describe('faults', () => {
  const request = (host: string, path: string, method = 'GET') => ({
    host,
    method,
    url: new URL(path, `https://${host}`),
    headers: {},
    body: Buffer.alloc(0),
  });

  it('hit what they name, after what they skip, as often as they count', () => {
    const faults = new Faults([
      { host: '*.vault.azure.net', path: '/secrets/*', method: 'get', kind: 'status', status: 429, skip: 1, count: 2 },
    ]);
    const hits = Array.from({ length: 5 }, () => faults.hit(request('a.vault.azure.net', '/secrets/x')).length);
    assert.deepEqual(hits, [0, 1, 1, 0, 0]);
    for (const other of [
      request('vault.azure.net.evil', '/secrets/x'),
      request('a.vault.azure.net', '/keys/x'),
      request('a.vault.azure.net', '/secrets/x', 'PUT'),
    ]) {
      assert.deepEqual(
        new Faults([{ host: '*.vault.azure.net', path: '/secrets/*', method: 'get', kind: 'reset' }]).hit(other),
        [],
      );
    }
  });

  it('delay first and then end the exchange once', () => {
    const faults = new Faults([
      { host: 'h', kind: 'latency', delayMs: 5 },
      { host: 'h', kind: 'status', status: 503, count: 1 },
      { host: 'h', kind: 'reset' },
    ]);
    const kinds = () => faults.hit(request('h', '/')).map(({ kind }) => kind);
    assert.deepEqual(
      [kinds(), kinds()],
      [
        ['latency', 'status'],
        ['latency', 'reset'],
      ],
    );
  });

  it('take every character but the star for itself', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((text) => !text.includes('*')),
        fc.string(),
        (host, other) => {
          const faults = new Faults([{ host, kind: 'reset' }]);
          const hits = (name: string) => faults.hit({ ...request('h', '/'), host: name }).length === 1;
          assert.equal(hits(host), true);
          if (other.length !== host.length) assert.equal(hits(other), false);
        },
      ),
    );
  });
});

describe('job tokens', () => {
  it('are good for their time, for their job and until it ends', () => {
    let now = 1_000_000;
    const tokens = new JobTokens({ now: () => now, sleep: async () => {} }, 60);
    const [one, two] = ['1', '2'].map((jobId) => tokens.issue({ jobId, planId: 'p' }, {})) as [string, string];
    assert.equal(tokens.find(one)?.jobId, '1');
    assert.deepEqual(
      [tokens.find(undefined), tokens.find(''), tokens.find(`${one}x`)],
      [undefined, undefined, undefined],
    );
    tokens.revoke(({ jobId }) => jobId === '1');
    assert.deepEqual([tokens.find(one), tokens.find(two)?.jobId], [undefined, '2']);
    now += 60_000;
    assert.equal(tokens.find(two), undefined);
  });
});

describe('certificates', () => {
  it('are read back by Node with all their hosts, however many', () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const issuer = { name: 'Root ü', ...keys };
    const now = new Date('2026-11-21T10:00:00Z');
    const root = new X509Certificate(
      createCertificate({ subject: 'Root ü', publicKey: keys.publicKey, issuer, use: { authority: true }, now }),
    );
    for (const count of [1, 10, 2_000]) {
      const hosts = Array.from({ length: count }, (_, i) => `host-${i}.vault.azure.net`);
      const leaf = new X509Certificate(
        createCertificate({
          subject: 'leaf',
          publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
          issuer,
          use: { hosts },
          now,
        }),
      );
      assert.equal(leaf.subjectAltName, hosts.map((host) => `DNS:${host}`).join(', '));
      assert.ok(leaf.checkIssued(root) && leaf.verify(keys.publicKey));
      assert.deepEqual([leaf.validFrom, leaf.validTo], ['Nov 20 10:00:00 2026 GMT', 'Nov 28 10:00:00 2026 GMT']);
    }
  });
});

describe('the pipeline’s side', () => {
  it('refuses what is out of order', async () => {
    const azure = await startLocalAzure(sampleDeclaration());
    try {
      assert.throws(() => azure.published(), TypeError);
      assert.throws(
        () => azure.beginJob({ jobId: STEP, planId: STEP, timelineId: STEP, connectionIds: [] }),
        TypeError,
      );
      azure.beginRun(RUN);
      assert.throws(() => azure.beginStep({ recordId: STEP, jobId: STEP, name: 'x' }), TypeError);
    } finally {
      await azure.close();
    }
  });

  it('shows connections as the agent hands them over, with the secret only where one is stored', async () => {
    const azure = await startLocalAzure(sampleDeclaration());
    await azure.close();
    const seen = Object.fromEntries(
      azure.connections().map(({ name, scheme, parameters }) => [name, [scheme, Object.keys(parameters)]]),
    );
    const federated = [
      'tenantid',
      'serviceprincipalid',
      'workloadIdentityFederationIssuer',
      'workloadIdentityFederationIssuerType',
      'workloadIdentityFederationSubject',
    ];
    assert.deepEqual(seen['azure'], ['WorkloadIdentityFederation', federated]);
    assert.deepEqual(seen['stored'], [
      'ServicePrincipal',
      ['tenantid', 'serviceprincipalid', 'authenticationType', 'serviceprincipalkey'],
    ]);
    assert.deepEqual(seen['machine'], ['ManagedServiceIdentity', ['tenantid']]);
  });

  it('shows connections to an Airflow with what their schemes hold, spelled as the agent spells it', async () => {
    const airflow = { type: 'plumbline-airflow', url: 'https://airflow.example.com' } as const;
    const azure = await startLocalAzure(
      sampleDeclaration({
        identities: [],
        machineIdentities: [],
        vaults: [],
        roleAssignments: [],
        connections: [
          { name: 'token', scheme: 'Token', secret: 'an-api-token', ...airflow },
          { name: 'basic', scheme: 'UsernamePassword', username: 'steps', secret: 'a-password', ...airflow },
          { name: 'gateway', scheme: 'None', data: { gatewayUrl: 'https://gateway.example.com' }, ...airflow },
        ],
      }),
    );
    await azure.close();
    const seen = azure.connections().map(({ name, type, url, scheme, parameters, data }) => {
      assert.deepEqual([type, url], ['plumbline-airflow', airflow.url]);
      return [name, scheme, parameters, data];
    });
    assert.deepEqual(seen, [
      ['token', 'Token', { apitoken: 'an-api-token' }, {}],
      ['basic', 'UsernamePassword', { username: 'steps', password: 'a-password' }, {}],
      ['gateway', 'None', {}, { gatewayUrl: 'https://gateway.example.com' }],
    ]);
  });
});
