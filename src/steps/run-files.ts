import { promises } from 'node:fs';
import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { Finding } from '#core/run.ts';

/**
 * Files of a run that ended, for the steps that follow. One that cannot be written, as on a full disk, is told in `unwritten`
 * and keeps nothing else from being done: how the run ended matters more.
 */
export class RunFiles {
  readonly unwritten: Finding[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns the path of the file, or `''` when it could not be written whole */
  async keep(name: string, text: string, write: typeof writeOwn = writeOwn): Promise<string> {
    const path = join(this.#folder, name);
    try {
      await promises.mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await write(path, text);
      return path;
    } catch (error) {
      this.unwritten.push(unwritten(path, error));
      return '';
    }
  }
}

async function writeOwn(path: string, text: string): Promise<void> {
  try {
    await promises.writeFile(path, text, { mode: 0o600 });
  } catch (error) {
    // No half of it; when that cannot be removed either, nobody is told its name.
    await promises.rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
}

function unwritten(path: string, error: unknown): Finding {
  const remedy = "Check the space and the permissions of the agent's temporary folder.";
  if (error instanceof PlumblineError) {
    return { severity: 'warning', code: error.code, message: error.message, remedy: error.remedy ?? remedy };
  }
  const why = error instanceof Error ? error.message : String(error);
  const message = `The file '${path}' could not be written: ${why}`;
  return { severity: 'warning', code: 'ERR_PUBLISH_FAILED', message, remedy };
}
