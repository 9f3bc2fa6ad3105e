import type { Clock } from '#core/clock.ts';
import type { Secret } from '#core/secret.ts';
import type { PythonInterpreter } from '#engines/luigi/python-interpreter.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Caller } from '../auth/caller.ts';
import type { Launcher } from '../launch/launcher.ts';
import type { Policy } from '../policy/policy.ts';
import type { Role, SecretGrant } from '../policy/role.ts';
import type { Store } from '../store/store.ts';
import type { CodeFacts, RunSpecification } from './run-record.ts';
import type { WorkerAccess } from './worker-access.ts';

/** The user's code for one attempt, checked and in its place. */
export interface PreparedCode {
  readonly python: PythonInterpreter;
  /** Absolute. */
  readonly workingDirectory: string;
  readonly modulePath: readonly string[];
  readonly facts: CodeFacts;
}

export interface CodePreparer {
  /** @throws {PlumblineError} when it is not there, not what its digest says, or the caller's token does not sign for it. */
  prepare(
    role: Role,
    run: { readonly specification: RunSpecification; readonly caller: Caller },
    signal: AbortSignal,
  ): Promise<PreparedCode>;
}

/** A secret that was read for a run. Everything but `value` may be recorded. */
export interface GrantedSecret {
  readonly grant: SecretGrant;
  /** Address of the vault. */
  readonly vault: string;
  /** The version that was read, also when none was asked for. */
  readonly version: string;
  readonly value: Secret;
}

export interface SecretReader {
  /**
   * All of them, in the order asked for, under the gateway's own identity.
   *
   * @throws {PlumblineError} `ERR_SECRET_*`, `ERR_VAULT_*`, `ERR_IDENTITY_*`
   */
  read(grants: readonly SecretGrant[], signal: AbortSignal): Promise<readonly GrantedSecret[]>;
}

export interface RunLimits {
  /** Runs at the same time, of all roles. */
  readonly runs: number;
  /** Runs that wait. */
  readonly queued: number;
  /** Of them, those of one caller; default: half, at least one. */
  readonly queuedPerCaller?: number | undefined;
}

export interface RunServiceOptions {
  readonly store: Store;
  readonly launcher: Launcher;
  readonly audit: AuditLog;
  /** The policy that is in force now. */
  readonly policy: () => Policy;
  readonly code: CodePreparer;
  readonly secrets: SecretReader;
  readonly limits: RunLimits;
  /** Of roles that name none: `local` or a URL. */
  readonly scheduler: string;
  /** What workers may ask of this gateway; absent: nothing. */
  readonly access?: WorkerAccess | undefined;
  /** Milliseconds for which an ended run stays; absent: for good. */
  readonly keepEndedMs?: number | undefined;
  /** Milliseconds that a request to cancel waits for the worker's end; default 10,000. */
  readonly cancelWaitMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Trouble that no caller is told of. Never a secret. */
  readonly log?: ((message: string, facts: Readonly<Record<string, unknown>>) => void) | undefined;
}
