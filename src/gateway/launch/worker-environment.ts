import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { PlumblineError } from '#core/errors.ts';
import { RUN_MARKER } from '#engines/luigi/stray-processes.ts';
import { revealed } from '#engines/luigi/worker-request.ts';
import type { AttemptFolder } from './attempt-folder.ts';
import { gatewayVariables } from './gateway-access.ts';
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
  const environment = {
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
    ...gatewayVariables(launch.gateway),
    [RUN_MARKER]: name,
  };
  refuseUnusable(environment);
  return environment;
}

/** Whoever starts the process would refuse them too, and show the value. */
function refuseUnusable(environment: Readonly<Record<string, string>>): void {
  const unusable = Object.entries(environment).find(([name, value]) => /[=\0]/.test(name) || value.includes('\0'));
  if (!unusable) return;
  const name = JSON.stringify(unusable[0]);
  throw new PlumblineError(
    'ERR_SECRET_UNUSABLE',
    `The variable ${name} cannot be given to a worker: it has a null byte`,
    {
      remedy: 'Give a secret that is no text to the run as a file.',
    },
  );
}
