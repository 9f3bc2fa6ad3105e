import { randomBytes } from 'node:crypto';
import { constants, promises } from 'node:fs';
import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';

const NAME = 'run-token.key';
const FORM = /^[\w-]{43}$/;

/**
 * The key of run tokens, from `keys/` of the state directory; made at the first start. Whoever has it can make a token for any
 * run, so a file that others may read is refused.
 *
 * @param directory made with 0700 when it is not there
 * @throws {PlumblineError} `ERR_FILE_UNREADABLE`
 */
export async function loadRunTokenKey(directory: string): Promise<Secret> {
  const file = join(directory, NAME);
  try {
    await promises.mkdir(directory, { recursive: true, mode: 0o700 });
    return (await read(file)) ?? (await make(file));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_FILE_UNREADABLE', `Cannot use the key of run tokens ${file}: ${why}`, {
      cause,
      remedy: 'Give it to the gateway alone (mode 0600), or delete it: run tokens that are in use end then.',
      details: { file },
    });
  }
}

async function read(path: string): Promise<Secret | undefined> {
  const file = await opened(path);
  if (file === undefined) return undefined;
  try {
    const { mode, uid } = await file.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new Error('it is no regular file');
    if ((mode & 0o077) !== 0) throw new Error('others may use it');
    if (uid !== process.geteuid?.()) throw new Error('it belongs to another user');
    const text = (await file.readFile('utf8')).trimEnd();
    if (!FORM.test(text)) throw new Error('it holds no key');
    return new Secret(text);
  } finally {
    await file.close();
  }
}

async function opened(path: string): Promise<promises.FileHandle | undefined> {
  try {
    return await promises.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole under its name or not there: a crash leaves no half key that would be refused at the next start. */
async function make(path: string): Promise<Secret> {
  const key = randomBytes(32).toString('base64url');
  const unfinished = `${path}.unfinished`;
  await promises.rm(unfinished, { force: true });
  const file = await promises.open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(`${key}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await promises.rename(unfinished, path);
  return new Secret(key);
}
