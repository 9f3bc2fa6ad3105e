import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import type { Terminal } from './terminal.ts';

/** A file with one JSON object. @throws {PlumblineError} `ERR_FILE_UNREADABLE`, which never quotes the file. */
export function readJsonObject(file: string, terminal: Terminal): Readonly<Record<string, JsonValue>> {
  const value = parsed(file, terminal.read(file));
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, JsonValue>>;
  throw noObject(file);
}

function parsed(file: string, text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw noObject(file);
  }
}

function noObject(file: string): PlumblineError {
  return new PlumblineError('ERR_FILE_UNREADABLE', `Cannot use ${file}: it does not hold one JSON object`, {
    remedy: 'Write one object, for example {"sub": "…"}.',
  });
}
