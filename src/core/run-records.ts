/**
 * What a step can leave on its pipeline run. Each method replaces what the same step left under the same name before, so
 * that trying again does no harm; each rejects with a `PlumblineError`.
 */
export interface RunRecords {
  /**
   * A file on this step's record. `type` and `name` have none of the characters that a file name of Windows refuses.
   */
  attach(type: string, name: string, bytes: Uint8Array): Promise<void>;
  /** A Markdown page under this title in the Extensions tab. */
  summary(title: string, bytes: Uint8Array): Promise<void>;
  /** Tags of the build; others stay. */
  tag(tags: readonly string[]): Promise<void>;
  /** Properties of the build, by name; others stay. */
  properties(values: Readonly<Record<string, string>>): Promise<void>;
}
