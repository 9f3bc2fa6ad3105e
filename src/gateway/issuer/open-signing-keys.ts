import type { Clock } from '#core/clock.ts';
import type { Http } from '#http/http.ts';
import type { MachineIdentity } from '#identity/machine-identity.ts';
import type { SigningKeySettings } from '../config/gateway-config.ts';
import { FileKeys, type KeyLog } from './file-keys.ts';
import type { KeptKeys } from './kept-keys.ts';
import { keyFolder } from './key-folder.ts';
import type { RecordKey, SigningKeys } from './signing-keys.ts';
import { type MachineTime, machineTime } from './steady-time.ts';
import { vaultClient } from './vault-client.ts';
import { VaultKeys } from './vault-keys.ts';

type VaultSettings = Extract<SigningKeySettings, { kind: 'azure-key-vault' }>;

export interface SigningKeysOptions {
  readonly clock: Clock;
  readonly log: KeyLog;
  /** Puts a change of a key on record; what it throws keeps the key as it was. */
  readonly audited: RecordKey;
  /** The gateway's own, for keys in a vault; asked for only then. */
  readonly identity: () => MachineIdentity;
  readonly http: Http;
  /** @default that of this machine */
  readonly machine?: (() => MachineTime) | undefined;
}

/**
 * Keys where the configuration says, the first one on disk made when there is none.
 *
 * @throws {PlumblineError} `ERR_FILE_UNREADABLE` for keys on disk that cannot be used, and what `audited` throws. A vault that
 *   does not answer is no error here: `problem()` says so until it does.
 */
export async function openSigningKeys(kept: KeptKeys, options: SigningKeysOptions): Promise<SigningKeys> {
  const { settings, lifetimeMs, directory, holder } = kept;
  const { clock, log, audited, machine = machineTime } = options;
  if (settings.kind === 'azure-key-vault') return openVaultKeys(settings, lifetimeMs, options);
  const { publishForMs, rotateEveryMs } = settings;
  const times = { publishForMs, rotateEveryMs, lifetimeMs };
  return FileKeys.open({ folder: keyFolder(directory, holder), times, audited, clock, machine, log });
}

async function openVaultKeys(
  { vault, key, publishForMs }: VaultSettings,
  lifetimeMs: number,
  { identity, http, ...collaborators }: SigningKeysOptions,
): Promise<SigningKeys> {
  const client = vaultClient({ vault, key, identity: identity(), http });
  const keys = new VaultKeys({ ...collaborators, client, times: { publishForMs, lifetimeMs } });
  await keys.open();
  return keys;
}
