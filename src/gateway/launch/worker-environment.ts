import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { RUN_MARKER } from '#engines/luigi/stray-processes.ts';
import { revealed } from '#engines/luigi/worker-request.ts';
import type { AttemptFolder } from './attempt-folder.ts';
import type { Launch } from './launcher.ts';
import type { UnixUser } from './unix-user.ts';

const PATH = '/usr/local/bin:/usr/bin:/bin';

/**
 * All that the worker finds in its environment: nothing of the gateway's. What the role names wins over our defaults, but not
 * over the mark by which the run's processes are found.
 * @param files name of a variable → path of a secret file
 */
export function workerEnvironment(
  launch: Launch,
  folder: AttemptFolder,
  { name, user, files }: { name: string; user: UnixUser | undefined; files: Readonly<Record<string, string>> },
): Record<string, string> {
  const own = user ?? { name: userInfo().username, home: userInfo().homedir };
  const home = own.home !== undefined && existsSync(own.home) ? own.home : folder.path;
  const modulePath = [...launch.modulePath, launch.variables['PYTHONPATH']].filter(Boolean).join(':');
  return {
    PATH,
    LANG: 'C.UTF-8',
    HOME: home,
    USER: own.name,
    LOGNAME: own.name,
    TMPDIR: folder.temporary,
    ...launch.variables,
    ...(modulePath && { PYTHONPATH: modulePath }),
    ...revealed(launch.secretVariables),
    ...files,
    [RUN_MARKER]: name,
  };
}
