import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { luigiPython } from '../support/luigi-scenario.ts';
import { eventsOf, ServedGateway } from '../support/served-gateway.ts';

const MAX_BYTES = 50_000;
const PROJECT = '57382910';
const COMMIT = '2f1c8e9b7a6d5c4b3a291807f6e5d4c3b2a19088';
const TASK = `
import luigi, os
class Hello(luigi.Task):
    def output(self):
        return luigi.LocalTarget(os.path.join(os.environ['OUT'], 'hello'))
    def run(self):
        with self.output().open('w') as f:
            f.write('from the bundle')
`;

describe('code that a caller uploads', function () {
  this.timeout(60_000);
  let gateway: ServedGateway;
  let bundle: Buffer;
  let digest: string;

  before(async () => {
    gateway = new ServedGateway();
    writeFileSync(gateway.policyFile, stringify(policyOf(gateway)));
    mkdirSync(join(gateway.folder, 'code'));
    writeFileSync(join(gateway.folder, 'code/bundled.py'), TASK);
    bundle = archive(gateway, 'code');
    digest = createHash('sha256').update(bundle).digest('hex');
    await gateway.start();
  });
  after(() => gateway.close());

  const token = (changes: Readonly<Record<string, unknown>> = {}) =>
    gateway.token('project_path:retail/orders:ref_type:branch:ref:main', 'ci', {
      iss: 'https://gitlab.example.com',
      namespace_id: '72',
      project_id: PROJECT,
      pipeline_id: '1212',
      ref: 'main',
      ref_type: 'branch',
      ref_protected: 'true',
      sha: COMMIT,
      ...changes,
    });

  function upload(bytes: Uint8Array, sha256 = digest, bearer = token()): Promise<Response> {
    const headers = { 'content-type': 'application/gzip' };
    return gateway.request(`/v1/bundles/${sha256}?role=pushed`, bearer, { method: 'PUT', headers, body: bytes });
  }

  const create = (key: string, bearer = token()) =>
    gateway.create(bearer, key, { role: 'pushed', module: 'bundled', task: 'Hello', bundle: digest });

  async function codeOf(answer: Response): Promise<unknown> {
    return ((await answer.json()) as { code: string }).code;
  }

  it('is refused before it was uploaded, with another digest, and over its size', async () => {
    const early = (await (await create('early')).json()) as { links: Record<string, string>; runToken: string };
    const told = await eventsOf(await gateway.request(early.links['events'] ?? '', early.runToken));
    assert.equal(told.findLast(({ event }) => event === 'update')?.data.outcome.state, 'failed');
    assert.equal((await upload(Buffer.concat([bundle, Buffer.from('x')]))).status, 422);
    assert.equal((await upload(Buffer.alloc(MAX_BYTES + 1))).status, 413);
    assert.ok(!existsSync(join(gateway.out, 'hello')));
  });

  it('is refused for another ref or repository', async () => {
    for (const changes of [{ ref: 'feature' }, { project_id: '1' }, { pipeline_source: 'merge_request_event' }]) {
      assert.equal((await upload(bundle, digest, token(changes))).status, 403, JSON.stringify(changes));
    }
  });

  it('is run, and the run names its digest and the commit that the token signs', async () => {
    assert.equal((await upload(bundle)).status, 201);
    assert.equal((await upload(bundle)).status, 200);
    const run = (await (await create('pushed')).json()) as {
      id: string;
      links: Record<string, string>;
      runToken: string;
    };
    await eventsOf(await gateway.request(run.links['events'] ?? '', run.runToken));
    assert.equal(readFileSync(join(gateway.out, 'hello'), 'utf8'), 'from the bundle');
    const { code } = (await (await gateway.request(`/v1/runs/${run.id}`, run.runToken)).json()) as { code: object };
    assert.deepEqual(code, { kind: 'bundle', digest: `sha256:${digest}`, commit: COMMIT, commitProof: 'signed' });
    const ended = () => gateway.audit().find(({ type, subject }) => type.endsWith('run.end') && subject === run.id);
    await gateway.until(() => ended() !== undefined);
    assert.deepEqual(ended()?.data['code'], code);
  });

  it('of somebody else is nobody’s', async () => {
    const other = token({ sub: 'project_path:retail/other:ref_type:branch:ref:main' });
    const answer = await create('theirs', other);
    if (answer.status !== 201) assert.equal(await codeOf(answer), 'bundle-unknown');
    else {
      const run = (await answer.json()) as { links: Record<string, string>; runToken: string };
      const told = await eventsOf(await gateway.request(run.links['events'] ?? '', run.runToken));
      assert.equal(told.findLast(({ event }) => event === 'update')?.data.outcome.state, 'failed');
    }
  });
});

function archive(gateway: ServedGateway, folder: string): Buffer {
  const { stdout, status } = spawnSync('tar', ['-czf', '-', '-C', join(gateway.folder, folder), '.']);
  assert.equal(status, 0);
  return stdout;
}

/** One role whose code is pushed by the protected main branch of one GitLab project. */
function policyOf(gateway: ServedGateway): object {
  const claims = {
    sub: 'project_path:retail/orders:ref_type:branch:ref:main',
    namespace_id: '72',
    project_id: PROJECT,
    pipeline_id: '1',
    ref: 'main',
    ref_type: 'branch',
    ref_protected: 'true',
  };
  return {
    apiVersion: 'plumbline.dev/policy/v1',
    issuers: {
      gitlab: {
        profile: 'gitlab',
        issuer: 'https://gitlab.example.com',
        audiences: ['gateway'],
        algorithms: ['ES256'],
        jwks: { keys: [{ ...gateway.key.jwk, alg: 'ES256' }] },
      },
    },
    roles: {
      pushed: {
        modules: ['bundled'],
        tasks: ['Hello'],
        code: {
          kind: 'bundle',
          python: luigiPython(),
          maxBytes: MAX_BYTES,
          repository: { equals: PROJECT },
          ref: { equals: 'refs/heads/main' },
        },
        variables: { OUT: gateway.out },
        scheduler: 'local',
      },
    },
    bindings: [
      {
        name: 'orders',
        issuer: 'gitlab',
        match: { all: [{ claim: 'namespace_id', equals: '72' }] },
        roles: ['pushed'],
        examples: { allow: [{ claims }], deny: [{ claims: { ...claims, namespace_id: '9' } }] },
      },
    ],
  };
}
