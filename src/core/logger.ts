import type { Writable } from 'node:stream';

/** Where a component says what it does. Only `host/` writes to a stream. */
export interface Logger {
  /** Shown only when the pipeline runs with `system.debug`. */
  debug(message: string): void;
  info(message: string): void;
  /** A collapsible headline in the log; it stays open until the next one. */
  section(title: string): void;
  /** Where the output of programs goes that the step starts. Bytes go through as they are: neutralise them first. */
  readonly output: { readonly stdout: Writable; readonly stderr: Writable };
}
