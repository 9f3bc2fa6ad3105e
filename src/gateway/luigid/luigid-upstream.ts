import { type Dispatcher, Pool } from 'undici';
import type { JsonValue } from '#core/json.ts';
import { Problem } from '../app/problem.ts';
import type { LuigidSettings } from '../config/gateway-config.ts';
import { encodeCall, type LuigidCall } from './luigid-call.ts';

/** A file of luigid's own pages, as bytes; nothing else of the answer is used. */
export interface LuigidFile {
  readonly found: boolean;
  readonly bytes: Buffer;
}

export interface SizedAnswer {
  readonly answer: JsonValue;
  readonly bytes: number;
}

/** luigid itself. Nobody else speaks to it, and nothing that somebody sent reaches it but what was read and written anew. */
export interface LuigidUpstream {
  /** What the method returned. @throws {Problem} `luigid-unavailable` */
  call(call: LuigidCall): Promise<JsonValue>;
  /** The same, with the size of what came. */
  read(call: LuigidCall): Promise<SizedAnswer>;
  /** @param path below `/static/`, checked. @throws {Problem} `luigid-unavailable` */
  file(path: string): Promise<LuigidFile>;
  close(): Promise<void>;
}

/** luigid is one thread: more connections would only wait in it. */
const CONNECTIONS = 64;
const CONNECT_MS = 5_000;
/** A call of a worker waits behind others; Luigi's workers give up after ten seconds unless they are told otherwise. */
const ANSWER_MS = 60_000;
const MAX_HEAD_BYTES = 16_384;
const MAX_ANSWER_BYTES = 64 * 1_048_576;
const MAX_FILE_BYTES = 4 * 1_048_576;
const NULL_ANSWER = '{"response": null}';

const HEADERS = {
  host: 'luigid',
  'content-type': 'application/x-www-form-urlencoded',
  accept: 'application/json',
} as const;

export function luigidUpstream(upstream: LuigidSettings['upstream'], answerMs = ANSWER_MS): LuigidUpstream {
  const { origin, pathname } = new URL(upstream.kind === 'url' ? upstream.url : 'http://luigid');
  const base = pathname.replace(/\/+$/, '');
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    pipelining: 1,
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
    maxHeaderSize: MAX_HEAD_BYTES,
    maxResponseSize: MAX_ANSWER_BYTES,
    connect: { timeout: CONNECT_MS, ...(upstream.kind === 'socket' && { socketPath: upstream.path }) },
  });
  const asked = (call: LuigidCall) => {
    const path = `${base}/api/${call.method.name}`;
    return sent(pool, { path, method: 'POST', headers: HEADERS, body: encodeCall(call) }, MAX_ANSWER_BYTES);
  };
  return {
    call: async (call) => returned(await asked(call)),
    read: async (call) => {
      const answer = await asked(call);
      return { answer: returned(answer), bytes: answer.bytes.length };
    },
    async file(path) {
      const wanted = { path: `${base}/static/${path}`, method: 'GET', headers: { host: 'luigid' } } as const;
      const { status, bytes } = await sent(pool, wanted, MAX_FILE_BYTES);
      if (status !== 200 && status !== 404) throw unavailable('status', `it answered ${status} for one of its files`);
      return { found: status === 200, bytes };
    },
    close: () => pool.destroy(),
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer;
}

function sent(pool: Pool, wanted: Dispatcher.DispatchOptions, limit: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    let status = 0;
    let type = '';
    pool.dispatch(wanted, {
      onRequestStart() {},
      onResponseStart(controller, code, headers) {
        if (Number(headers['content-length'] ?? 0) > limit) controller.abort(new RangeError('too large'));
        status = code;
        type = String(headers['content-type'] ?? '');
      },
      onResponseData(controller, part) {
        size += part.length;
        if (size > limit) controller.abort(new RangeError('too large'));
        else parts.push(part);
      },
      onResponseEnd: () =>
        resolve({ status, type, bytes: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts) }),
      onResponseError: (_, error) => reject(broken(error)),
    });
  });
}

function broken(error: Error & { readonly code?: string }): Problem {
  if (error instanceof RangeError || error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
    return unavailable('too-large', 'its answer is larger than this gateway takes', error);
  const isLate = /TIMEOUT/.test(error.code ?? '');
  return isLate
    ? unavailable('timeout', 'it does not answer in time', error)
    : unavailable('connection', 'it cannot be reached, or ended the connection', error);
}

function returned({ status, type, bytes }: Answer): JsonValue {
  if (status !== 200) throw unavailable('status', `it answered ${status}`);
  if (!type.startsWith('application/json')) throw unavailable('answer', 'its answer is no JSON');
  if (bytes.length === NULL_ANSWER.length && bytes.toString('latin1') === NULL_ANSWER) return null;
  const value = parsed(bytes);
  const isAnswer = typeof value === 'object' && value !== null && Object.hasOwn(value, 'response');
  if (!isAnswer || Object.keys(value).length !== 1) throw unavailable('answer', 'its answer is none of luigid');
  return (value as { readonly response: JsonValue }).response;
}

function parsed(bytes: Buffer): JsonValue {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw unavailable('answer', 'its answer is no JSON', cause);
  }
}

export function unavailable(reason: string, why: string, cause?: unknown): Problem {
  return new Problem('luigid-unavailable', `luigid gave no answer that can be used: ${why}`, { reason, cause });
}
