import { promises } from 'node:fs';
import { PlumblineError } from '#core/errors.ts';

/**
 * Writes encoded events to a file that only its owner can read (0600), whole or not at all. An existing file is replaced.
 * @param path absolute
 * @throws {PlumblineError} `ERR_PUBLISH_FAILED`
 */
export async function writeLineageFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await promises.writeFile(partial, text, { mode: 0o600, flag: 'wx' });
    await promises.rename(partial, path);
  } catch (cause) {
    await promises.rm(partial, { force: true }).catch(() => undefined);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_PUBLISH_FAILED', `The lineage file '${path}' could not be written: ${why}`, {
      cause,
      remedy: "Check the space and the permissions of the agent's temporary folder.",
    });
  }
}
