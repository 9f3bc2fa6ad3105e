import { lstatSync, readFileSync } from 'node:fs';

/** What the step and the supervisor write themselves is far below it. */
const LONGEST = 1024 * 1024;

/**
 * The JSON object in a small file of the run's folder. `undefined` when there is none that can be read, whatever the reason is:
 * user code runs as the same user and may have made anything of it. What says nothing is evidence for nothing.
 */
export function readObject(path: string): Record<string, unknown> | undefined {
  try {
    const status = lstatSync(path);
    return status.isFile() && status.size <= LONGEST ? parseObject(readFileSync(path, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}

export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
