import { type RunningLuigid, startLuigid as startLuigidOf } from '../../scripts/start-luigid.ts';
import { luigiPython } from './luigi-scenario.ts';

/** A real luigid on loopback, of the environment that `python` belongs to, its state in `folder`. Resolves when it answers. */
export function startLuigid(folder: string, python = luigiPython()): Promise<RunningLuigid> {
  return startLuigidOf(folder, python);
}
