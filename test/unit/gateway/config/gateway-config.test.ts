import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { PlumblineError } from '#core/errors.ts';
import { PROBLEMS } from '#gateway/app/problem.ts';
import { configuredOrganization } from '#gateway/config/azure-devops-config.ts';
import { GATEWAY_CONFIG_SCHEMA } from '#gateway/config/gateway-config-schema.ts';
import { readGatewayConfig } from '#gateway/config/read-gateway-config.ts';
import { type FileProblem, YamlSource } from '#gateway/config/yaml-source.ts';
import { ROOT } from '../../../../scripts/repository.ts';

const FILES = { text: () => '-----BEGIN CERTIFICATE-----', secret: () => 's3cret\n' };
const LEAST_ID = '00000000-0000-0000-0000-000000000000';
const LEAST = {
  apiVersion: 'plumbline.dev/gateway/v1',
  stateDirectory: 'state',
  runsDirectory: 'runs',
  policyFile: 'policy.yaml',
};

function problemsOf(text: string): readonly FileProblem[] {
  try {
    readGatewayConfig('/etc/gateway.yaml', text, FILES);
    return [];
  } catch (error) {
    assert.ok(error instanceof PlumblineError, String(error));
    assert.equal(error.code, 'ERR_CONFIG_INVALID');
    return error.details['problems'] as FileProblem[];
  }
}

function fieldsOf(changes: object): string[] {
  return problemsOf(stringify({ ...LEAST, ...changes })).map(({ field }) => field);
}

describe('gateway.yaml', () => {
  it('needs little, and has safe defaults', () => {
    const config = readGatewayConfig('/etc/p/gateway.yaml', stringify(LEAST), FILES);
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8443 });
    assert.equal(config.stateDirectory, '/etc/p/state');
    assert.equal(config.isolation, 'users');
    assert.deepEqual(config.transport, { kind: 'plain' });
    assert.equal(config.timeouts.requestMs, 30_000);
    assert.equal(config.network.skipVerification, false);
  });

  it('tells all problems at once, each with its place', () => {
    const text = 'apiVersion: plumbline.dev/gateway/v1\nlimits: {runs: 0, x: 1}\nlisten:\n  port: no\nnonsense: 1\n';
    const places = problemsOf(text).map(({ line, column, field }) => `${line}:${column} ${field}`);
    for (const place of ['2:16 limits.runs', '2:19 limits.x', '4:9 listen.port', '5:1 nonsense'])
      assert.ok(places.includes(place), `${place} in ${places.join(', ')}`);
    assert.equal(places.filter((place) => /stateDirectory|runsDirectory|policyFile/.test(place)).length, 3);
  });

  const refused: readonly (readonly [object, string])[] = [
    [{ listen: { host: '0.0.0.0' } }, 'listen.host'],
    [{ listen: { host: 'gateway.example.com' } }, 'listen.host'],
    [{ behindProxy: { trustedProxies: ['0.0.0.0/0'] } }, 'behindProxy.trustedProxies[0]'],
    [{ behindProxy: { trustedProxies: ['proxy'] } }, 'behindProxy.trustedProxies[0]'],
    [{ behindProxy: { trustedProxies: [] } }, 'behindProxy.trustedProxies'],
    [{ publicUrl: 'http://gateway.example.com' }, 'publicUrl'],
    [{ publicUrl: 'https://u:p@gateway.example.com' }, 'publicUrl'],
    [{ luigid: 'http://u:p@127.0.0.1:8082' }, 'luigid'],
    [{ signIn: { issuer: 'http://login.example.com', clientId: 'a' } }, 'signIn.issuer'],
    [{ signIn: { issuer: 'https://login.example.com', clientId: 'a', scopes: ['email'] } }, 'signIn.scopes'],
    [{ signIn: { issuer: 'https://login.microsoftonline.com/common/v2.0', clientId: 'a' } }, 'signIn.issuer'],
    [{ signIn: { issuer: 'https://login.microsoftonline.us/Organizations/v2.0', clientId: 'a' } }, 'signIn.issuer'],
    [
      {
        signIn: { issuer: 'https://login.example.com', clientId: 'a' },
        luigid: { socket: 'l' },
        behindProxy: { trustedProxies: ['10.0.0.1'] },
      },
      'signIn',
    ],
    [{ signIn: { issuer: 'https://login.example.com', clientId: 'a' } }, 'signIn'],
    [{ signIn: { issuer: 'https://login.example.com', clientId: 'a' }, luigid: 'http://127.0.0.1:8082' }, 'signIn'],
    [{ luigid: 'ftp://127.0.0.1' }, 'luigid'],
    [{ luigid: { socket: 'l', url: 'http://127.0.0.1:8082' } }, 'luigid'],
    [{ network: { proxy: { url: 'http://u:p@proxy' } } }, 'network.proxy.url'],
    [{ network: { proxy: { url: 'http://proxy', passwordFile: 'p' } } }, 'network.proxy.passwordFile'],
    [{ runsDirectory: 'state/runs' }, 'runsDirectory'],
    [{ stateDirectory: 'runs/state' }, 'runsDirectory'],
    [{ audit: { exportDirectory: 'state/copy' } }, 'audit.exportDirectory'],
    [{ timeouts: { request: '0s' } }, 'timeouts.request'],
    [{ timeouts: { headers: '1h' } }, 'timeouts.headers'],
    [{ timeouts: { request: 30 } }, 'timeouts.request'],
    [{ identity: { clientId: LEAST_ID } }, 'identity.clientId'],
    [{ azureDevOps: [{ organization: 'https://dev.azure.example/fabrikam' }] }, 'azureDevOps[0].organization'],
    [{ azureDevOps: [{ organization: 'http://dev.azure.com/fabrikam' }] }, 'azureDevOps[0].organization'],
    [{ azureDevOps: [{ organization: 'a' }, { organization: 'https://a.visualstudio.com' }] }, 'azureDevOps[1]'],
    [
      {
        azureDevOps: [
          { organization: 'a', projects: ['P'] },
          { organization: 'a', projects: ['p'] },
        ],
      },
      'azureDevOps[1]',
    ],
    [
      { azureDevOps: [{ organization: 'a', identity: { kind: 'default', clientId: LEAST_ID } }] },
      'azureDevOps[0].identity.clientId',
    ],
    [{ isolation: 'some' }, 'isolation'],
    [{ tls: { certFile: 'a' } }, 'tls.keyFile'],
    [{ tls: { certFile: 'a', keyFile: 'b' } }, 'tls.keyFile'],
  ];
  for (const [changes, field] of refused) {
    it(`refuses ${JSON.stringify(changes)}`, () =>
      assert.ok(fieldsOf(changes).includes(field), fieldsOf(changes).join()));
  }

  it('has for a project the entry that names it, else that of the organization', () => {
    const azureDevOps = [
      { organization: 'Fabrikam', identity: { kind: 'managed' } },
      { organization: 'https://fabrikam.visualstudio.com', projects: ['Sales'], identity: { kind: 'workload' } },
      { organization: 'contoso', projects: ['Only'] },
    ];
    const config = readGatewayConfig('/etc/gateway.yaml', stringify({ ...LEAST, azureDevOps }), FILES);
    const found = (name: string, project: string) =>
      configuredOrganization(config.azureDevOps, `https://dev.azure.com/${name}`, project);
    assert.equal(found('fabrikam', 'sales')?.identity?.kind, 'workload');
    assert.equal(found('fabrikam', 'sales')?.base, 'https://fabrikam.visualstudio.com');
    assert.equal(found('fabrikam', 'other')?.identity?.kind, 'managed');
    assert.equal(found('contoso', 'only')?.identity, undefined);
    assert.notEqual(found('contoso', 'only'), undefined);
    assert.equal(found('contoso', 'other'), undefined);
  });

  it('tells of keys of a kind what is wrong with that kind', () => {
    const url = 'https://tokens.example.com';
    const told = (keys: object) => [...new Set(fieldsOf({ issuer: { url, keys } }))].sort();
    assert.deepEqual(told({ kind: 'files', rotateEvery: 30 }), ['issuer.keys.rotateEvery']);
    assert.deepEqual(told({ kind: 'azure-key-vault', vault: 'v', rotateEvery: '1d' }), [
      'issuer.keys.key',
      'issuer.keys.rotateEvery',
    ]);
    assert.deepEqual(told({ kind: 'paper', rotateEvery: 30 }), ['issuer.keys.kind']);
    assert.deepEqual(told({ rotateEvery: '30d' }), ['issuer.keys.kind']);
    assert.deepEqual(told({ kind: 'files', rotateEvery: '30d' }), []);
  });

  it('keeps the password of a proxy secret', () => {
    const network = {
      proxy: { url: 'http://proxy:3128', username: 'u', passwordFile: 'p', bypass: ['.corp.example', 'a.b'] },
    };
    const config = readGatewayConfig('/etc/gateway.yaml', stringify({ ...LEAST, network }), FILES);
    assert.equal(config.network.proxy?.password?.reveal(), 's3cret');
    assert.ok(!JSON.stringify(config).includes('s3cret'));
    const [below = '', exact = ''] = config.network.proxy?.bypass ?? [];
    assert.ok(new RegExp(below).test('x.corp.example') && !new RegExp(below).test('xcorp.example.evil'));
    assert.ok(new RegExp(exact).test('a.b') && !new RegExp(exact).test('axb'));
  });

  it('is no other YAML: tags, aliases, doubles, depth', () => {
    for (const text of [
      'a: !!binary x',
      'a: &x 1\nb: *x',
      'a: 1\na: 2',
      '---\na: 1\n---\nb: 2',
      '__proto__: {}',
      'a: .inf',
      '? [a]\n: b',
      '['.repeat(5_000),
    ]) {
      const problems = problemsOf(text);
      assert.ok(problems.length > 0 && problems.length <= 21, text.slice(0, 20));
      assert.ok(problems.every(({ line, column }) => line >= 1 && column >= 1));
    }
  });

  it('never crashes, whatever it is', () => {
    const check = (text: string) => {
      for (const problem of problemsOf(text)) {
        assert.ok(problem.line >= 1 && problem.column >= 1 && problem.file === '/etc/gateway.yaml');
        assert.ok(problem.message.length > 0);
      }
    };
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 300 });
    fc.assert(fc.property(fc.json({ maxDepth: 4 }), check), { numRuns: 300 });
    const fields = Object.keys(GATEWAY_CONFIG_SCHEMA.properties);
    const mutated = fc.record({ field: fc.constantFrom(...fields), value: fc.jsonValue({ maxDepth: 3 }) });
    fc.assert(
      fc.property(mutated, ({ field, value }) => check(JSON.stringify({ ...LEAST, [field]: value }))),
      { numRuns: 300 },
    );
  });

  it('knows where every field stands', () => {
    const source = new YamlSource('f', 'a:\n  - b: 1\n    c: [x, y]\n');
    const at = (path: (string | number)[], what: 'key' | 'value' = 'value') => {
      const { line, column, field } = source.problemAt(path, 'm', what);
      return `${line}:${column} ${field}`;
    };
    assert.equal(at(['a', 0, 'c', 1]), '3:12 a[0].c[1]');
    assert.equal(at(['a', 0, 'c'], 'key'), '3:5 a[0].c');
    assert.equal(at(['a', 0, 'missing']), '2:5 a[0].missing');
  });
});

describe('pages of the gateway', () => {
  const page = (name: string) => readFileSync(resolve(ROOT, 'docs', name), 'utf8');

  it('have the schema of gateway.yaml as it is', () => {
    assert.deepEqual(
      JSON.parse(page('schemas/gateway-config.schema.json')),
      JSON.parse(JSON.stringify(GATEWAY_CONFIG_SCHEMA)),
    );
  });

  it('describe every field of gateway.yaml', () => {
    const text = page('gateway/configuration.md');
    const missing = (schema: { properties?: object }, prefix: string): string[] =>
      Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
        ...(text.includes(`\`${prefix}${name}\``) ? [] : [`${prefix}${name}`]),
        ...missing(field as { properties?: object }, `${prefix}${name}.`),
      ]);
    assert.deepEqual(missing(GATEWAY_CONFIG_SCHEMA, ''), []);
  });

  it('have a section for each problem, with its status, and for no other', () => {
    const sections = page('gateway/problems.md').split(/^## /m).slice(1);
    const found = sections.map((section) => [section.split('\n')[0], Number(/^Status: (\d+)$/m.exec(section)?.[1])]);
    assert.deepEqual(Object.fromEntries(found), { ...PROBLEMS });
    for (const section of sections) assert.match(section, /^\*\*Remedy\.\*\* \S/m, section.split('\n')[0]);
  });
});
