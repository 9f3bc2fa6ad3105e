import type { RunName } from './facets.ts';

/** What called this pipeline run, as a gateway hands it over; everything in it is claimed, none of it proven. */
export interface CalledBy {
  /** By which the systems on either side name the whole story. */
  readonly sharedId: string;
  /** The run that asked for this one, and the outermost one of its story. */
  readonly parent: RunName | undefined;
  readonly root: RunName | undefined;
  /** Who asked, by name. */
  readonly caller: Readonly<Record<string, string>>;
}

/** Characters. A gateway writes at most 6 KiB. */
const LONGEST = 8_192;
const LONGEST_NAME = 500;
const MOST_FACTS = 32;
const FIELDS: ReadonlySet<string> = new Set(['v', 'sharedId', 'parent', 'root', 'caller']);
const RUN_FIELDS: ReadonlySet<string> = new Set(['runId', 'namespace', 'name']);
const SHARED_ID = /^[A-Za-z0-9][\w.-]{0,99}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const UNSEEN = /\p{C}/u;

class Unreadable extends Error {}

/**
 * Reads the context that a gateway put into a template parameter: one line of JSON, version 1. It came through the pipeline, where
 * whoever queues a run can write it, so nothing but its exact form is taken.
 * @returns what is wrong with it as the end of a sentence, never a value of it, when it is not of that form
 */
export function parseCalledBy(text: string): CalledBy | { readonly problem: string } {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof Unreadable) return { problem: error.message };
    throw error;
  }
}

function read(text: string): CalledBy {
  if (text.length > LONGEST) throw new Unreadable(`longer than ${LONGEST} characters`);
  const context = objectOf(parsed(text), 'it', FIELDS);
  if (context['v'] !== 1) throw new Unreadable("not of version 1 ('v')");
  const sharedId = context['sharedId'];
  if (typeof sharedId !== 'string' || !SHARED_ID.test(sharedId)) throw new Unreadable("without a usable 'sharedId'");
  const parent = runOf(context['parent'], 'parent');
  const root = runOf(context['root'], 'root');
  if (parent === undefined && root !== undefined) throw new Unreadable("with a 'root' and no 'parent'");
  return { sharedId, parent, root: root ?? parent, caller: callerOf(context['caller']) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreadable('no JSON');
  }
}

function objectOf(value: unknown, name: string, fields?: ReadonlySet<string>): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Unreadable(`'${name}' is no object`);
  if (fields && Object.keys(value).some((field) => !fields.has(field))) {
    throw new Unreadable(`'${name}' has a field that version 1 does not know`);
  }
  return value as Record<string, unknown>;
}

function runOf(value: unknown, name: string): RunName | undefined {
  if (value === undefined) return undefined;
  const run = objectOf(value, name, RUN_FIELDS);
  const runId = textOf(run['runId'], `${name}.runId`);
  if (!UUID.test(runId)) throw new Unreadable(`'${name}.runId' is no UUID`);
  const job = {
    namespace: textOf(run['namespace'], `${name}.namespace`),
    name: textOf(run['name'], `${name}.name`),
  };
  return { runId: runId.toLowerCase(), job };
}

function callerOf(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const facts = Object.entries(objectOf(value, 'caller'));
  if (facts.length > MOST_FACTS) throw new Unreadable(`'caller' has more than ${MOST_FACTS} facts`);
  return Object.fromEntries(
    facts.map(([name, fact]) => [textOf(name, 'a name in caller'), textOf(fact, 'a fact of caller')]),
  );
}

function textOf(value: unknown, name: string): string {
  const isText = typeof value === 'string' && value !== '' && value.length <= LONGEST_NAME && !UNSEEN.test(value);
  if (isText) return value;
  throw new Unreadable(`'${name}' is no text of 1 to ${LONGEST_NAME} characters that can be seen`);
}
