import type { JsonValue } from '#core/json.ts';
import { isInNamespaces, type Namespaces } from '../policy/luigid-access.ts';
import { isWebUrl } from './luigid-call.ts';
import { unavailable } from './luigid-upstream.ts';

export type Fields = Readonly<Record<string, JsonValue>>;

export function isObject(value: JsonValue | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws {Problem} `luigid-unavailable`: it is not what luigid answers */
export function objectOf(value: JsonValue | undefined): Fields {
  if (isObject(value)) return value;
  throw unavailable('answer', 'its answer is none of this method');
}

/** @throws {Problem} `luigid-unavailable` */
export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (Array.isArray(value)) return value;
  throw unavailable('answer', 'its answer is none of this method');
}

/** Tasks by their ids, without those of other namespaces; links that are none are gone. */
export function tasksOf(value: JsonValue | undefined, namespaces: Namespaces): Fields {
  const own = Object.entries(objectOf(value)).filter(([id]) => isInNamespaces(id, namespaces));
  return Object.fromEntries(own.map(([id, task]) => [id, taskOf(objectOf(task), namespaces)]));
}

export function taskOf(task: Fields, namespaces: Namespaces): Fields {
  const { tracking_url: url, deps } = task;
  const isSafe = url === undefined || url === null || (typeof url === 'string' && isWebUrl(url));
  const keepsDeps = namespaces === 'all' || deps === undefined;
  if (isSafe && keepsDeps) return task;
  return {
    ...task,
    ...(!isSafe && { tracking_url: null }),
    ...(!keepsDeps && { deps: idsOf(deps, namespaces) }),
  };
}

export function idsOf(value: JsonValue | undefined, namespaces: Namespaces): readonly string[] {
  return listOf(value).filter((id): id is string => typeof id === 'string' && isInNamespaces(id, namespaces));
}

/** Only these fields, where they are there. */
export function only(fields: Fields, names: readonly string[]): Record<string, JsonValue> {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(fields, name)).map((name) => [name, fields[name] ?? null]),
  );
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escapedHtml(value: JsonValue): JsonValue {
  return typeof value === 'string' ? value.replace(/[&<>"']/g, (sign) => HTML[sign] ?? '') : value;
}
