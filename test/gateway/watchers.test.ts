import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { RunUpdate } from '#core/run.ts';
import {
  createdRun,
  GOOD,
  gatewayWorld,
  OUTCOME,
  TASK,
  TIMEOUTS,
  type World,
} from '../unit/gateway/app/gateway-world.ts';

const MESSAGE = 'x'.repeat(300);

function update(n: number): RunUpdate {
  return { kind: 'status', task: { ...TASK, statusMessage: `${n} ${MESSAGE}` }, at: n };
}

/** One watcher on a socket of its own, which reads what it is told to read. */
class Watcher {
  readonly socket: Socket;
  readonly ids: number[] = [];
  text = '';
  #ended = false;

  constructor(port: number, id: string, headers: Readonly<Record<string, string>>, paused = false) {
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.setEncoding('utf8');
    this.socket.on('data', (part: string) => this.#take(part));
    this.socket.on('close', () => (this.#ended = true)).on('error', () => undefined);
    if (paused) this.socket.pause();
    const lines = Object.entries({ host: 'gateway', ...headers }).map(([name, value]) => `${name}: ${value}`);
    this.socket.write(`GET /v1/runs/${id}/events HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  }

  get done(): boolean {
    return this.#ended || this.text.includes('event: end');
  }

  get isOpen(): boolean {
    return this.text.includes(': open') || this.ids.length > 0;
  }

  #take(part: string): void {
    const text = this.text + part;
    for (const [, id] of text.matchAll(/^id: (\d+)\n/gm)) this.ids.push(Number(id));
    // Only what a line may still be made of is kept: a thousand watchers read in this process too.
    this.text = text.includes('event: end')
      ? 'event: end'
      : text.slice(text.lastIndexOf('\n') + 1) || (text.includes(': open') ? ': open\n' : '');
  }
}

/** Without a difference in words: that of two long lists takes minutes. */
function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

async function until(condition: () => boolean, what: string, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what} did not come to pass`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

describe('watchers of a run', function () {
  this.timeout(30_000);
  let world: World;
  let port: number;
  const sockets: Watcher[] = [];

  async function start(timeouts: Partial<typeof TIMEOUTS> = {}): Promise<void> {
    world = await gatewayWorld({ timeouts: { ...TIMEOUTS, ...timeouts } });
    world.app.server.listen({ host: '127.0.0.1', port: 0, backlog: 2_048 });
    await once(world.app.server, 'listening');
    port = (world.app.server.address() as AddressInfo).port;
  }

  function watch(id: string, headers: Readonly<Record<string, string>> = GOOD, paused = false): Watcher {
    const watcher = new Watcher(port, id, headers, paused);
    sockets.push(watcher);
    return watcher;
  }

  afterEach(async () => {
    for (const { socket } of sockets.splice(0)) socket.destroy();
    world.gateway.endStreams();
    await world.close();
  });

  it('see every event once and in order, a thousand at a time, and one that does not read harms nobody', async () => {
    await start({ slowWatcherMs: 30_000 });
    const { id } = await createdRun(world);
    const before = process.memoryUsage.rss();
    const slow = Array.from({ length: 10 }, () => watch(id, GOOD, true));
    const all = Array.from({ length: 1_000 }, () => watch(id));
    await until(() => all.every(({ isOpen }) => isOpen), 'a thousand open streams');
    const count = 300;
    for (let n = 1; n <= count; n += 20) {
      world.runs.tell(id, ...Array.from({ length: 20 }, (_, i) => update(n + i)));
      await new Promise((done) => setImmediate(done));
    }
    world.runs.tell(id, { kind: 'outcome', outcome: OUTCOME });
    await until(() => all.every(({ done }) => done), 'the end of every stream', 40_000);
    const expected = Array.from({ length: count + 1 }, (_, i) => i + 1);
    for (const { ids } of all) assert.ok(isSame(ids, expected));
    const grown = (process.memoryUsage.rss() - before) / 1_048_576;
    assert.ok(grown < 400, `${Math.round(grown)} MB for 1,010 streams of 0.3 MB, readers included`);
    // The store was read once for all of them, not once for each.
    assert.ok(world.runs.pagesRead.length < 200, `${world.runs.pagesRead.length} reads`);
    for (const watcher of slow) watcher.socket.resume();
    await until(() => slow.every(({ done }) => done), 'the end of the slow streams');
    for (const { ids } of slow) assert.ok(isSame(ids, expected));
  });

  it('are let go when they do not read, and resume where they were', async () => {
    await start({ slowWatcherMs: 300 });
    const { id } = await createdRun(world);
    const slow = watch(id, GOOD, true);
    const count = 30_000;
    await until(() => world.runs.all.get(id)?.watchers.size === 1, 'the watcher');
    world.runs.tell(id, ...Array.from({ length: count }, (_, i) => update(i + 1)), {
      kind: 'outcome',
      outcome: OUTCOME,
    });
    await until(() => world.runs.all.get(id)?.watchers.size === 0, 'the end of the slow watcher');
    slow.socket.resume();
    await once(slow.socket, 'close');
    assert.ok(slow.ids.length < count, 'it was let go');
    const last = slow.ids.at(-1) ?? 0;
    const resumed = watch(id, { ...GOOD, 'last-event-id': String(last) });
    await until(() => resumed.done, 'the rest');
    assert.ok(
      isSame(
        resumed.ids,
        Array.from({ length: count + 1 - last }, (_, i) => last + 1 + i),
      ),
    );
  });

  it('hear a heartbeat while nothing happens, and an end when the token ends', async () => {
    await start({ heartbeatMs: 50 });
    const { id } = await createdRun(world);
    world.callers.set('good-short', {
      ...(await import('../unit/gateway/app/gateway-world.ts')).callerNamed('good-alice'),
      expiresAt: Date.now() + 400,
    });
    const watcher = watch(id, { authorization: 'Bearer good-short' });
    let text = '';
    watcher.socket.on('data', (part) => (text += String(part)));
    await until(() => watcher.done, 'the end of the token');
    assert.match(text, /: heartbeat\n\n/);
    assert.match(text, /: the token has expired[^\n]*\n\n/);
    assert.doesNotMatch(text, /event: end/);
  });

  it('are told when the gateway stops, so that they resume', async () => {
    await start();
    const { id } = await createdRun(world);
    const watcher = watch(id);
    let text = '';
    watcher.socket.on('data', (part) => (text += String(part)));
    await until(() => watcher.isOpen, 'the stream');
    world.gateway.endStreams();
    await until(() => watcher.done, 'the end');
    assert.match(text, /: the gateway stops/);
  });

  it('of a run that has ended get the end at once, also behind its last event', async () => {
    await start();
    const { id } = await createdRun(world);
    world.runs.tell(id, update(1), { kind: 'outcome', outcome: OUTCOME });
    for (const [after, expected] of [
      ['0', [1, 2]],
      ['1', [2]],
      ['2', []],
      ['99', []],
    ] as const) {
      const watcher = watch(id, { ...GOOD, 'last-event-id': after });
      await until(() => watcher.done, `the end behind ${after}`);
      assert.deepEqual(watcher.ids, expected);
    }
  });

  it('leave nothing behind when they go', async () => {
    await start();
    const { id } = await createdRun(world);
    const some = Array.from({ length: 50 }, () => watch(id));
    await until(() => some.every(({ isOpen }) => isOpen), 'the streams');
    for (const { socket } of some) socket.destroy();
    await until(() => world.runs.all.get(id)?.watchers.size === 0, 'their end');
    assert.match(await world.services.metrics.registry.metrics(), /plumbline_watchers 0/);
  });
});
