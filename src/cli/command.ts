import type { Arguments } from './arguments.ts';
import type { ExitStatus } from './exit-status.ts';
import type { Terminal } from './terminal.ts';

/** One option of a command; `value` is the word for it in the usage, absent: it is a switch. */
export interface Option {
  readonly value?: string;
  readonly help: string;
  readonly required?: boolean;
  readonly repeated?: boolean;
  readonly oneOf?: readonly string[];
}

/** One command of `plumbline`: what it takes and what it does. */
export interface Command {
  /** e.g. `policy check`. */
  readonly name: string;
  readonly summary: string;
  /** Words of its positional arguments; one that ends with `?` may be left out, and it is the last. */
  readonly takes: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  run(given: Arguments, terminal: Terminal): Promise<ExitStatus>;
}

/** Of every command that judges. */
export const JSON_OPTION: Option = { help: 'the verdict as one JSON object' };
