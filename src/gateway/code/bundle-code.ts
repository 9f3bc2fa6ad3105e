import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { PlumblineError } from '#core/errors.ts';
import { type Caller, factsOf } from '../auth/caller.ts';
import { claimMatches, compileCondition } from '../policy/condition.ts';
import type { CodeSource } from '../policy/role.ts';
import type { CodeFacts, RunSpecification } from '../runs/run-record.ts';
import type { ArchiveLimits } from './archive-member.ts';
import { refusedArchive } from './member-path.ts';
import { readTar } from './read-tar.ts';
import { unpack } from './unpack.ts';

type Bundle = Extract<CodeSource, { kind: 'bundle' }>;

/** Headers, long names and attributes of one member. */
const BESIDE_A_MEMBER = 4 * 1024;

/**
 * What a token signs about the code that its bearer uploaded: the repository, ref and commit that the pipeline runs for. That the
 * bytes are those of the commit, nobody signs.
 * @throws {PlumblineError} `ERR_CODE_REFUSED` when the role does not admit them, or the caller claims another commit
 */
export function bundleFacts(code: Bundle, specification: RunSpecification, caller: Caller): CodeFacts {
  const signed = factsOf(caller);
  for (const name of ['repository', 'ref'] as const) {
    // Whatever the condition is: what nobody signs admits no code.
    if (signed[name] === undefined) throw refused(`the caller's token signs no ${name}`);
    if (!claimMatches(compileCondition(code[name]), signed[name])) throw refused(`the role does not admit its ${name}`);
  }
  const claimed = specification.claimed['commit'];
  if (signed.commit !== undefined && claimed !== undefined && claimed !== signed.commit) {
    throw refused("the caller's token signs another commit than the caller claims");
  }
  const commit = signed.commit ?? claimed;
  const commitProof = commit === undefined ? undefined : signed.commit === undefined ? 'claimed' : 'signed';
  return { kind: 'bundle', digest: `sha256:${specification.bundle}`, commit, commitProof };
}

/** @throws {PlumblineError} `ERR_CODE_REFUSED` */
export async function unpackBundle(file: string, folder: string, limits: ArchiveLimits): Promise<void> {
  const gunzip = createGunzip();
  const most = limits.bytes + limits.members * BESIDE_A_MEMBER;
  // Its errors come out of the reading too.
  pipeline(createReadStream(file), gunzip, () => undefined);
  try {
    await unpack(readTar(atMost(gunzip, most)), folder, limits);
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw refusedArchive('it is no gzip, or it was damaged');
    }
    throw error;
  } finally {
    gunzip.destroy();
  }
}

/** A few bytes can be unpacked to any number. */
async function* atMost(chunks: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > most) throw refusedArchive('it unpacks to more bytes than are allowed');
    yield chunk;
  }
}

function refused(why: string): PlumblineError {
  return new PlumblineError('ERR_CODE_REFUSED', `The uploaded code is not run: ${why}`, {
    remedy: 'Run the pipeline of the repository and ref that code.repository and code.ref of the role name.',
  });
}
