import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import type { Clock } from '#core/clock.ts';
import { administerKeys, type KeyAdministration } from '#gateway/issuer/administer-keys.ts';
import { FileKeys } from '#gateway/issuer/file-keys.ts';
import type { KeyTransition } from '#gateway/issuer/issuer-key.ts';
import { ISSUER_HOLDER, keyDirectory } from '#gateway/issuer/kept-keys.ts';
import type { KeyGround } from '#gateway/issuer/key-changes.ts';
import { type KeyFolder, keyFolder } from '#gateway/issuer/key-folder.ts';
import type { KeyTimes } from '#gateway/issuer/key-lifecycle.ts';
import { signedToken } from '#gateway/issuer/signed-token.ts';
import type { IssuedToken } from '#gateway/issuer/token-issuer.ts';
import { eventually } from './eventually.ts';
import { type HandClock, handClock } from './hand-clock.ts';

export const ISSUER = 'https://gateway.example.com';
export const LIFETIME_MS = 600_000;
export const DAY = 86_400_000;
export const START = Date.parse('2026-11-21T10:00:00Z');
const CLAIMS = { sub: 'plumbline:load', aud: 'api://AzureADTokenExchange' };

/** A folder of keys, a clock that people set, and a machine whose own time only goes on. */
export class IssuerWorld {
  readonly stateDirectory = mkdtempSync(join(tmpdir(), 'issuer-'));
  readonly directory = keyDirectory(this.stateDirectory);
  /** By the true time. */
  readonly recorded: { kid: string; result: KeyTransition; at: number }[] = [];
  readonly errors: string[] = [];
  readonly times: KeyTimes;
  /** Why nothing can be put on record. */
  outage: Error | undefined;
  readonly #true: HandClock = handClock(START);
  #wrong = 0;
  #on = START;
  #boot = 1;

  constructor(times: Partial<KeyTimes> = {}) {
    this.times = { publishForMs: DAY, rotateEveryMs: 30 * DAY, lifetimeMs: LIFETIME_MS, ...times };
  }

  get trueTime(): number {
    return this.#true.now();
  }

  /** What the machine's clock says; who sleeps does so for a true time. */
  readonly clock: Clock = {
    now: () => this.#true.now() + this.#wrong,
    sleep: (ms, signal) => this.#true.sleep(ms, signal),
  };

  get ground(): KeyGround {
    return {
      folder: keyFolder(this.directory),
      clock: this.clock,
      machine: () => ({ boot: `boot ${this.#boot}`, ms: this.#true.now() - this.#on }),
    };
  }

  /** Time goes on; whoever looks at the keys by then has looked. */
  async pass(ms: number): Promise<void> {
    const sleeping = this.#true.sleeping;
    this.#true.move(ms);
    await eventually(() => this.#true.sleeping >= sleeping, 'everybody waits again');
  }

  /** The clock is wrong by so much from now on. */
  setClock(wrong: number): void {
    this.#wrong = wrong;
  }

  /** The machine is off for so long. */
  switchOff(ms: number): void {
    this.#true.move(ms);
    this.#boot += 1;
    this.#on = this.#true.now();
  }

  /** What `plumbline issuer` does, in a process of its own. */
  get byHand(): KeyAdministration {
    const { publishForMs, rotateEveryMs, lifetimeMs } = this.times;
    const keys = { kind: 'files', publishForMs, rotateEveryMs } as const;
    const kept = { settings: keys, lifetimeMs, directory: this.directory, holder: ISSUER_HOLDER };
    return administerKeys(kept, this.clock, this.ground.machine);
  }

  open(folder: KeyFolder = this.ground.folder): Promise<FileKeys> {
    return FileKeys.open({
      ...this.ground,
      folder,
      times: this.times,
      audited: async (kid, result) => {
        if (this.outage) throw this.outage;
        this.recorded.push({ kid, result, at: this.trueTime });
      },
      log: { info: () => {}, error: (_, message) => void this.errors.push(message) },
    });
  }

  issue(keys: FileKeys): Promise<IssuedToken> {
    return signedToken(CLAIMS, { url: ISSUER, lifetimeSeconds: LIFETIME_MS / 1_000 }, { keys, clock: this.clock });
  }

  remove(): void {
    rmSync(this.stateDirectory, { recursive: true, force: true });
  }
}

/** By somebody else's implementation, from the published set alone. */
export async function verifies(token: string, keys: FileKeys, at: number): Promise<boolean> {
  const set = createLocalJWKSet({ keys: keys.published() } as unknown as JSONWebKeySet);
  return jwtVerify(token, set, { issuer: ISSUER, algorithms: ['RS256'], currentDate: new Date(at) }).then(
    () => true,
    () => false,
  );
}
