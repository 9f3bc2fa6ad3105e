import type { Readable } from 'node:stream';
import { NeutraliseStream } from '#core/neutralise-stream.ts';

/** Where the user's output goes: a stream each, so that halves of a command in both never meet in one line. */
export interface OutputSinks {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

const QUIET_MS = 50;

/**
 * Passes on what the worker prints, byte by byte but for neutralised commands. A slow sink slows the worker down; a sink that
 * is gone does not stop it.
 */
export class WorkerOutput {
  readonly #streams: readonly Readable[];
  #lastBytes = 0;

  constructor(streams: { readonly stdout: Readable; readonly stderr: Readable }, sinks: OutputSinks) {
    this.#streams = [streams.stdout, streams.stderr];
    this.#connect(streams.stdout, sinks.stdout);
    this.#connect(streams.stderr, sinks.stderr);
  }

  /**
   * Resolves when everything that was printed has been passed on. A process that user code left behind can hold the pipes
   * for its whole life: then quiet is taken for the end, and the pipes no longer keep this process alive.
   */
  async drained(): Promise<void> {
    const ended = Promise.all(this.#streams.map(untilClosed));
    let done = false;
    void ended.then(() => {
      done = true;
    });
    this.#lastBytes = Date.now();
    while (!done) await Promise.race([ended, this.#quiet().then((quiet) => (done ||= quiet))]);
    for (const stream of this.#streams) if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  }

  #connect(source: Readable, sink: NodeJS.WritableStream): void {
    const neutral = new NeutraliseStream();
    source.on('data', () => {
      this.#lastBytes = Date.now();
    });
    source.pipe(neutral).pipe(sink, { end: false });
    sink.on('unpipe', (from) => {
      if (from === neutral) neutral.resume();
    });
  }

  async #quiet(): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const isBusy = this.#streams.some((stream) => stream.readableLength > 0 || stream.isPaused());
    return !isBusy && Date.now() - this.#lastBytes >= QUIET_MS;
  }
}

function untilClosed(stream: Readable): Promise<void> {
  if (stream.destroyed || stream.readableEnded) return Promise.resolve();
  return new Promise((resolve) => stream.once('close', resolve));
}
