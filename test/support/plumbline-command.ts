import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';

export interface CommandEnd {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** The program as a process of its own, from source. */
export function plumbline(...words: readonly string[]): Promise<CommandEnd> {
  const flags = ['--disable-warning=ExperimentalWarning', resolve(ROOT, 'src/cli/main.ts')];
  return new Promise((done) => {
    execFile(process.execPath, [...flags, ...words], (error, out, said) => {
      const status = error === null ? 0 : Number(error.code ?? 1);
      done({ status, out, error: said });
    });
  });
}
