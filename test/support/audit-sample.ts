import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import { type AuditKeys, loadAuditKeys } from '#gateway/audit/audit-keys.ts';
import type { AuditLog } from '#gateway/audit/audit-log.ts';
import type { AuditVerification } from '#gateway/audit/audit-verification.ts';
import { type AuditLogSettings, openAuditLog } from '#gateway/audit/open-audit-log.ts';
import { verifyAudit } from '#gateway/audit/verify-audit.ts';

/** A clock that stands until it is set; whoever sleeps is woken by `advance`. */
export class ManualClock implements Clock {
  #now: number;
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((wake, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      this.#sleepers.push({ until: this.#now + ms, wake });
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  advance(ms: number): void {
    this.#now += ms;
    const due = this.#sleepers.filter(({ until }) => until <= this.#now);
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#now);
    for (const { wake } of due) wake();
  }
}

export const SAMPLE_TIME = Date.UTC(2026, 10, 21, 12, 0, 0);

/** A folder with a log, its keys and its exported checkpoints. */
export class AuditPlace {
  readonly root = mkdtempSync(join(tmpdir(), 'plumbline-audit-'));
  readonly directory = join(this.root, 'audit');
  readonly exported = join(this.root, 'exported');
  readonly problems: string[] = [];
  readonly clock = new ManualClock(SAMPLE_TIME);

  keys(): Promise<AuditKeys> {
    return loadAuditKeys({ directory: join(this.root, 'keys'), origin: 'gateway.example/audit' });
  }

  async open(settings: Partial<AuditLogSettings> = {}): Promise<AuditLog> {
    const onProblem = (message: string) => void this.problems.push(message);
    return openAuditLog({
      directory: this.directory,
      keys: await this.keys(),
      clock: this.clock,
      onProblem,
      ...settings,
    });
  }

  /** Opens, does something and closes. */
  async write(act: (log: AuditLog) => Promise<unknown>, settings?: Partial<AuditLogSettings>): Promise<void> {
    const log = await this.open(settings);
    await act(log);
    await log.close();
  }

  async verify(more: { checkpoints?: readonly string[]; retainedFrom?: number } = {}): Promise<AuditVerification> {
    return verifyAudit({ directory: this.directory, publicKeys: (await this.keys()).publicKeys, ...more });
  }

  /** Names of the log's files, in order. */
  files(): string[] {
    return readdirSync(this.directory).filter((name) => name.endsWith('.jsonl'));
  }

  lines(): string[] {
    const texts = this.files().map((name) => readFileSync(join(this.directory, name), 'utf8'));
    return texts.join('').split('\n').slice(0, -1);
  }

  /** Paths of the checkpoints beside the log. */
  notes(): string[] {
    return notesIn(join(this.directory, 'checkpoints'));
  }

  /** Another place with the same content. */
  copy(): AuditPlace {
    const copied = new AuditPlace();
    cpSync(this.root, copied.root, { recursive: true });
    return copied;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

export function notesIn(place: string): string[] {
  const found = existsSync(place) ? readdirSync(place, { recursive: true, encoding: 'utf8' }) : [];
  return found
    .filter((name) => name.endsWith('.note'))
    .sort()
    .map((name) => join(place, name));
}

export function sampleEvent(index: number, data: Record<string, string | number> = {}) {
  return { type: 'dev.plumbline.run.end', subject: `run-${index}`, data: { state: 'succeeded', ...data } };
}

/** One after the other, so that each is a write of its own. */
export async function appendSamples(log: AuditLog, count: number, from = 1): Promise<void> {
  for (let index = from; index < from + count; index += 1) await log.append(sampleEvent(index));
}

export function kindsOf({ findings }: AuditVerification): string[] {
  return [...new Set(findings.map(({ kind }) => kind))].sort();
}

/** Lets everything else run until this holds. */
export async function eventually(holds: () => boolean, each: () => void = () => undefined): Promise<void> {
  const end = performance.now() + 15_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`it never came to hold: ${holds}`);
    each();
    await new Promise(setImmediate);
  }
}
