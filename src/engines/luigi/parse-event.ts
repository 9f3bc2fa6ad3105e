import { type Frame, PROTOCOL, type Target, type WorkerEvent } from './worker-event.ts';

/** What one line of the event file is. */
export type ParsedLine =
  | { readonly kind: 'event'; readonly event: WorkerEvent }
  /** An event of a later minor version: nothing to us. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'foreign'; readonly version: unknown };

/** Reads a line without its newline. Never throws: a line may have been cut by a full disk, or written by user code. */
export function parseLine(line: string): ParsedLine {
  const fields = parseObject(line);
  if (!fields || typeof fields['e'] !== 'string') return { kind: 'unreadable' };
  if (fields['v'] !== PROTOCOL) return { kind: 'foreign', version: fields['v'] };
  const read = Object.hasOwn(READERS, fields['e']) ? READERS[fields['e']] : undefined;
  if (!read) return { kind: 'unknown' };
  try {
    const event = { e: fields['e'], at: new Reader(fields).time('at'), ...read(new Reader(fields)) };
    return { kind: 'event', event: event as WorkerEvent };
  } catch (error) {
    if (error instanceof FieldError) return { kind: 'unreadable' };
    throw error;
  }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Of what a Date can hold, ECMA-262. */
const LATEST = 8.64e15;

class FieldError extends Error {}

class Reader {
  readonly #fields: Record<string, unknown>;

  constructor(fields: Record<string, unknown>) {
    this.#fields = fields;
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value === 'string') return value;
    throw new FieldError(name);
  }

  number(name: string): number {
    const value = this.#fields[name];
    if (typeof value === 'number') return value;
    throw new FieldError(name);
  }

  /** Seconds, as milliseconds: a time that a date can hold, whoever wrote it. */
  time(name: string): number {
    const ms = 1_000 * this.number(name);
    if (Math.abs(ms) <= LATEST) return ms;
    throw new FieldError(name);
  }

  maybeText(name: string): string | undefined {
    const value = this.#fields[name];
    return value === undefined || value === null ? undefined : asText(value);
  }

  maybeNumber(name: string): number | undefined {
    const value = this.#fields[name];
    return typeof value === 'number' ? value : undefined;
  }

  flag(name: string, missing: boolean): boolean {
    const value = this.#fields[name];
    return typeof value === 'boolean' ? value : missing;
  }

  /** True, false, or null for anything else: an answer that cannot be read is no answer. */
  answer(name: string): boolean | null {
    const value = this.#fields[name];
    return typeof value === 'boolean' ? value : null;
  }

  list(name: string): readonly unknown[] {
    const value = this.#fields[name];
    return Array.isArray(value) ? value : [];
  }

  texts(name: string): readonly string[] {
    return this.list(name).filter((item) => typeof item === 'string');
  }

  map(name: string): Record<string, string> {
    const value = this.#fields[name];
    if (!isObject(value)) return {};
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asText(item)]));
  }

  frames(): readonly Frame[] {
    return this.list('frames')
      .filter(isObject)
      .map((frame) => ({
        file: asText(frame['file']),
        line: new Reader(frame).maybeNumber('line') ?? 0,
        function: asText(frame['function']),
      }));
  }

  targets(): readonly Target[] {
    return this.list('targets')
      .filter(isObject)
      .map(({ type, namespace, name }) => ({
        type: asText(type),
        ...(typeof namespace === 'string' && { namespace }),
        ...(typeof name === 'string' && { name }),
      }));
  }

  raised() {
    return {
      type: this.maybeText('type') ?? 'Exception',
      message: this.maybeText('message') ?? '',
      traceback: this.maybeText('traceback') ?? '',
      frames: this.frames(),
    };
  }
}

const ofTask = (read: Reader) => ({ task: read.text('task') });

const READERS: Readonly<Record<string, (read: Reader) => object>> = {
  hello: (read) => ({
    luigi: read.maybeText('luigi') ?? '',
    python: read.maybeText('python') ?? '',
    worker: read.maybeText('worker') ?? '',
    runId: read.maybeText('runId'),
  }),
  refused: (read) => ({
    code: read.text('code'),
    message: read.maybeText('message') ?? '',
    remedy: read.maybeText('remedy'),
    frames: read.frames(),
  }),
  root: (read) => ({ task: read.text('task'), family: read.text('family'), params: read.map('params') }),
  task: (read) => ({
    task: read.text('task'),
    family: read.maybeText('family') ?? '',
    module: read.maybeText('module'),
    params: read.map('params'),
    deps: read.texts('deps'),
    status: read.text('status'),
    runnable: read.flag('runnable', true),
    external: read.flag('external', false),
  }),
  deps: (read) => ({ task: read.text('task'), deps: read.texts('deps') }),
  start: ofTask,
  elsewhere: ofTask,
  status: (read) => ({ task: read.text('task'), message: read.maybeText('message') ?? '' }),
  progress: (read) => ({ task: read.text('task'), percent: read.number('percent') }),
  tracking: (read) => ({ task: read.text('task'), url: read.maybeText('url') ?? '' }),
  batch: (read) => ({ task: read.text('task'), members: read.texts('members') }),
  inputs: (read) => ({ task: read.text('task'), targets: read.targets() }),
  outputs: (read) => ({ task: read.text('task'), targets: read.targets() }),
  failure: (read) => ({ task: read.text('task'), ...read.raised() }),
  aborted: (read) => read.raised(),
  end: (read) => ({ task: read.text('task'), status: read.text('status') }),
  unschedulable: (read) => ({
    task: read.maybeText('task'),
    family: read.maybeText('family') ?? '',
    phase: read.maybeText('phase') ?? '',
    ...read.raised(),
  }),
  died: (read) => ({
    task: read.text('task'),
    exitCode: read.maybeNumber('exitCode'),
    signal: read.maybeText('signal'),
  }),
  stalled: (read) => ({ task: read.maybeText('task'), why: read.maybeText('why') ?? '' }),
  asked: (read) => ({
    complete: read.answer('complete'),
    verifiable: read.flag('verifiable', true),
    error: read.maybeText('error') ?? '',
  }),
  rejected: lostIdentity,
  reported: lostIdentity,
  bye: (read) => ({ exitCode: read.number('exitCode'), lost: read.maybeNumber('lost') ?? 0 }),
};

/** That it was refused counts, however little of the rest can be read. */
function lostIdentity(read: Reader) {
  return {
    task: read.maybeText('task'),
    family: read.maybeText('family'),
    reason: read.maybeText('reason') ?? 'unknown',
    message: read.maybeText('message') ?? '',
    status: read.maybeNumber('status'),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}
