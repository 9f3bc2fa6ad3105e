import type { TaskDefinition } from './task-definition.ts';

/** The tasks that a pipeline may name. */
export class TaskCatalog {
  readonly #tasks: readonly TaskDefinition[];

  constructor(tasks: readonly TaskDefinition[]) {
    this.#tasks = tasks;
  }

  /** `Name@1`, `publisher.extension.contribution.Name@1` or `GUID@1`; `undefined` when there is none. */
  find(reference: string): TaskDefinition | undefined {
    const [, name = '', major = ''] = /^(.+)@(\d+)$/.exec(reference) ?? [];
    const wanted = name.toLowerCase();
    const last = wanted.split('.').at(-1);
    return this.#tasks.find(
      (task) =>
        task.major === Number(major) &&
        [wanted, last].some((known) => known === task.name.toLowerCase() || known === task.id),
    );
  }

  /** For messages: `RunLuigi@1, RunLuigi@2`. */
  names(): string {
    return this.#tasks
      .map(({ name, major }) => `${name}@${major}`)
      .sort()
      .join(', ');
  }
}
