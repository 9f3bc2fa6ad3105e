import type { KeyFolder } from '#gateway/issuer/key-folder.ts';

/** Of a process that is killed before its `n`th touch of the disk, and touches nothing from then on. */
export function killedBefore(n: number, folder: KeyFolder): KeyFolder & { readonly wasKilled: boolean } {
  let touched = 0;
  const alive = <A extends unknown[], T>(act: (...args: A) => Promise<T>) => {
    return async (...args: A): Promise<T> => {
      if (touched < n) touched += 1;
      if (touched >= n) throw new Error('killed');
      return act(...args);
    };
  };
  return {
    directory: folder.directory,
    holder: folder.holder,
    locked: (act) => folder.locked(act),
    version: alive(folder.version),
    read: alive(folder.read),
    write: alive(folder.write),
    readPrivate: alive(folder.readPrivate),
    writePrivate: alive(folder.writePrivate),
    keepPrivate: alive(folder.keepPrivate),
    get wasKilled() {
      return touched >= n;
    },
  };
}
