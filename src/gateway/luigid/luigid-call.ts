import type { JsonValue } from '#core/json.ts';
import { Problem } from '../app/problem.ts';
import { ARGUMENT_CHECKS } from './argument-checks.ts';
import { hideCredentials } from './hide-credentials.ts';
import type { LuigidMethod } from './luigid-methods.ts';
import { makeMailable } from './mailable-failure.ts';
import { type Arguments, strictArguments } from './strict-arguments.ts';

/** A call that was read: a method that exists, with arguments that it takes, each of its type. */
export interface LuigidCall {
  readonly method: LuigidMethod;
  readonly arguments: Arguments;
}

/** What `application/x-www-form-urlencoded` has of clients that write it: Python's, jQuery's. Neither `&`, `=` nor `;` is among them. */
const NOT_OF_A_VALUE = /[^A-Za-z0-9*\-._~!'()+%]/;
/** Luigi's own default of the size of a batch, in JSON of Python that is none. */
const UNBOUNDED = /("max_batch_size": ?)Infinity(?=[,}])/;

/**
 * The call that a form or a query says, if it has exactly one `data` and nothing else.
 *
 * @param form as it came, percent-encoded
 * @throws {Problem} `luigid-call-invalid` with a reason; it never quotes the call
 */
export function readCall(method: LuigidMethod, form: string): LuigidCall {
  return { method, arguments: checked(method, argumentsOf(method, decoded(form))) };
}

function decoded(form: string): string {
  if (!form.startsWith('data=')) throw invalid('form', 'There is not exactly one field data');
  const value = form.slice(5);
  if (NOT_OF_A_VALUE.test(value)) throw invalid('form', 'There is not exactly one field data, percent-encoded');
  try {
    // Refuses broken escapes, and bytes that are no UTF-8.
    return decodeURIComponent(value.includes('+') ? value.replaceAll('+', ' ') : value);
  } catch {
    throw invalid('encoding', 'The field data is no percent-encoded UTF-8');
  }
}

function argumentsOf({ name, arguments: { size } }: LuigidMethod, text: string): Arguments {
  // The visualiser sends nothing where there is nothing to send.
  if (text === '' && size === 0) return {};
  const read = strictArguments(name === 'add_task_batcher' ? text.replace(UNBOUNDED, '$1null') : text);
  if (typeof read !== 'string') return read;
  throw invalid(read, 'The field data is no JSON object that can be read in one way only');
}

/** In the order of the table, so that equal calls are equal texts. */
function checked(method: LuigidMethod, given: Arguments): Arguments {
  if (method.free) return amounts(given);
  const names = Object.keys(given);
  const ordered: Record<string, JsonValue> = {};
  let known = 0;
  for (const [name, { kind, nullable }] of method.arguments) {
    if (!Object.hasOwn(given, name)) continue;
    const value = given[name] as JsonValue;
    known += 1;
    const isGood = value === null ? nullable : ARGUMENT_CHECKS[kind](value);
    if (!isGood) throw invalid('argument', `The argument ${name} of ${method.name} is not what it has to be`);
    ordered[name] = value;
  }
  if (known !== names.length) throw invalid('argument', `${method.name} has an argument that it does not take`);
  for (const name of method.required)
    if (!Object.hasOwn(ordered, name)) throw invalid('argument', `${method.name} needs the argument ${name}`);
  return cleaned(ordered);
}

/** What would be run in a reader's browser is left out; what means the same as nothing too. No credential goes on. */
function cleaned(ordered: Record<string, JsonValue>): Arguments {
  hideCredentials(ordered);
  makeMailable(ordered);
  const url = ordered['tracking_url'];
  if (typeof url === 'string' && !isWebUrl(url)) delete ordered['tracking_url'];
  if (ordered['max_batch_size'] === null) delete ordered['max_batch_size'];
  return ordered;
}

function amounts(given: Arguments): Arguments {
  if (!Object.values(given).every(ARGUMENT_CHECKS.count))
    throw invalid('argument', 'A resource has an amount that is no count');
  return given;
}

/** Whether a link to it opens a page and nothing else. */
export function isWebUrl(url: string): boolean {
  const { protocol } = URL.parse(url) ?? {};
  return (protocol === 'http:' || protocol === 'https:') && !/[\p{C}\s]/u.test(url);
}

function invalid(reason: string, detail: string): Problem {
  return new Problem('luigid-call-invalid', detail, { reason });
}

/** The body of the request to luigid, made anew from what was read. */
export function encodeCall({ arguments: given }: LuigidCall): string {
  return `data=${encodeURIComponent(JSON.stringify(given))}`;
}
