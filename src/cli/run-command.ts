import { asPlumblineError, type PlumblineError } from '#core/errors.ts';
import { PRODUCT_VERSION } from '#core/product-version.ts';
import { withRemedy } from '#core/with-remedy.ts';
import { Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';
import { commandHelp, programHelp, usageLine } from './usage.ts';
import { UsageError } from './usage-error.ts';

/** Runs the command that `argv` names. Whatever goes wrong is told and becomes an exit status; it never throws. */
export async function runCommand(
  commands: readonly Command[],
  argv: readonly string[],
  terminal: Terminal,
): Promise<ExitStatus> {
  const command = commands.find(({ name }) => name.split(' ').every((word, i) => argv[i] === word));
  if (command === undefined) return withoutCommand(commands, argv, terminal);
  const rest = argv.slice(command.name.split(' ').length);
  if (asksForHelp(rest)) {
    terminal.out(commandHelp(command));
    return EXIT.done;
  }
  try {
    return await command.run(new Arguments(command, rest), terminal);
  } catch (error) {
    if (error instanceof UsageError) return refuseUsage(error, usageLine(command), terminal);
    return tell(asPlumblineError(error), rest.includes('--json'), terminal);
  }
}

function withoutCommand(commands: readonly Command[], argv: readonly string[], terminal: Terminal): ExitStatus {
  const near = commands.filter(({ name }) => name.split(' ')[0] === argv[0]);
  if (argv[0] === '--version') terminal.out(PRODUCT_VERSION);
  else if (argv[0] === '--help') terminal.out(programHelp(commands));
  else if (near.length > 0 && argv[1] === '--help') terminal.out(programHelp(near, argv[0]));
  else {
    terminal.error(argv.length === 0 ? 'Which command?' : 'There is no such command.');
    terminal.error('');
    terminal.error(near.length > 0 ? near.map(usageLine).join('\n') : programHelp(commands));
    return EXIT.usage;
  }
  return EXIT.done;
}

/** Behind `--` everything is an argument. */
function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--help');
}

function refuseUsage({ message }: UsageError, usage: string, terminal: Terminal): ExitStatus {
  terminal.error(printable(message));
  terminal.error(usage);
  return EXIT.usage;
}

function tell(error: PlumblineError, asJson: boolean, terminal: Terminal): ExitStatus {
  const { code, message, remedy } = error;
  if (asJson) terminal.out(JSON.stringify({ ok: false, error: { code, message, remedy } }));
  terminal.error(`${code}: ${printable(withRemedy(message, remedy), { lines: true })}`);
  return EXIT.failed;
}
