import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import { eventually } from '../../../support/eventually.ts';
import { DAG, DispatchWorld, GRANT, requestOf } from '../../../support/gateway/dispatch-world.ts';
import { callerOf } from '../../../support/gateway/runs-fixture.ts';

const code = (expected: string, reason?: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof PlumblineError, String(thrown));
  assert.equal(thrown.code, expected, thrown.message);
  if (reason !== undefined) assert.equal(thrown.details['reason'], reason);
  return true;
};

describe('pipelines of Azure DevOps', () => {
  let world: DispatchWorld;
  beforeEach(async () => {
    world = await DispatchWorld.open();
  });
  afterEach(async () => {
    await world.close();
    assert.deepEqual(world.azure.findings, [], 'what is asked of Azure DevOps is what its specification says');
    assert.deepEqual(
      world.logged.filter((line) => line.includes('not worked on')),
      [],
    );
  });

  describe('queued', () => {
    it('with ref and template parameters as text, and nothing else, under the identity', async () => {
      const templateParameters = { table: 'orders', rows: 1200, full: true, filter: { a: [1, 'x'] } };
      const run = await world.queued('k', requestOf({ templateParameters }));
      const [asked] = world.azure.queueings;
      const { resources, templateParameters: sent, ...more } = JSON.parse(asked?.body ?? '');
      assert.deepEqual(more, {});
      assert.deepEqual(resources, { repositories: { self: { refName: 'refs/heads/main' } } });
      const { queuedBy, ...others } = sent;
      assert.deepEqual(others, { table: 'orders', rows: '1200', full: 'true', filter: '{"a":[1,"x"]}' });
      assert.deepEqual(JSON.parse(queuedBy), {
        v: 1,
        sharedId: run.id,
        caller: { dagId: 'orders_watch', issuer: 'airflow-prod', subject: DAG.subject },
      });
      assert.equal(run.state, 'queued');
      assert.deepEqual(run.run, {
        id: 100,
        name: '2026.100',
        url: 'https://dev.azure.com/fabrikam/demo/_build/results?buildId=100',
      });
      assert.deepEqual(world.azure.builds[0]?.tags, ['plumbline', `plumbline-${run.id}`]);
      assert.equal(run.tags, 'set');
    });

    it('on record before it is asked, and with what came of it, never with a value', async () => {
      let recorded: readonly string[] = [];
      world.azure.script = () => {
        recorded = recorded.length > 0 ? recorded : world.audit.types();
        return undefined;
      };
      const run = await world.queued('k');
      assert.deepEqual(recorded, ['dispatch.queue.intent']);
      world.azure.end(100, 'succeeded');
      await world.ended(run.id);
      await eventually(() => world.audit.types(run.id).includes('dispatch.end'), 'the record of the end');
      assert.deepEqual(world.audit.types(run.id), [
        'dispatch.queue.intent',
        'dispatch.queue.outcome',
        'dispatch.tagged',
        'dispatch.end',
      ]);
      assert.ok(!JSON.stringify(world.audit.events).includes('"orders"'));
    });

    it('once for a key, however many ask at the same time', async () => {
      const runs = await Promise.all(Array.from({ length: 50 }, () => world.queued('same')));
      assert.equal(new Set(runs.map(({ id }) => id)).size, 1);
      assert.equal(world.azure.builds.length, 1);
      assert.equal(world.azure.queueings.length, 1);
    });

    it('once for a key, whatever the lineage of the task that asks again, and again for another caller', async () => {
      const lineage = { root: { runId: '01930000-0000-7000-8000-000000000001', namespace: 'n', name: 'r' } };
      const first = await world.queued('k');
      assert.equal((await world.create('k', requestOf({ lineage, claimed: {} }))).created, false);
      const { run } = await world.create('k', requestOf(), callerOf('another'));
      assert.notEqual(run.id, first.id);
      await assert.rejects(world.read(first.id, callerOf('another')), code('ERR_RUN_UNKNOWN'));
      await assert.rejects(world.read(first.id, { ...DAG, runId: first.id }), code('ERR_RUN_UNKNOWN'));
    });

    it('not for the key of another pipeline, ref or parameter', async () => {
      await world.queued('k');
      for (const more of [{ ref: 'refs/heads/x' }, { templateParameters: { table: 'others' } }, { project: 'other' }])
        await assert.rejects(world.create('k', requestOf(more)), code('ERR_RUN_KEY_REUSED'));
      assert.equal((await world.create('k', requestOf({ project: 'DEMO' }))).created, false);
      assert.equal(world.azure.builds.length, 1);
    });

    it('not when the policy does not allow it, which is on record', async () => {
      world.policy.refuses = true;
      await assert.rejects(world.create('k'), code('ERR_PIPELINE_DENIED', 'no-binding'));
      assert.deepEqual(world.audit.types(), ['dispatch.denied']);
      assert.deepEqual(world.azure.asked, []);
    });

    it('not without a record: neither now nor when the audit is back', async () => {
      world.audit.broken = true;
      await assert.rejects(world.create('k'), code('ERR_AUDIT_UNAVAILABLE'));
      world.audit.broken = false;
      await world.stop();
      await world.start();
      await world.queued('other');
      assert.equal(world.azure.queueings.length, 1);
    });

    it('without tags, when the identity may not set them', async () => {
      world.azure.script = ({ url }) =>
        url.pathname.endsWith('/tags') ? { status: 403, body: { message: 'no' } } : undefined;
      const run = await world.queued('k');
      assert.deepEqual([run.state, run.tags, run.error], ['queued', 'refused', undefined]);
    });
  });

  describe('refused by Azure DevOps', () => {
    const answers: readonly (readonly [string, number, object | string, string, RegExp])[] = [
      ['who it does not know', 203, '<html>Sign In</html>', 'sign-in', /c0ffee.*Queue builds/],
      ['who has to sign in', 302, '', 'sign-in', /Add .* as a user/],
      ['who is no member', 401, { message: 'TF400813: not authorized' }, 'sign-in', /TF400813/],
      ['who may not', 403, { message: 'Access denied: needs Queue builds' }, 'permission', /Access denied/],
      ['what is not there', 404, { message: 'PipelineNotFoundException' }, 'not-found', /View builds/],
      [
        'a bad ref',
        400,
        { message: 'Unable to resolve the ref ##vso[task.complete]x\r\n\u001b[31m' },
        'invalid',
        /resolve the ref/,
      ],
    ];
    for (const [what, status, body, reason, words] of answers)
      it(`is ${what}: ${status}`, async () => {
        world.azure.script = () => ({ status, body, headers: { location: 'https://login.microsoftonline.com/' } });
        await assert.rejects(world.queued('k'), (thrown) => {
          code('ERR_PIPELINE_REFUSED', reason)(thrown);
          const { message, remedy } = thrown as PlumblineError;
          assert.match(`${message} ${remedy}`, words);
          assert.doesNotMatch(message, /##vso|\p{Cc}/u);
          return true;
        });
        assert.equal(world.azure.queueings.length, 1);
        await eventually(() => world.audit.types().includes('dispatch.end'), 'the record of the end');
        // The same key, when it was mended.
        world.azure.script = () => undefined;
        assert.equal((await world.queued('k')).state, 'queued');
        assert.equal(world.azure.builds.length, 1);
      });

    it('is cut, however long its words are', async () => {
      world.azure.script = () => ({ status: 400, body: { message: 'x'.repeat(100_000) } });
      await assert.rejects(world.queued('k'), (thrown) => (thrown as Error).message.length < 600);
    });

    it('is an identity that gets no token: nothing is sent', async () => {
      world.identity = () => Promise.reject(new PlumblineError('ERR_IDENTITY_REJECTED', 'No token for it'));
      await assert.rejects(world.queued('k'), code('ERR_PIPELINE_REFUSED', 'identity'));
      assert.deepEqual(world.azure.asked, []);
    });

    it('is an organization that the configuration does not have', async () => {
      world.isConfigured = false;
      await assert.rejects(world.queued('k'), code('ERR_PIPELINE_REFUSED', 'not-configured'));
    });
  });

  describe('with an answer that says nothing for certain', () => {
    const broken = [
      ['reset', false],
      [{ status: 502 }, false],
      ['reset-after-work', true],
      [{ status: 503, worked: true }, true],
      [{ status: 200, worked: true, body: '<html>' }, true],
    ] as const;
    const oneOf = (path: string) => path.endsWith('/runs') && world.azure.queueings.length === 1;
    for (const [meddling, isQueued] of broken)
      it(`${JSON.stringify(meddling)}: is queued once`, async () => {
        world.azure.script = ({ url }) => (oneOf(url.pathname) ? meddling : undefined);
        assert.equal((await world.queued('k')).state, 'queued');
        assert.equal(world.azure.builds.length, 1);
        assert.deepEqual(
          world.audit.events.flatMap(({ data }) => data['result'] ?? []),
          isQueued ? ['ambiguous', 'adopted', 'set'] : ['ambiguous', 'absent', 'queued', 'set'],
        );
        assert.equal(world.azure.queueings.length, isQueued ? 1 : 2);
      });

    it('is found by what the run itself says, when the list does not', async () => {
      world.azure.script = ({ url, method }) => {
        if (method === 'POST' && url.pathname.endsWith('/runs')) return 'reset-after-work';
        world.azure.showsParameters = url.pathname.includes('/pipelines/');
        return undefined;
      };
      const run = await world.queued('k');
      assert.equal(run.run?.id, 100);
      // The specification has objects where the service has texts.
      world.azure.findings.splice(0);
    });

    it('without a context parameter it is unknown, and not asked for again by the same key', async () => {
      world.policy.grant = { ...GRANT, contextParameter: undefined };
      world.azure.script = () => 'reset-after-work';
      const run = await world.queued('k');
      assert.deepEqual([run.state, run.error?.code], ['unknown', 'ERR_PIPELINE_UNKNOWN']);
      assert.match(run.error?.remedy ?? '', /another key/);
      assert.equal((await world.create('k')).created, false);
      await world.stop();
      await world.start();
      assert.equal((await world.queued('k')).state, 'unknown');
      assert.equal(world.azure.queueings.length, 1);
    });

    it('is unknown, when there are runs that do not show with what they were queued', async () => {
      world.azure.showsParameters = false;
      world.azure.script = ({ url, method }) =>
        method === 'POST' && url.pathname.endsWith('/runs') ? 'reset-after-work' : undefined;
      const { run } = await world.create('k');
      assert.equal((await world.ended(run.id)).state, 'unknown');
      assert.equal(world.azure.queueings.length, 1);
    });

    it('is not mixed up with runs that somebody else queued with a like context', async () => {
      await world.queued('first');
      world.azure.script = ({ url }) =>
        url.pathname.endsWith('/runs') && world.azure.queueings.length === 2 ? 'reset' : undefined;
      const run = await world.queued('second');
      assert.notEqual(run.run?.id, 100);
      assert.equal(world.azure.builds.length, 2);
    });

    it('is looked up for as long as Azure DevOps cannot be read, and told meanwhile', async () => {
      let away = true;
      world.azure.script = ({ url, method }) => {
        if (method === 'POST' && url.pathname.endsWith('/runs')) return 'reset-after-work';
        return away ? { status: 500 } : undefined;
      };
      const { run } = await world.create('k');
      await eventually(async () => /looked up/.test((await world.read(run.id)).problem ?? ''), 'what holds it up');
      away = false;
      assert.equal((await world.queued('k')).run?.id, 100);
    });
  });

  describe('that takes nothing at the moment', () => {
    it('is asked again when it says so, with a record for each request', async () => {
      world.azure.script = ({ url }) =>
        url.pathname.endsWith('/runs') && world.azure.queueings.length < 3
          ? { status: 429, headers: { 'retry-after': '20' } }
          : undefined;
      const before = world.clock.now();
      const run = await world.queued('k');
      assert.ok(world.clock.now() - before >= 40_000);
      assert.equal(world.azure.builds.length, 1);
      assert.deepEqual(
        world.audit.events.filter(({ type }) => type.endsWith('intent')).map(({ data }) => data['attempt']),
        [1, 2, 3],
      );
      assert.equal(run.state, 'queued');
    });

    it('is not asked for longer than a quarter of an hour', async () => {
      world.azure.script = () => ({ status: 429, headers: { 'retry-after': '3600' } });
      await assert.rejects(world.queued('k'), code('ERR_PIPELINE_REFUSED', 'unavailable'));
    });

    it('is not asked again, when the policy has changed meanwhile', async () => {
      world.azure.script = () => {
        world.policy.refuses = true;
        return { status: 429 };
      };
      await assert.rejects(world.queued('k'), code('ERR_PIPELINE_DENIED'));
      assert.equal(world.azure.queueings.length, 1);
    });
  });
});
