import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The id of its only DAG. */
export const VERSIONED_DAG = 'flow_versioned';

/** A git repository on this machine with one DAG, whose task returns what a commit gave it. */
export class DagRepository {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static create(folder: string): DagRepository {
    mkdirSync(folder, { recursive: true });
    const repository = new DagRepository(folder);
    repository.#git('init', '--quiet', '--initial-branch', 'main');
    repository.commit('first');
    return repository;
  }

  /** @returns the id of the commit */
  commit(answer: string): string {
    writeFileSync(join(this.folder, 'versioned.py'), dagReturning(answer));
    this.#git('add', '.');
    this.#git('commit', '--quiet', '--message', answer);
    return this.#git('rev-parse', 'HEAD').trim();
  }

  #git(...args: string[]): string {
    const author = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    return execFileSync('git', [...author, ...args], { cwd: this.folder, encoding: 'utf8' });
  }
}

function dagReturning(answer: string): string {
  return `from airflow.sdk import DAG, task

with DAG("${VERSIONED_DAG}", schedule=None):

    @task
    def tell():
        return ${JSON.stringify(answer)}

    tell()
`;
}
