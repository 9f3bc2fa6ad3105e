import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { FileProblem } from '../config/yaml-source.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import { policyError, wholeFile } from './parse-policy.ts';
import { policyFileKey, policyOf, readPolicyFile } from './read-policy-file.ts';

export interface PolicyFileOptions {
  /** Absolute. */
  readonly path: string;
  readonly clock: Clock;
  /**
   * A policy is about to come into force; called at the start too. It is in force when this returns or resolves. When it
   * throws, the last one stays in force, and the file is tried again at the next look.
   */
  readonly onLoaded: (policy: LoadedPolicy) => void | Promise<void>;
  /** The file cannot be used and the last good policy stays. Called once for each state of the file. */
  readonly onRejected: (problems: readonly FileProblem[]) => void | Promise<void>;
  /** How long a file must stand still before it is read as a whole. Default: 200. */
  readonly settleMs?: number | undefined;
  /** How often the file is looked at even when the system tells of no change. Default: 5,000. */
  readonly pollMs?: number | undefined;
}

/**
 * The policy that is in force: that of a file, read again whenever it changes. A file that cannot be used, or whose
 * examples do not come out, changes nothing but `problems`.
 */
export class PolicyFile {
  readonly #options: PolicyFileOptions;
  readonly #closed = new AbortController();
  #watcher: FSWatcher | undefined;
  #policy: LoadedPolicy;
  #problems: readonly FileProblem[] = [];
  /** State of the file that was judged last; `undefined`: look again. */
  #judged: string | undefined;
  #running: Promise<void> | undefined;
  #again = false;

  private constructor(options: PolicyFileOptions, policy: LoadedPolicy, judged: string | undefined) {
    this.#options = options;
    this.#policy = policy;
    this.#judged = judged;
  }

  /**
   * Reads the file and watches it from then on.
   * @throws {PlumblineError} `ERR_POLICY_INVALID` when it cannot be used; whatever `onLoaded` throws.
   */
  static async open(options: PolicyFileOptions): Promise<PolicyFile> {
    const { path, clock, onLoaded } = options;
    const { bytes, problem, key } = await readPolicyFile(path, clock, settleOf(options));
    if (bytes === undefined) throw policyError(path, [problem]);
    const { policy, problems } = policyOf(bytes, path);
    if (policy === undefined) throw policyError(path, problems);
    await onLoaded(policy);
    const file = new PolicyFile(options, policy, key);
    file.#watch();
    void file.#poll();
    return file;
  }

  /** In force now. Whoever decides keeps it for the whole request. */
  get policy(): LoadedPolicy {
    return this.#policy;
  }

  /** Why the file as it is now is not in force; empty when it is. */
  get problems(): readonly FileProblem[] {
    return this.#problems;
  }

  /** Looks at the file now; resolves when what it finds is in force or rejected. Looks at the same time become one. */
  reload(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Stops watching; the policy stays readable. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#watcher?.close();
    await this.#running?.catch(() => undefined);
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && !this.#closed.signal.aborted) {
        this.#again = false;
        await this.#look();
      }
    } finally {
      // In the same turn as the last check, so that nobody who asks in between is forgotten.
      this.#running = undefined;
    }
  }

  async #look(): Promise<void> {
    const { path, clock } = this.#options;
    if ((await policyFileKey(path)) === this.#judged) return;
    const { bytes, problem, key } = await readPolicyFile(path, clock, settleOf(this.#options), this.#closed.signal);
    this.#judged = key;
    if (bytes === undefined) return this.#reject([problem]);
    const { policy, problems } = policyOf(bytes, path);
    return policy === undefined ? this.#reject(problems) : this.#load(policy);
  }

  async #load(policy: LoadedPolicy): Promise<void> {
    this.#problems = [];
    if (policy.sha256 === this.#policy.sha256) return;
    try {
      await this.#options.onLoaded(policy);
      this.#policy = policy;
    } catch (error) {
      this.#judged = undefined;
      const { code } = asPlumblineError(error);
      this.#problems = [wholeFile(this.#options.path, `could not be brought into force (${code})`)];
    }
  }

  async #reject(problems: readonly FileProblem[]): Promise<void> {
    this.#problems = problems;
    await this.#options.onRejected(problems);
  }

  /** The folder and not the file: editors and Kubernetes put another file in its place. */
  #watch(): void {
    try {
      this.#watcher = watch(dirname(this.#options.path), { persistent: false }, () => void this.#reloadQuietly());
      // A watch that ends (the folder was replaced) leaves the poll.
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // A file system without watches: the poll finds changes.
    }
  }

  async #poll(): Promise<void> {
    const { clock, pollMs = 5_000 } = this.#options;
    try {
      for (;;) {
        await clock.sleep(pollMs, this.#closed.signal);
        await this.#reloadQuietly();
      }
    } catch {
      // Closed.
    }
  }

  /** The next look tries again. */
  #reloadQuietly(): Promise<void> {
    return this.reload().catch(() => {
      this.#judged = undefined;
    });
  }
}

function settleOf({ settleMs = 200 }: PolicyFileOptions): number {
  return settleMs;
}
