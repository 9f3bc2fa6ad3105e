import { chmod, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveLimits, ArchiveMember } from './archive-member.ts';
import { refusedArchive } from './member-path.ts';

/**
 * Writes the members of an archive to a folder that is there, empty, and that nobody else can write to. Every name comes at most
 * once, and a file is never written through anything that another member made.
 * @throws {PlumblineError} `ERR_CODE_REFUSED`; what was written until then stays
 */
export async function unpack(
  members: AsyncIterable<ArchiveMember>,
  folder: string,
  limits: ArchiveLimits,
): Promise<void> {
  const folders = new Set<string>(['']);
  const files = new Set<string>();
  let room = limits.bytes;
  let count = 0;
  for await (const member of members) {
    count += 1;
    if (count > limits.members) throw refusedArchive(`it has more than ${limits.members} members`);
    const name = member.path.join('/');
    const isFolder = member.kind === 'folder';
    await makeFolders(folder, isFolder ? member.path : member.path.slice(0, -1), folders, files);
    if (isFolder) continue;
    if (name === '' || files.has(name) || folders.has(name))
      throw refusedArchive(`${JSON.stringify(name)} comes twice`);
    files.add(name);
    room -= await writeFile(join(folder, ...member.path), member, room);
  }
}

async function makeFolders(
  root: string,
  path: readonly string[],
  folders: Set<string>,
  files: ReadonlySet<string>,
): Promise<void> {
  for (let depth = 1; depth <= path.length; depth += 1) {
    const name = path.slice(0, depth).join('/');
    if (files.has(name)) throw refusedArchive(`${JSON.stringify(name)} is a file and a folder`);
    if (folders.has(name)) continue;
    const folder = join(root, ...path.slice(0, depth));
    await mkdir(folder);
    // Whatever the umask took away.
    await chmod(folder, 0o755);
    folders.add(name);
  }
}

/** How many bytes it has. */
async function writeFile(path: string, { bytes, executable }: ArchiveMember, room: number): Promise<number> {
  const file = await open(path, 'wx', executable ? 0o755 : 0o644);
  let size = 0;
  try {
    for await (const part of bytes) {
      size += part.length;
      if (size > room) throw refusedArchive('it unpacks to more bytes than are allowed');
      await file.writeFile(part);
    }
    await file.chmod(executable ? 0o755 : 0o644);
  } finally {
    await file.close();
  }
  return size;
}
