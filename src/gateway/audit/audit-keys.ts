import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { constants, promises } from 'node:fs';
import { dirname, join } from 'node:path';
import { auditUnavailable, systemReason } from './audit-unavailable.ts';
import { localDisk } from './log-segment.ts';
import { formatVerifierKey, isKeyName, signNote } from './signed-note.ts';

/** What signs checkpoints. The private key stays inside. */
export interface AuditKeys {
  /** Name of the log and of its keys: first line of every checkpoint, `source` of every record. */
  readonly origin: string;
  /** Of the key that signs now: `<name>+<id>+<base64>`. */
  readonly verifierKey: string;
  /** Every key that ever signed, the newest last: what `verifyAudit` needs. */
  readonly publicKeys: readonly string[];
  sign(text: string): string;
}

/** PKCS #8 PEM, 0600. */
export const SIGNING_KEY_FILE = 'audit-signing.key';
/** One verifier key a line, the newest last. To be kept where the gateway's machine cannot write. */
export const PUBLIC_KEYS_FILE = 'audit-signing.pub';

export interface AuditKeysSettings {
  /** `keys/` of the state directory; made with 0700 when it is not there. */
  readonly directory: string;
  /** Without white space and `+`; e.g. `gateway.example.com/audit`. Default `plumbline-gateway`. */
  readonly origin?: string | undefined;
}

/**
 * The log's signing key; made at the first start.
 * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` when it cannot be read or made, or others may read it
 */
export async function loadAuditKeys(settings: AuditKeysSettings): Promise<AuditKeys> {
  return guarded(settings, async () => {
    await promises.mkdir(settings.directory, { recursive: true, mode: 0o700 });
    return (await readKeys(settings)) ?? (await makeKeys(settings));
  });
}

/**
 * Makes a new signing key; the old one is destroyed, its public key stays listed. The gateway uses it after its next start.
 * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE`
 */
export async function rotateAuditKeys(settings: AuditKeysSettings): Promise<AuditKeys> {
  return guarded(settings, () => makeKeys(settings));
}

async function readKeys(settings: AuditKeysSettings): Promise<AuditKeys | undefined> {
  const pem = await readPrivate(join(settings.directory, SIGNING_KEY_FILE));
  return pem === undefined ? undefined : keysOf(settings, createPrivateKey(pem));
}

async function makeKeys(settings: AuditKeysSettings): Promise<AuditKeys> {
  const { privateKey } = generateKeyPairSync('ed25519');
  // The public key is listed first: a crash in between leaves one that never signed, which harms nobody.
  const keys = await keysOf(settings, privateKey);
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' });
  await replaceFile(join(settings.directory, SIGNING_KEY_FILE), pem, 0o600);
  return keys;
}

async function keysOf(settings: AuditKeysSettings, privateKey: KeyObject): Promise<AuditKeys> {
  const { directory, origin = 'plumbline-gateway' } = settings;
  if (!isKeyName(origin)) throw new Error(`the name '${origin}' holds white space or a plus sign`);
  const verifierKey = formatVerifierKey(origin, createPublicKey(privateKey));
  const publicKeys = await listPublicKey(join(directory, PUBLIC_KEYS_FILE), verifierKey);
  return { origin, verifierKey, publicKeys, sign: (text) => signNote(text, origin, privateKey) };
}

async function listPublicKey(file: string, verifierKey: string): Promise<readonly string[]> {
  const listed = verifierKeyLines((await readIfThere(file)) ?? '');
  if (listed.at(-1) === verifierKey) return listed;
  const keys = [...listed.filter((key) => key !== verifierKey), verifierKey];
  await replaceFile(file, `${keys.join('\n')}\n`, 0o644);
  return keys;
}

/** The verifier keys of a file: one a line; empty lines and such with `#` at the beginning are comments. */
export function verifierKeyLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

async function readPrivate(file: string): Promise<string | undefined> {
  let handle: promises.FileHandle;
  try {
    handle = await promises.open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) throw new Error(`others may read ${file}; it must have mode 0600`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await promises.readFile(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

/** Whole or not at all, and on the disk. */
async function replaceFile(file: string, text: string | Buffer, mode: number): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  try {
    await promises.writeFile(partial, text, { mode, flag: 'wx', flush: true });
    await promises.rename(partial, file);
    await localDisk.syncDirectory(dirname(file));
  } catch (thrown) {
    await promises.rm(partial, { force: true }).catch(() => undefined);
    throw thrown;
  }
}

async function guarded<T>({ directory }: AuditKeysSettings, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    throw auditUnavailable(
      `The signing key of the audit log in ${directory} cannot be used`,
      systemReason(thrown),
      thrown,
    );
  }
}
