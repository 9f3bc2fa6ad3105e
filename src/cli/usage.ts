import type { Command, Option } from './command.ts';

/** `usage: plumbline policy check FILE [--json]`. */
export function usageLine({ name, takes, options }: Command): string {
  const positionals = takes.map((word) => (word.endsWith('?') ? `[${word.slice(0, -1)}]` : word));
  return ['usage: plumbline', name, ...positionals, ...Object.entries(options).map(optionWord)].join(' ');
}

function optionWord([name, { value, required, repeated }]: [string, Option]): string {
  const word = value === undefined ? `--${name}` : `--${name} ${value}`;
  if (required) return word;
  return repeated ? `[${word}]…` : `[${word}]`;
}

/** The page of one command. */
export function commandHelp(command: Command): string {
  const rows = Object.entries(command.options).map(([name, { value, help }]) => [
    `--${[name, value].filter(Boolean).join(' ')}`,
    help,
  ]);
  const width = Math.max(...rows.map(([left = '']) => left.length));
  const options = rows.map(([left = '', right = '']) => `  ${left.padEnd(width)}  ${right}`);
  return [usageLine(command), '', command.summary, ...(options.length > 0 ? ['', ...options] : [])].join('\n');
}

/** The page of the program, or of those of its commands that begin with one word. */
export function programHelp(commands: readonly Command[], word?: string): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    ['usage: plumbline', word, 'COMMAND …'].filter(Boolean).join(' '),
    '',
    ...rows,
    '',
    '`plumbline COMMAND --help` tells what a command takes; `plumbline --version` which version this is.',
    'Exit status: 0 done, 1 failed, 2 the answer is no, 64 wrong arguments.',
  ].join('\n');
}
