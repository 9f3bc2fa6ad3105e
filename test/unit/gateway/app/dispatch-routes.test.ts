import assert from 'node:assert/strict';
import type { AppServices } from '#gateway/app/app-services.ts';
import type { PipelineRun } from '#gateway/dispatch/pipeline-run.ts';
import { eventually } from '../../../support/eventually.ts';
import { GOOD, gatewayWorld, LIMITS, type World } from './gateway-world.ts';

const PATH = '/v1/azure-devops/pipeline-runs';
const RUN: PipelineRun = {
  id: '01930000-0000-7000-8000-000000000001',
  key: 'k',
  scope: 's',
  fingerprint: 'f',
  state: 'queued',
  organization: 'https://dev.azure.com/fabrikam',
  project: 'demo',
  pipeline: 42,
  ref: 'refs/heads/main',
  templateParameters: [],
  createdAt: 1,
  caller: {},
  claimed: {},
  decision: {},
};

/** A pipeline run that never ends by itself: whoever waits for it is let go by the test. */
class EndlessRuns {
  readonly letGo: (() => void)[] = [];
  readonly services: NonNullable<AppServices['dispatch']> = {
    runs: {
      create: async () => ({ run: RUN, created: true }),
      settled: async (_, { ms }) => {
        if (ms > 0) await new Promise<void>((resolve) => this.letGo.push(resolve));
        return RUN;
      },
      read: async () => RUN,
      updates: async () => [],
      watch: () => () => {},
    },
    organizationOf: () => RUN.organization,
  };
}

describe('the routes of pipeline runs', () => {
  const runs = new EndlessRuns();
  let world: World;
  before(async () => {
    world = await gatewayWorld({ limits: { ...LIMITS, watchers: 3 } }, { dispatch: runs.services });
  });
  after(async () => {
    for (const go of runs.letGo) go();
    await world.close();
  });

  const post = (more: object) =>
    world.app.inject({
      method: 'POST',
      url: PATH,
      headers: { ...GOOD, 'content-type': 'application/json' },
      payload: JSON.stringify({ project: 'demo', pipeline: 42, ref: 'main', key: 'k', ...more }),
    });

  it('hold no more connections than may watch: further ones are answered at once', async () => {
    const held = [post({ wait: true }), post({}), post({ wait: true })];
    await eventually(() => runs.letGo.length === 3, 'three who wait');
    const further = await post({ wait: true });
    assert.deepEqual([further.statusCode, further.json().state], [202, 'queued']);
    for (const go of runs.letGo.splice(0)) go();
    for (const answer of await Promise.all(held)) assert.equal(answer.statusCode, 202);
    const next = post({ wait: true });
    await eventually(() => runs.letGo.length === 1, 'one who may wait again');
    runs.letGo[0]?.();
    await next;
  });

  it('take no claim about who the caller is, however it is spelt', async () => {
    for (const name of ['issuer', 'subject', 'Issuer', 'SUBJECT', 'sUbject']) {
      const answer = await post({ claimed: { [name]: 'x' } });
      assert.deepEqual([answer.statusCode, answer.json().code], [400, 'request-invalid'], name);
    }
  });
});
