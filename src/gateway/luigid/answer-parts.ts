import type { JsonValue } from '#core/json.ts';
import { isInNamespaces, type Namespaces } from '../policy/luigid-access.ts';
import type { AnswerView } from './answer-view.ts';
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

type TaskView = Pick<AnswerView, 'namespaces' | 'forPages'>;

/** Tasks by their ids, without those of other namespaces; links that are none are gone. */
export function tasksOf(value: JsonValue | undefined, view: TaskView): Fields {
  const own = Object.entries(objectOf(value)).filter(([id]) => isInNamespaces(id, view.namespaces));
  return Object.fromEntries(own.map(([id, task]) => [id, taskOf(objectOf(task), view)]));
}

export function taskOf(task: Fields, { namespaces, forPages }: TaskView): Fields {
  const { tracking_url: url, deps } = task;
  const isSafe = url === undefined || url === null || (typeof url === 'string' && isWebUrl(url));
  const keepsDeps = namespaces === 'all' || deps === undefined;
  const shown = forPages ? pageTask(task) : task;
  if (isSafe && keepsDeps) return shown;
  return {
    ...shown,
    ...(!isSafe && { tracking_url: null }),
    ...(!keepsDeps && { deps: idsOf(deps, namespaces) }),
  };
}

/** luigid's pages put its name and its resources into the document as HTML, and stop at a parameter that is no text. */
function pageTask(task: Fields): Fields {
  const { name, resources, resources_running: running, params } = task;
  const isPlain = !isHtml(name) && ![resources, running].some(hasHtmlNames) && !hasOthers(params);
  if (isPlain) return task;
  return {
    ...task,
    ...(typeof name === 'string' && { name: escapedHtml(name) }),
    ...(isObject(resources) && { resources: withPlainNames(resources) }),
    ...(isObject(running) && { resources_running: withPlainNames(running) }),
    ...(isObject(params) && { params: asTexts(params) }),
  };
}

function isHtml(value: JsonValue | undefined): boolean {
  return typeof value === 'string' && /[&<>"']/.test(value);
}

function hasHtmlNames(amounts: JsonValue | undefined): boolean {
  return isObject(amounts) && Object.keys(amounts).some(isHtml);
}

function withPlainNames(amounts: Fields): Fields {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [String(escapedHtml(name)), amount]));
}

function hasOthers(params: JsonValue | undefined): boolean {
  return isObject(params) && Object.values(params).some((value) => typeof value !== 'string');
}

function asTexts(params: Fields): Fields {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, asText(value)]));
}

function asText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
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

/** What is no text would be put in too: the pages take lists apart. */
export function escapedHtml(value: JsonValue): JsonValue {
  return value === null ? null : asText(value).replace(/[&<>"']/g, (sign) => HTML[sign] ?? '');
}
