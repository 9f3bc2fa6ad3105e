import { parseDuration } from '#core/duration.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';

/** What is wrong with one input. Never contains the value of an input that may hold a secret. */
export interface InputProblem {
  readonly input: string;
  /** What was given, cut to a readable length; left out when it is missing. */
  readonly given?: string | undefined;
  /** What is allowed, as the end of the sentence "allowed: …". */
  readonly allowed: string;
}

const MAX_SHOWN = 80;
const MAX_DURATION_MS = 30 * 86_400_000;

/**
 * Reads inputs and collects everything that is wrong with them, so that the author of the pipeline learns it at once.
 * A reader that found a problem returns the fallback, so that reading goes on; `finish` then throws.
 */
export class InputReader {
  readonly #host: Host;
  readonly #problems: InputProblem[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  /** The trimmed input, or `undefined`. */
  text(input: string): string | undefined {
    return this.#host.input(input);
  }

  required(input: string, allowed: string): string {
    const value = this.text(input);
    if (value === undefined) this.problem({ input, allowed });
    return value ?? '';
  }

  /** The input when `test` accepts it. */
  matching(input: string, value: string, test: RegExp, allowed: string): string {
    if (value !== '' && !test.test(value)) this.problem({ input, given: value, allowed });
    return value;
  }

  choice<const Choice extends string>(input: string, choices: readonly [Choice, ...Choice[]]): Choice {
    const value = this.text(input) ?? choices[0];
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.problem({ input, given: value, allowed: choices.join(', ') });
    return found ?? choices[0];
  }

  /** `True` and `False` are what expressions of a pipeline write. */
  flag(input: string, fallback: boolean): boolean {
    const given = this.text(input) ?? String(fallback);
    if (!/^(true|false)$/i.test(given)) this.problem({ input, given, allowed: 'true, false' });
    return given.toLowerCase() === 'true';
  }

  /** A duration in milliseconds, at most 30 days; `undefined` when it is not given. */
  duration(input: string): number | undefined {
    const given = this.text(input);
    if (given === undefined) return undefined;
    const ms = parseDuration(given);
    if (ms !== undefined && ms > 0 && ms <= MAX_DURATION_MS) return ms;
    this.problem({ input, given, allowed: 'a duration such as 90s, 30m, 2h or 1d, at most 30d' });
    return undefined;
  }

  problem(problem: InputProblem): void {
    this.#problems.push(problem);
  }

  /** @throws {PlumblineError} `ERR_INPUT_INVALID` naming every input that is wrong. */
  finish(): void {
    const problems = this.#problems;
    if (problems.length === 0) return;
    const lines = problems.map((problem) => `- ${describe(problem)}`).join('\n');
    const count = problems.length === 1 ? 'one input is' : `${problems.length} inputs are`;
    throw new PlumblineError('ERR_INPUT_INVALID', `The step did not start, ${count} not usable:\n${lines}`, {
      details: { inputs: problems.map(({ input }) => input) },
    });
  }
}

function describe({ input, given, allowed }: InputProblem): string {
  if (given === undefined) return `'${input}' is missing; allowed: ${allowed}.`;
  return `'${input}' is '${shorten(given)}'; allowed: ${allowed}.`;
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line;
}
