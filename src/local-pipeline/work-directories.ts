import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The folders of an agent below its work folder. */
export interface WorkDirectories {
  readonly root: string;
  readonly temp: string;
  readonly tools: string;
  readonly tasks: string;
  readonly workspace: string;
  /** Where sources would be when a job checks nothing out. */
  readonly sources: string;
  readonly staging: string;
  readonly binaries: string;
  readonly testResults: string;
}

/** Makes them below `parent`, or below a new temporary folder. */
export function makeWorkDirectories(parent?: string): WorkDirectories {
  const root = realpathSync(parent ?? mkdtempSync(path.join(tmpdir(), 'plumbline-agent-')));
  const workspace = path.join(root, '1');
  const directories: WorkDirectories = {
    root,
    temp: path.join(root, '_temp'),
    tools: path.join(root, '_tool'),
    tasks: path.join(root, '_tasks'),
    workspace,
    sources: path.join(workspace, 's'),
    staging: path.join(workspace, 'a'),
    binaries: path.join(workspace, 'b'),
    testResults: path.join(workspace, 'TestResults'),
  };
  for (const directory of Object.values(directories)) mkdirSync(directory, { recursive: true });
  return directories;
}

/** The agent empties its temporary folder before and after every job. */
export function emptyTemp({ temp }: WorkDirectories): void {
  rmSync(temp, { recursive: true, force: true });
  mkdirSync(temp, { recursive: true });
}
