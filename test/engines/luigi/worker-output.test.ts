import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { WorkerOutput } from '#engines/luigi/worker-output.ts';
import { Collector } from '../../support/luigi-scenario.ts';

const MEGABYTE = 1024 * 1024;

/** Takes one chunk at a time, and only when it is told to go on. */
class SlowSink extends Writable {
  taken = 0;
  #next: (() => void) | undefined;
  #isOpen = false;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.taken += chunk.length;
    if (this.#isOpen) done();
    else this.#next = done;
  }

  open(): void {
    this.#isOpen = true;
    this.#next?.();
  }
}

function start(script: string, stdout: Writable) {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const output = new WorkerOutput(child, { stdout, stderr: new Collector() });
  return { child, output, exited: once(child, 'exit') };
}

describe('the output of a worker', function () {
  this.timeout(20_000);

  it('waits for a slow sink, in bounded memory, and loses nothing', async () => {
    const sink = new SlowSink();
    const { child, output, exited } = start(`head -c ${20 * MEGABYTE} /dev/zero; echo done >&2`, sink);
    await Promise.race([once(child.stderr, 'data'), new Promise((resolve) => setTimeout(resolve, 300))]);
    assert.equal(child.exitCode, null, 'the program must wait');
    assert.ok(sink.taken + sink.writableLength + child.stdout.readableLength < MEGABYTE);
    sink.open();
    await exited;
    await output.drained();
    assert.equal(sink.taken, 20 * MEGABYTE);
  });

  it('goes on when its sink is gone', async () => {
    const sink = new PassThrough();
    const { exited, output } = start(`head -c ${5 * MEGABYTE} /dev/zero`, sink);
    sink.destroy();
    assert.deepEqual(await exited, [0, null]);
    await output.drained();
  });

  for (const [what, helper] of [
    ['is silent', 'sleep 30'],
    ['never stops printing', 'while :; do echo more; done'],
    ['prints now and then', 'while :; do echo more; sleep 0.01; done'],
  ] as const) {
    it(`ends though a process that ${what} holds it open`, async () => {
      const sink = new Collector();
      const { child, exited, output } = start(`echo first; (${helper}) &`, sink);
      await exited;
      await output.drained();
      assert.match(sink.bytes.toString(), /^first\n/);
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    });
  }
});
