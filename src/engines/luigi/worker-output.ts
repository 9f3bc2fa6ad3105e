import type { Readable } from 'node:stream';
import { NeutraliseStream } from '#core/neutralise-stream.ts';

/** Where the user's output goes: a stream each, so that halves of a command in both never meet in one line. */
export interface OutputSinks {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

const QUIET_MS = 50;
/** What can still be on its way when the worker has ended: the pipes hold less. More is somebody else's. */
const MOST_BYTES_AFTER_END = 2 * 1024 * 1024;
const LONGEST_AFTER_END_MS = 2_000;

/**
 * Passes on what the worker prints, byte by byte but for neutralised commands. A slow sink slows the worker down; a sink that
 * is gone does not stop it.
 */
export class WorkerOutput {
  readonly #streams: readonly Readable[];
  #lastBytes = 0;
  #bytesAfterEnd = 0;
  #endedAt: number | undefined;

  constructor(streams: { readonly stdout: Readable; readonly stderr: Readable }, sinks: OutputSinks) {
    this.#streams = [streams.stdout, streams.stderr];
    this.#connect(streams.stdout, sinks.stdout);
    this.#connect(streams.stderr, sinks.stderr);
  }

  /**
   * To be asked when the worker has ended; resolves when everything that it printed has been passed on. A process that user
   * code left behind can hold the pipes for its whole life: then quiet is taken for the end, or more than the worker itself
   * can have printed, and the pipes no longer keep this process alive.
   */
  async drained(): Promise<void> {
    this.#endedAt ??= Date.now();
    let isClosed = false;
    const closed = Promise.all(this.#streams.map(untilClosed)).then(() => {
      isClosed = true;
    });
    while (!isClosed && !this.#isDone()) await Promise.race([closed, sleep(QUIET_MS)]);
    for (const stream of this.#streams) if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  }

  #connect(source: Readable, sink: NodeJS.WritableStream): void {
    const neutral = new NeutraliseStream();
    source.on('data', (chunk: Buffer) => {
      this.#lastBytes = Date.now();
      if (this.#endedAt !== undefined) this.#bytesAfterEnd += chunk.length;
    });
    source.pipe(neutral).pipe(sink, { end: false });
    sink.on('unpipe', (from) => {
      if (from === neutral) neutral.resume();
    });
  }

  #isDone(): boolean {
    if (this.#bytesAfterEnd > MOST_BYTES_AFTER_END) return true;
    if (this.#streams.some((stream) => stream.readableLength > 0 || stream.isPaused())) return false;
    const [last, now] = [Math.max(this.#lastBytes, this.#endedAt ?? 0), Date.now()];
    return now - last >= QUIET_MS || now - (this.#endedAt ?? now) > LONGEST_AFTER_END_MS;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function untilClosed(stream: Readable): Promise<void> {
  if (stream.destroyed || stream.readableEnded) return Promise.resolve();
  return new Promise((resolve) => stream.once('close', resolve));
}
