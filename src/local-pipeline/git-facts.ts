import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { RepositoryFacts } from './pipeline-services.ts';

/** What the work tree that holds a pipeline file says about itself. Empty texts: not known. */
export interface SourceFacts {
  readonly root: string;
  readonly repository: RepositoryFacts;
  /** `refs/heads/…`, or `HEAD` when no branch is checked out. */
  readonly branch: string;
  readonly commit: string;
  readonly author: string;
  readonly message: string;
}

/** Reads the repository around a file; outside a repository the file's folder is the root and nothing else is known. */
export function readSourceFacts(file: string): SourceFacts {
  const folder = path.dirname(path.resolve(file));
  const root = git(folder, 'rev-parse', '--show-toplevel') || folder;
  return {
    root,
    repository: repositoryOf(git(folder, 'remote', 'get-url', 'origin'), root),
    branch: git(folder, 'symbolic-ref', '-q', 'HEAD') || 'HEAD',
    commit: git(folder, 'rev-parse', '--verify', '-q', 'HEAD'),
    author: git(folder, 'log', '-1', '--format=%an'),
    message: git(folder, 'log', '-1', '--format=%s'),
  };
}

function git(folder: string, ...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

function repositoryOf(remote: string, root: string): RepositoryFacts {
  const url = webAddress(remote);
  const name = url && new URL(url).pathname.replace(/^\//, '').replace(/\.git$/, '');
  if (url.startsWith('https://github.com/')) return { id: name, name, type: 'GitHub', url: url.replace(/\.git$/, '') };
  const type = /^https:\/\/(?:dev\.azure\.com|[^/]+\.visualstudio\.com)\//.test(url) ? 'TfsGit' : 'Git';
  const last = name.split('/').at(-1) || path.basename(root);
  return { id: last, name: last, type, url };
}

/** `git@host:path` and user info become a plain https address; a local path has none. */
function webAddress(remote: string): string {
  const scp = /^[\w.-]+@([\w.-]+):(.+)$/.exec(remote);
  const address = scp ? `https://${scp[1]}/${scp[2]}` : remote.replace(/^ssh:\/\//, 'https://');
  if (!/^https?:\/\//.test(address)) return '';
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
}
