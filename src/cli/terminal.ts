import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { PlumblineError } from '#core/errors.ts';

export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'dim';

/** Where a command reads and writes. Text that goes out has been made printable before. */
export interface Terminal {
  out(line: string): void;
  error(line: string): void;
  /** The text in this colour, or as it is when nobody would see the colour. */
  paint(colour: Colour, text: string): string;
  /**
   * A text file, at most `maxBytes` long.
   *
   * @throws {PlumblineError} `ERR_FILE_UNREADABLE`
   */
  read(path: string, maxBytes?: number): string;
  /** Standard input to its end, at most `maxBytes` long. */
  readInput(maxBytes: number): Promise<string>;
}

const MAX_FILE_BYTES = 16_777_216;

/** The process's own streams. Colours only to a terminal that wants them (`NO_COLOR`, `FORCE_COLOR`). */
export function processTerminal(): Terminal {
  quietWhenNobodyReads();
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    error: (line) => void process.stderr.write(`${line}\n`),
    paint: (colour, text) => styleText(colour, text, { stream: process.stdout }),
    read: readTextFile,
    readInput,
  };
}

/** `plumbline … | head` ends like every other program: a reader that has gone is no failure of the command. */
function quietWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit();
    });
  }
}

function readTextFile(path: string, maxBytes = MAX_FILE_BYTES): string {
  const bytes = attempt(path, () => readFileSync(path));
  if (bytes.length > maxBytes) throw unreadable(path, `it is larger than ${maxBytes} bytes`);
  return bytes.toString('utf8');
}

async function readInput(maxBytes: number): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Reading standard input; Ctrl-D ends it.\n');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw unreadable('standard input', `it is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function attempt<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw unreadable(path, code === 'ENOENT' ? 'there is no such file' : (code ?? 'it cannot be opened'), cause);
  }
}

function unreadable(path: string, why: string, cause?: unknown): PlumblineError {
  return new PlumblineError('ERR_FILE_UNREADABLE', `Cannot read ${path}: ${why}`, {
    cause,
    remedy: 'Give the path of a file that this user may read.',
  });
}
