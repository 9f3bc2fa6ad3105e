import assert from 'node:assert/strict';
import type { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { eventually } from '../../../support/eventually.ts';
import { DispatchWorld, requestOf } from '../../../support/gateway/dispatch-world.ts';
import { type AskedOfAzure, AZURE_TOKEN } from '../../../support/scripted-azure-devops.ts';

const isQueueing = ({ method, url }: AskedOfAzure) => method === 'POST' && url.pathname.endsWith('/runs');
const isList = ({ url }: AskedOfAzure) => url.searchParams.has('definitions');
const isPoll = ({ url }: AskedOfAzure) => url.searchParams.has('buildIds');

/** What a broken or hostile Azure DevOps says. */
describe('an Azure DevOps that cannot be trusted', () => {
  let world: DispatchWorld;
  beforeEach(async () => {
    world = await DispatchWorld.open();
  });
  afterEach(async () => {
    await world.close();
  });

  for (const asked of ['99999999', '9'.repeat(400), 'Fri, 31 Dec 9999 23:59:59 GMT'])
    it(`does not silence the gateway for ever: Retry-After ${asked.slice(0, 12)}`, async () => {
      const { id } = await world.queued('k');
      let answers = 0;
      const headers = { 'retry-after': asked };
      world.azure.script = (one) => {
        if (!isPoll(one)) return undefined;
        answers += 1;
        return answers === 1
          ? { status: 200, headers, body: { value: [{ id: 100, status: 'inProgress' }] } }
          : undefined;
      };
      await eventually(() => answers > 0, 'the request for a pause');
      world.azure.end(100, 'succeeded');
      const before = world.clock.now();
      assert.equal((await world.ended(id)).state, 'succeeded');
      assert.ok(world.clock.now() - before >= 300_000, 'but for a while');
      assert.equal(answers, 2);
    });

  it('keeps nobody from seeing how runs end that others queued, by an answer that is too large', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.push((await world.queued(`k${i}`)).id);
    const large = 'x'.repeat(3 * 1_048_576);
    world.azure.script = (asked) => {
      if (!isPoll(asked)) return undefined;
      const wanted = asked.url.searchParams.get('buildIds')?.split(',').map(Number) ?? [];
      const value = wanted.map((id) => ({ id, status: 'completed', result: 'succeeded', parameters: large }));
      return { status: 200, body: { value } };
    };
    for (const id of ids) assert.equal((await world.ended(id)).state, 'succeeded');
  });

  it('keeps nobody from seeing how runs end that others queued, by one that makes no sense', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push((await world.queued(`k${i}`)).id);
    world.azure.script = (asked) => {
      if (!isPoll(asked)) return undefined;
      const wanted = asked.url.searchParams.get('buildIds')?.split(',').map(Number) ?? [];
      const value = wanted.map((id) => ({ id: id === 101 ? 'x' : id, status: 'completed', result: 'succeeded' }));
      return { status: 200, body: { value } };
    };
    for (const id of [ids[0], ids[2], ids[3]]) assert.equal((await world.ended(id as string)).state, 'succeeded');
    assert.equal((await world.read(ids[1] as string)).state, 'queued');
  });

  it('does not say when a key is forgotten: a run ends when it was seen to', async () => {
    for (const [i, finishTime] of ['0001-01-01T00:00:00', '9999-12-31T23:59:59Z'].entries()) {
      const before = world.clock.now();
      const { id } = await world.queued(`k${i}`);
      const ended = { id: 100 + i, status: 'completed', result: 'succeeded', startTime: finishTime, finishTime };
      world.azure.script = (asked) => (isPoll(asked) ? { status: 200, body: { value: [ended] } } : undefined);
      const { endedAt = 0, startedAt = 0 } = await world.ended(id);
      assert.ok(endedAt >= before && endedAt <= world.clock.now(), `${finishTime}: ${endedAt}`);
      assert.ok(startedAt >= before && startedAt <= endedAt, `${finishTime}: ${startedAt}`);
      world.azure.script = () => undefined;
    }
  });

  it('hides no run behind those of others, however large they are', async () => {
    const values = { table: 'x'.repeat(65_000) };
    const others = Array.from({ length: 150 }, (_, i) => ({ id: i + 1, reason: 'manual', templateParameters: values }));
    world.azure.script = (asked) => {
      if (isQueueing(asked)) return 'reset-after-work';
      if (!isList(asked)) return undefined;
      const { searchParams } = asked.url;
      const from = Number(searchParams.get('continuationToken') ?? 0);
      const to = from + Number(searchParams.get('$top'));
      const all = [...others, ...world.azure.builds];
      const headers = to < all.length ? { 'x-ms-continuationtoken': String(to) } : {};
      return { status: 200, headers, body: { value: all.slice(from, to) } };
    };
    const { run } = await world.create('k');
    await eventually(async () => (await world.read(run.id)).run?.id === 100, 'the run to be found', 8_000);
    assert.equal(world.azure.queueings.length, 1);
  });

  it('holds up no other organization, by answering nothing', async () => {
    world.azure.script = ({ body }) => (body.includes('"slow"') ? 'hang' : undefined);
    const slow = requestOf({ organization: 'https://dev.azure.com/contoso', templateParameters: { table: 'slow' } });
    for (let i = 0; i < 12; i++) await world.create(`slow${i}`, slow);
    await eventually(() => world.azure.queueings.length >= 8, 'as many as may be asked');
    const { run } = await world.create('k');
    await eventually(async () => (await world.read(run.id)).run !== undefined, 'a run of another organization', 4_000);
  });

  it('is not heard when it says the token back', async () => {
    const message = `The request is not valid: ${AZURE_TOKEN}`;
    world.azure.script = () => ({ status: 400, body: { message } });
    await assert.rejects(world.queued('k'), (thrown) => {
      const { details, remedy, ...error } = thrown as PlumblineError;
      assert.match((thrown as Error).message, /HTTP 400/);
      return !JSON.stringify([error, (thrown as Error).message, remedy, details]).includes(AZURE_TOKEN);
    });
    world.azure.script = (asked) => (isPoll(asked) ? { status: 403, body: { message } } : undefined);
    const { id } = await world.queued('other');
    await eventually(async () => (await world.read(id)).problem !== undefined, 'the trouble');
    assert.ok(!JSON.stringify([await world.read(id), world.logged, world.audit.events]).includes(AZURE_TOKEN));
  });
});

/** What clocks, restarts and many requests do to it. */
describe('a pipeline run that takes long to be queued', () => {
  let world: DispatchWorld;
  beforeEach(async () => {
    world = await DispatchWorld.open();
  });
  afterEach(async () => {
    await world.close();
  });

  it('is queued once, when the clock of the gateway is twenty minutes ahead', async () => {
    world.ahead = 1_200_000;
    let sentAt = Number.POSITIVE_INFINITY;
    world.azure.script = (asked) => {
      if (isQueueing(asked)) {
        sentAt = Math.min(sentAt, world.clock.now() - world.ahead);
        world.ahead = 0;
        return world.azure.queueings.length === 1 ? 'reset-after-work' : undefined;
      }
      const since = Date.parse(asked.url.searchParams.get('minTime') ?? '');
      return isList(asked) && since > sentAt ? { status: 200, body: { value: [] } } : undefined;
    };
    assert.equal((await world.queued('k')).run?.id, 100);
    assert.equal(world.azure.queueings.length, 1);
  });

  it('is queued once, when the clock is set on while nobody knows what became of the request', async () => {
    await world.close();
    world = await DispatchWorld.open(20);
    let sentAt = Number.POSITIVE_INFINITY;
    const passed = () => world.clock.now() - world.ahead - sentAt;
    world.azure.script = (asked) => {
      if (isQueueing(asked) && world.azure.queueings.length === 1) {
        sentAt = world.clock.now();
        return 'reset-after-work';
      }
      if (isList(asked) && world.ahead === 0) world.ahead = 300_000;
      // It takes a minute until the run is there.
      return isList(asked) && passed() < 60_000 ? { status: 200, body: { value: [] } } : undefined;
    };
    assert.equal((await world.queued('k')).run?.id, 100);
    assert.equal(world.azure.queueings.length, 1);
  });

  it('is not queued long after it was asked for, when the gateway was away', async () => {
    let fail: ((why: Error) => void) | undefined;
    world.identity = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const { run } = await world.create('k');
    await eventually(() => fail !== undefined, 'a request for a token');
    const stopping = world.stop();
    fail?.(new Error('stopped'));
    await stopping;
    world.ahead = 86_400_000;
    world.identity = async () => new Secret(AZURE_TOKEN);
    await world.start();
    const { state, error } = await world.ended(run.id);
    assert.deepEqual([state, error?.code, error?.reason], ['failed', 'ERR_PIPELINE_REFUSED', 'unavailable']);
    assert.deepEqual(world.azure.queueings, []);
  });

  it('says so, when a defect of the gateway keeps it from being worked on, and is taken up by the next one', async () => {
    const { policy } = world;
    const decide = policy.decidePipeline.bind(policy);
    let asked = 0;
    policy.decidePipeline = (wanted) => {
      if (++asked > 1) throw new TypeError('a defect');
      return decide(wanted);
    };
    const { run } = await world.create('k');
    await eventually(async () => /its log/.test((await world.read(run.id)).problem ?? ''), 'what holds it up');
    policy.decidePipeline = decide;
    await world.stop();
    await world.start();
    assert.equal((await world.queued('k')).run?.id, 100);
  });

  it('is one of no more than may wait, also when it was refused before', async () => {
    world.azure.script = () => ({ status: 400 });
    const keys = Array.from({ length: 70 }, (_, i) => `k${i}`);
    await Promise.all(keys.slice(0, 35).map((key) => assert.rejects(world.queued(key))));
    await Promise.all(keys.slice(35).map((key) => assert.rejects(world.queued(key))));
    await eventually(() => world.audit.types().filter((type) => type === 'dispatch.end').length === 70, 'the ends');
    world.azure.script = () => ({ status: 429, headers: { 'retry-after': '600' } });
    const asked = await Promise.allSettled(keys.map((key) => world.create(key)));
    const codes = asked.flatMap((one) => (one.status === 'rejected' ? [(one.reason as PlumblineError).code] : []));
    assert.deepEqual(codes, Array(10).fill('ERR_QUEUE_FULL'));
  });
});
