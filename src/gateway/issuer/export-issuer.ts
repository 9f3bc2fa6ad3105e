import { promises } from 'node:fs';
import { dirname, join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import { DISCOVERY_PATH, discoveryDocument, type IssuerDocument, KEYS_PATH, keysDocument } from './issuer-documents.ts';
import type { PublicKey, TokenIssuer } from './token-issuer.ts';

/**
 * Writes the two documents for a web server that only hands out files. Each is replaced as a whole, the keys first.
 *
 * @returns the paths
 * @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE` without keys, `ERR_FILE_UNREADABLE` when they cannot be written
 */
export async function exportIssuer(
  directory: string,
  issuer: Pick<TokenIssuer, 'url' | 'tokenEndpoint'>,
  keys: readonly PublicKey[],
): Promise<readonly string[]> {
  const set = keysDocument(keys);
  if (set === undefined) throw withoutKeys(issuer.url);
  return [
    await writeDocument(join(directory, KEYS_PATH), set),
    await writeDocument(join(directory, DISCOVERY_PATH), discoveryDocument(issuer)),
  ];
}

/** Replaces it as a whole. @returns the path @throws {PlumblineError} `ERR_FILE_UNREADABLE` */
export async function writeDocument(path: string, { text }: IssuerDocument): Promise<string> {
  const unfinished = `${path}.${process.pid}.unfinished`;
  try {
    await promises.mkdir(dirname(path), { recursive: true });
    await promises.writeFile(unfinished, text, { flag: 'wx', mode: 0o644 });
    await promises.rename(unfinished, path);
    return path;
  } catch (cause) {
    await promises.rm(unfinished, { force: true }).catch(() => undefined);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_FILE_UNREADABLE', `Cannot write ${path}: ${why}`, {
      cause,
      remedy: 'Give a folder in which this user may write.',
    });
  }
}

function withoutKeys(url: string): PlumblineError {
  return new PlumblineError(
    'ERR_ISSUER_UNAVAILABLE',
    `Cannot export the issuer ${url}: none of its keys is in force yet`,
    {
      remedy: 'Start the gateway once: it makes the first key, unless there is one, and puts it on record.',
    },
  );
}
