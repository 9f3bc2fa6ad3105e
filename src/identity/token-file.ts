import { promises } from 'node:fs';
import path from 'node:path';
import { type Clock, systemClock } from '#core/clock.ts';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import type { AssertionClaims } from './assertion.ts';
import type { FederatedIdentity } from './connection-identity.ts';

/**
 * azure-identity for Python reads the file again after 600 s at the earliest, so the file must hold a token that lives
 * for about as long: an ID token of Azure DevOps lives 600 s in all.
 */
const RENEWAL_MS = 60_000;

/** How the name of a token file's folder begins. */
const FOLDER = 'identity-';

/** A renewal that failed. Reported at the first failure of a row and again when the token in the file has expired. */
export interface RenewalProblem {
  readonly error: PlumblineError;
  /** From now on user code cannot get new access tokens; until then the last good token stays in the file. */
  readonly expired: boolean;
}

export interface TokenFileOptions {
  readonly identity: FederatedIdentity;
  /** An existing directory that only this job uses, e.g. `Agent.TempDirectory`. */
  readonly directory: string;
  readonly report: (problem: RenewalProblem) => void;
  /** Gives up the first token. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

export interface TokenFile {
  readonly file: string;
  /** For the process of the user: `DefaultAzureCredential` and `WorkloadIdentityCredential` of every Azure SDK read it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends the renewal and removes the file. */
  stop(): Promise<void>;
}

/**
 * Keeps a file with the connection's ID token fresh, so that code of the user can sign in during runs of hours. Readable
 * by this user only; replaced in one step, so that a reader never sees a part of it.
 *
 * @throws what `identity.assertion` throws when not even the first token can be had.
 */
export async function startTokenFile(options: TokenFileOptions): Promise<TokenFile> {
  const { identity, directory } = options;
  const first = await identity.assertion(options.signal);
  const folder = await promises.mkdtemp(path.join(directory, FOLDER));
  const file = path.join(folder, 'token');
  await replaceFile(file, first.token.reveal());
  const stopped = new AbortController();
  const renewing = keepRenewing(file, first.claims, options, stopped.signal);
  return {
    file,
    environment: {
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_CLIENT_ID: identity.clientId,
      AZURE_TENANT_ID: identity.tenantId,
      AZURE_AUTHORITY_HOST: `${identity.cloud.authority}/`,
    },
    stop: async () => {
      stopped.abort();
      await renewing;
      await promises.rm(folder, { recursive: true, force: true });
    },
  };
}

/** Removes every token file below `directory`, whoever left it. Only for when nothing that keeps one runs any more. */
export async function removeTokenFiles(directory: string): Promise<void> {
  const names = (await promises.readdir(directory)).filter((name) => name.startsWith(FOLDER));
  await Promise.all(names.map((name) => promises.rm(path.join(directory, name), { recursive: true, force: true })));
}

/**
 * Variables of an environment that make `DefaultAzureCredential` prefer another identity to the token file: its
 * EnvironmentCredential stands first.
 */
export function variablesBeforeTokenFile(environment: Readonly<Record<string, string | undefined>>): string[] {
  return ['AZURE_CLIENT_SECRET', 'AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_USERNAME', 'AZURE_PASSWORD'].filter(
    (name) => environment[name],
  );
}

async function keepRenewing(
  file: string,
  first: AssertionClaims,
  { identity, report, clock = systemClock }: TokenFileOptions,
  signal: AbortSignal,
): Promise<void> {
  const problems = problemReporter(report, clock);
  let { expiresAt } = first;
  while (await sleptThrough(clock, signal)) {
    try {
      const { token, claims } = await identity.assertion(signal);
      await replaceFile(file, token.reveal());
      expiresAt = claims.expiresAt;
      problems.solved();
    } catch (thrown) {
      if (!signal.aborted) problems.failed(thrown, file, expiresAt);
    }
  }
}

/** Whether the whole interval passed; `false` when the renewal was stopped. */
async function sleptThrough(clock: Clock, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(RENEWAL_MS, signal);
    return !signal.aborted;
  } catch (thrown) {
    if (signal.aborted) return false;
    throw thrown;
  }
}

function problemReporter(report: TokenFileOptions['report'], clock: Clock) {
  let told: 'nothing' | 'failing' | 'expired' = 'nothing';
  return {
    solved: () => {
      told = 'nothing';
    },
    failed: (thrown: unknown, file: string, expiresAt: number | undefined) => {
      const expired = expiresAt !== undefined && clock.now() >= expiresAt;
      const now = expired ? 'expired' : 'failing';
      if (told === now || told === 'expired') return;
      told = now;
      report({ error: renewalError(asPlumblineError(thrown), file, expired), expired });
    },
  };
}

function renewalError(cause: PlumblineError, file: string, expired: boolean): PlumblineError {
  const state = expired ? 'and its token has expired' : 'the last token stays for now';
  return new PlumblineError(cause.code, `Cannot renew the token file of the run, ${state}: ${cause.message}`, {
    cause,
    remedy: cause.remedy,
    details: { ...cause.details, file },
  });
}

async function replaceFile(file: string, text: string): Promise<void> {
  const beside = `${file}.new`;
  await promises.rm(beside, { force: true });
  await promises.writeFile(beside, text, { mode: 0o600, flag: 'wx' });
  await promises.rename(beside, file);
}
