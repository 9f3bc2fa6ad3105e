import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalAzure, startLocalAzure } from '#local-azure/local-azure.ts';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import { ROOT } from '../../../scripts/repository.ts';
import { queuedPipelineRunner } from '../../../scripts/run-queued-pipeline.ts';
import { ask } from '../../support/azure-wire.ts';
import { eventually } from '../../support/eventually.ts';
import { MACHINE_CLIENT, sampleDeclaration } from '../../support/local-azure.ts';

/** Each run tags itself by REST with the token of its job, and waits until the other one has done so too. */
const YAML = `name: reload of $(Build.DefinitionName)
parameters:
  - { name: day, type: string }
  - { name: code, type: number, default: 0 }
  - { name: filter, type: object, default: { } }
steps:
  - bash: |
      set -eu
      echo "run $BUILD_BUILDID of $SYSTEM_DEFINITIONID on $BUILD_SOURCEBRANCH by $BUILD_QUEUEDBY for \${{ parameters.day }} \${{ parameters.filter.table }}"
      curl -sS --fail --proxy "$AGENT_PROXYURL" --cacert "$AGENT_CAINFO" -X PUT -H "authorization: Bearer $TOKEN" -d '' \\
        "$SYSTEM_COLLECTIONURI$SYSTEM_TEAMPROJECT/_apis/build/builds/$BUILD_BUILDID/tags/day-\${{ parameters.day }}?api-version=7.1"
      touch "$MEETING/\${{ parameters.day }}"
      for _ in $(seq 600); do [ "$(ls "$MEETING" | wc -l)" -ge 2 ] && exit \${{ parameters.code }}; sleep 0.1; done
      echo 'the other run never came' >&2
      exit 99
    env: { TOKEN: $(System.AccessToken) }
`;

describe('runs that are queued at local Azure', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-queued-'));
  const meeting = mkdtempSync(join(tmpdir(), 'plumbline-meeting-'));
  let azure: LocalAzure;

  before(async () => {
    writeFileSync(join(folder, 'reload.yml'), YAML.replaceAll('$MEETING', meeting));
    writeFileSync(join(folder, 'broken.yml'), 'steps:\n  - task: Unknown@1\n');
    const pipelines = ['reload', 'endless', 'broken'].map((name, i) => ({
      id: 12 + i,
      name,
      yaml: `${name}.yml`,
      queueBuilds: ['machine'],
    }));
    azure = await startLocalAzure(sampleDeclaration({ pipelines }), {
      directory: folder,
      runQueued: queuedPipelineRunner({
        nodes: installedNodeBinaries(join(ROOT, 'node_modules')),
        out: join(folder, 'out'),
      }),
    });
  });
  after(async () => {
    await azure.close();
    for (const each of [folder, meeting]) rmSync(each, { recursive: true, force: true });
  });

  async function queue(pipeline: number, templateParameters: Readonly<Record<string, string>> = {}): Promise<number> {
    const { endpoint = '', header = '' } = azure.managedIdentity ?? {};
    const query = `api-version=2019-08-01&resource=499b84ac-1321-427f-aa17-267ca6975798&client_id=${MACHINE_CLIENT}`;
    const response = await fetch(`${endpoint}?${query}`, { headers: { 'x-identity-header': header } });
    const { access_token } = (await response.json()) as { access_token: string };
    const url = `https://dev.azure.com/fabrikam/demo/_apis/pipelines/${pipeline}/runs?api-version=7.1`;
    const { status, body } = await ask(azure, url, {
      method: 'POST',
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ templateParameters }),
    });
    assert.equal(status, 200, body);
    return (JSON.parse(body) as { id: number }).id;
  }
  const log = (id: number) => readFileSync(join(folder, 'out', String(id), 'log.txt'), 'utf8');

  it('are run side by side by the local pipeline, each as itself', async () => {
    const one = await queue(12, { day: '2026-11-19', filter: '{"table":"orders"}' });
    const two = await queue(12, { day: '2026-11-20', code: '3' });
    await azure.settled();
    assert.deepEqual(
      azure
        .runs()
        .map(({ buildId, buildNumber, status, result, tags, problem }) => [
          buildId,
          buildNumber,
          status,
          result,
          tags,
          problem,
        ]),
      [
        [one, 'reload of reload', 'completed', 'succeeded', ['day-2026-11-19'], undefined],
        [two, 'reload of reload', 'completed', 'failed', ['day-2026-11-20'], undefined],
      ],
    );
    assert.match(log(one), new RegExp(`run ${one} of 12 on refs/heads/main by machine for 2026-11-19 orders`));
    assert.match(log(two), new RegExp(`run ${two} of 12 on refs/heads/main by machine for 2026-11-20`));
    assert.doesNotMatch(log(two), /2026-11-19/);
  });

  it('fail with the reason when their file cannot be run', async () => {
    const id = await queue(14);
    await azure.settled();
    const run = azure.runs().find(({ buildId }) => buildId === id);
    assert.equal(run?.result, 'failed');
    assert.match(run?.problem ?? '', /Unknown@1/);
  });

  it('are cancelled, steps and all, when local Azure closes', async () => {
    const begun = join(folder, 'begun');
    writeFileSync(join(folder, 'endless.yml'), `steps:\n  - bash: echo $$ > '${begun}'; sleep 600\n`);
    const id = await queue(13);
    await eventually(() => pidIn(begun) !== undefined, 'the step has begun');
    await azure.close();
    assert.equal(azure.runs().find(({ buildId }) => buildId === id)?.result, 'canceled');
    const step = pidIn(begun) ?? assert.fail('no process');
    assert.throws(() => process.kill(step, 0), { code: 'ESRCH' });
  });
});

function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}
