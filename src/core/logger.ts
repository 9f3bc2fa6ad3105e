/** Where a component says what it does. Only `host/` writes to a stream. */
export interface Logger {
  /** Shown only when the pipeline runs with `system.debug`. */
  debug(message: string): void;
  info(message: string): void;
  /** A collapsible headline in the log; it stays open until the next one. */
  section(title: string): void;
}
