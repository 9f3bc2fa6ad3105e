import type { Writable } from 'node:stream';
import type { EventFrame, EventFrames } from './event-frames.ts';
import type { Watch } from './run-watchers.ts';

export interface EventStreamOptions {
  readonly runId: string;
  /** The number after which the stream begins; 0 for all. */
  readonly after: number;
  /** The run has ended, and its story is stored to the end. */
  readonly ended: boolean;
  readonly frames: EventFrames;
  readonly watch: Watch;
  readonly heartbeatMs: number;
  /** How long nothing may be read of what was written. */
  readonly slowMs: number;
  /** Aborted when the watcher leaves, its token ends or the gateway stops; a text reason is told as a comment. */
  readonly signal: AbortSignal;
}

/** `end`: told whole. `stopped`: the signal, to be resumed. `slow`: the watcher did not read. */
export type StreamEnd = 'end' | 'stopped' | 'slow';

const END = 'event: end\ndata: {}\n\n';
const BEAT = ': heartbeat\n\n';
/** Written at once; a watcher that reads is asked again after each. */
const MAX_WRITE_BYTES = 64 * 1_024;

/**
 * Writes the story of a run to one watcher, each update once and in order, as fast as the watcher reads: behind a socket
 * that does not drain nothing is kept but the number of the last update.
 */
export async function streamEvents(out: Writable, options: EventStreamOptions): Promise<StreamEnd> {
  const { signal } = options;
  // The client's own time-out begins with the first byte.
  let place: Place = (await write(out, ': open\n\n', options)) ? { after: options.after } : 'slow';
  while (typeof place !== 'string' && !signal.aborted) place = await step(out, place.after, options);
  if (typeof place === 'string' && !signal.aborted) return place;
  if (typeof signal.reason === 'string' && out.writable && place !== 'end') out.write(`: ${signal.reason}\n\n`);
  return place === 'end' ? 'end' : 'stopped';
}

type Place = { readonly after: number } | 'end' | 'slow';

/** What is there now, or the wait for it. */
async function step(out: Writable, after: number, options: EventStreamOptions): Promise<Place> {
  const { version } = options.watch;
  const frames = await options.frames.after(options.runId, after, version);
  const last = frames.at(-1);
  if (last === undefined && !options.ended) return (await nextUpdate(out, version, options)) ? { after } : 'slow';
  if (last !== undefined && !(await writeAll(out, frames, options))) return 'slow';
  if (last !== undefined && !last.isLast) return { after: last.sequence };
  return (await write(out, END, options)) ? 'end' : 'slow';
}

async function writeAll(out: Writable, frames: readonly EventFrame[], options: EventStreamOptions): Promise<boolean> {
  let batch: Buffer[] = [];
  let size = 0;
  for (const { bytes } of frames) {
    batch.push(bytes);
    size += bytes.length;
    if (size < MAX_WRITE_BYTES) continue;
    if (!(await write(out, Buffer.concat(batch), options))) return false;
    batch = [];
    size = 0;
  }
  return size === 0 || write(out, Buffer.concat(batch), options);
}

/** Whether the watcher is still there and has room; waits until it has. */
function write(
  out: Writable,
  bytes: string | Buffer,
  { slowMs, signal }: EventStreamOptions,
): Promise<boolean> | boolean {
  if (signal.aborted || !out.writable) return false;
  if (out.write(bytes)) return true;
  return new Promise((resolve) => {
    const done = (open: boolean) => {
      clearTimeout(timer);
      out.off('drain', drained).off('close', left);
      signal.removeEventListener('abort', left);
      resolve(open);
    };
    const drained = () => done(true);
    const left = () => done(false);
    const timer = setTimeout(left, slowMs);
    out.on('drain', drained).on('close', left);
    signal.addEventListener('abort', left, { once: true });
  });
}

/** Beats until there is an update newer than `version`; whether the watcher is still there. */
async function nextUpdate(out: Writable, version: number, options: EventStreamOptions): Promise<boolean> {
  const { watch, heartbeatMs, signal } = options;
  while (watch.version === version && !signal.aborted) {
    const woken = await woke(watch, heartbeatMs, signal);
    if (!woken && !signal.aborted && !(await write(out, BEAT, options))) return false;
  }
  return true;
}

/** `false` when the time was over first. */
function woke(watch: Watch, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (woken: boolean) => {
      clearTimeout(timer);
      forget();
      signal.removeEventListener('abort', wake);
      resolve(woken);
    };
    const wake = () => done(true);
    const forget = watch.onNext(wake);
    const timer = setTimeout(() => done(false), ms);
    signal.addEventListener('abort', wake, { once: true });
  });
}
