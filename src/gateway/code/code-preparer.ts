import { PlumblineError } from '#core/errors.ts';
import type { UnixUser } from '../launch/unix-user.ts';
import { workerUser } from '../launch/worker-user.ts';
import type { Role } from '../policy/role.ts';
import type { CodePreparer, PreparedCode } from '../runs/run-collaborators.ts';
import type { ArchiveLimits } from './archive-member.ts';
import { bundleFacts, unpackBundle } from './bundle-code.ts';
import type { BundleStore } from './bundle-store.ts';
import type { CodeFolders } from './code-folders.ts';
import { installedFacts } from './installed-code.ts';
import { RoleInterpreters } from './role-interpreters.ts';
import { unpackWheel, wheelVersion } from './wheel-code.ts';

export interface CodePreparerOptions {
  readonly folders: CodeFolders;
  readonly bundles: BundleStore;
  /** As the launcher's. */
  readonly isolation: 'user' | 'none';
  /** What an archive may unpack to; default 1 GiB and 100,000 members. */
  readonly limits?: ArchiveLimits | undefined;
}

const DEFAULT_LIMITS: ArchiveLimits = { bytes: 1024 * 1024 * 1024, members: 100_000 };

type Run = Parameters<CodePreparer['prepare']>[1];
type Place = Pick<PreparedCode, 'workingDirectory' | 'modulePath' | 'facts'>;

/**
 * Puts the code of a role in its place: an environment that is installed, a wheel that is pinned, a bundle that the caller
 * uploaded. Workers can read it and not change it, unless whoever installed an environment lets them.
 */
export function codePreparer(options: CodePreparerOptions): CodePreparer {
  const interpreters = new RoleInterpreters();
  return {
    prepare: async (role, run, signal) => {
      const user = await workerUser(role.unixUser, options.isolation);
      const place = await placeOf(role, run, user, options);
      const python = await interpreters.find(role.code.python, place.workingDirectory, user, signal);
      return { ...place, python };
    },
  };
}

async function placeOf(
  { code, name }: Role,
  { specification, caller }: Run,
  user: UnixUser | undefined,
  { folders, bundles, limits = DEFAULT_LIMITS }: CodePreparerOptions,
): Promise<Place> {
  if (code.kind !== 'bundle' && specification.bundle !== undefined) throw noBundle(name);
  switch (code.kind) {
    case 'installed':
      return { workingDirectory: code.path, modulePath: [], facts: installedFacts(code, user) };
    case 'wheel': {
      const root = await folders.folder(code.sha256, user, (folder) => unpackWheel(code, folder, limits));
      const facts = { kind: 'wheel', digest: `sha256:${code.sha256}`, version: wheelVersion(code) } as const;
      return { workingDirectory: root, modulePath: [root], facts };
    }
    case 'bundle': {
      const facts = bundleFacts(code, specification, caller);
      const sha256 = specification.bundle;
      const file = sha256 === undefined ? undefined : await bundles.find({ scope: caller.scope, sha256 });
      if (sha256 === undefined || file === undefined) throw bundleMissing(sha256);
      const root = await folders.folder(sha256, user, (folder) => unpackBundle(file, folder, limits));
      return { workingDirectory: root, modulePath: [root], facts };
    }
  }
}

function noBundle(role: string): PlumblineError {
  return new PlumblineError('ERR_CODE_REFUSED', `The uploaded code is not run: the role ${role} takes none`, {
    remedy: 'Leave the bundle out.',
  });
}

function bundleMissing(sha256: string | undefined): PlumblineError {
  const what = sha256 === undefined ? 'the run names none' : `the caller uploaded none with the SHA-256 ${sha256}`;
  return new PlumblineError('ERR_CODE_NOT_FOUND', `The role runs uploaded code: ${what}`, {
    remedy: 'Upload it with PUT /v1/bundles/{sha256} first, and name that digest as bundle of the run.',
  });
}
