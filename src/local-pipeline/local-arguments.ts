import { parseArgs } from 'node:util';
import type { NodeMajor } from './node-handlers.ts';

export interface LocalArguments {
  readonly file: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
  /** Names of variables whose values are taken from the environment and kept secret. */
  readonly secrets: readonly string[];
  readonly azure: string | undefined;
  readonly json: string | undefined;
  readonly out: string | undefined;
  readonly node: NodeMajor | undefined;
}

export const USAGE = `usage: npm run -s local -- FILE [options]

Runs an azure-pipelines.yml on this machine with the contract of an Azure Pipelines agent.

  --var NAME=VALUE     a variable set when the run is queued; may be repeated
  --param NAME=VALUE   a template parameter (YAML for lists and maps); may be repeated
  --secret NAME        a secret variable, its value from the environment variable of that name; may be repeated
  --azure FILE         local Entra ID, Key Vault and Azure DevOps as FILE declares them
  --node 20|24         run tasks on this Node whatever handlers they have
  --json OUT           write the result to OUT
  --out DIR            keep log and attachments in DIR

Exit status: 0 succeeded, with or without issues; 1 failed; 2 cancelled; 64 nothing ran: wrong arguments or pipeline.`;

/** Wrong arguments; the message is for the person who typed them. */
export class UsageError extends Error {}

/** @throws UsageError */
export function parseLocalArguments(argv: readonly string[]): LocalArguments {
  const { values, positionals } = parse(argv);
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new UsageError('Expected one pipeline file.');
  if (values.node !== undefined && values.node !== '20' && values.node !== '24')
    throw new UsageError(`--node is 20 or 24, not '${values.node}'.`);
  return {
    file,
    variables: assignments('--var', values.var ?? []),
    parameters: assignments('--param', values.param ?? []),
    secrets: values.secret ?? [],
    azure: values.azure,
    json: values.json,
    out: values.out,
    node: values.node === undefined ? undefined : values.node === '20' ? 20 : 24,
  };
}

function parse(argv: readonly string[]) {
  const many = { type: 'string', multiple: true } as const;
  const one = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { var: many, param: many, secret: many, azure: one, json: one, out: one, node: one },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function assignments(option: string, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined) throw new UsageError(`${option} takes NAME=VALUE, not '${text}'.`);
      return [name, value];
    }),
  );
}
