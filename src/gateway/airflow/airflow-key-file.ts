import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { KeyLog } from '../issuer/file-keys.ts';
import type { PublicKey } from '../issuer/token-issuer.ts';
import { policyFileKey, readPolicyFile } from '../policy/read-policy-file.ts';
import { airflowPublicKeys } from './airflow-public-keys.ts';

export interface AirflowKeyFileOptions {
  /** Absolute. */
  readonly path: string;
  readonly clock: Clock;
  /** Why keys of the file cannot stand beside others. */
  readonly refuses: (keys: readonly PublicKey[]) => string | undefined;
  /** Puts on record that a key begins or ends to be taken for Airflow's. Throws when it cannot: then nothing changes. */
  readonly audited: (kid: string, result: 'trusted' | 'untrusted') => Promise<void>;
  readonly log: KeyLog;
}

const LOOK_EVERY_MS = 2_000;
/** A file must stand still for so long before it is read as a whole. */
const SETTLE_MS = 200;

/**
 * The keys by which an Airflow signs itself: those of a file that its operators write, read again when it changes. One that cannot
 * be used changes nothing but `problem()`.
 */
export class AirflowKeyFile {
  readonly #options: AirflowKeyFileOptions;
  readonly #closing = new AbortController();
  #keys: readonly PublicKey[] = [];
  #problem: string | undefined;
  /** State of the file that was judged last; `undefined`: look again. */
  #judged: string | undefined;
  #looking: Promise<void> | undefined;

  private constructor(options: AirflowKeyFileOptions) {
    this.#options = options;
  }

  /** A file that cannot be used is no error here, `problem()` says so. */
  static async open(options: AirflowKeyFileOptions): Promise<AirflowKeyFile> {
    const file = new AirflowKeyFile(options);
    await file.#look();
    file.#looking = file.#keepLooking();
    return file;
  }

  /** In force; none when the file never could be used since the start. */
  keys(): readonly PublicKey[] {
    return this.#keys;
  }

  /** Why the file as it is now is not in force. */
  problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#looking;
  }

  async #keepLooking(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const { path, clock } = this.#options;
    if ((await policyFileKey(path)) === this.#judged) return;
    try {
      const { bytes, problem, key } = await readPolicyFile(path, clock, SETTLE_MS, this.#closing.signal);
      this.#judged = key;
      if (bytes === undefined) this.#tell(problem.message);
      else await this.#judge(Buffer.from(bytes).toString('utf8'));
    } catch (thrown) {
      // What could not be put on record is tried again.
      this.#judged = undefined;
      this.#tell(`could not be brought into force (${asPlumblineError(thrown).code})`);
    }
  }

  async #judge(text: string): Promise<void> {
    let keys: readonly PublicKey[];
    try {
      keys = airflowPublicKeys(text);
    } catch (error) {
      return this.#tell((error as Error).message);
    }
    const why = this.#options.refuses(keys);
    if (why !== undefined) return this.#tell(why);
    await this.#adopt(keys);
  }

  async #adopt(keys: readonly PublicKey[]): Promise<void> {
    const { audited, log, path } = this.#options;
    for (const { kid } of without(this.#keys, keys)) await audited(kid, 'untrusted');
    for (const { kid } of without(keys, this.#keys)) await audited(kid, 'trusted');
    this.#keys = keys;
    this.#problem = undefined;
    log.info({ room: 'airflow', file: path, keys: keys.map(({ kid }) => kid) }, "Airflow's own keys in force");
  }

  /** Once for each reason. */
  #tell(why: string): void {
    if (this.#closing.signal.aborted) return;
    const { log, path } = this.#options;
    const rest = this.#keys.length > 0 ? 'the last good keys stay in force' : 'no keys are published';
    if (why !== this.#problem)
      log.error({ room: 'airflow', file: path }, `Airflow's public keys: the file ${why}; ${rest}`);
    this.#problem = why;
  }
}

function without(keys: readonly PublicKey[], others: readonly PublicKey[]): readonly PublicKey[] {
  return keys.filter((key) => !others.some((other) => isDeepStrictEqual(key, other)));
}
