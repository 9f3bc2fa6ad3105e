import type * as http from 'node:http';
import { bodyError, type RequestName } from './http-error.ts';

const EXPAND = { gzip: 'gunzipSync', deflate: 'inflateSync', br: 'brotliDecompressSync' } as const;

/** The whole body, expanded. @throws {PlumblineError} `ERR_HTTP_BODY` when it is larger than `cap` bytes or unreadable. */
export async function readBody(message: http.IncomingMessage, cap: number, name: RequestName): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message) {
    size += chunk.length;
    if (size > cap) throw bodyError(name, `the body is larger than ${cap} bytes`);
    chunks.push(chunk);
  }
  return expanded(Buffer.concat(chunks), message.headers['content-encoding'], cap, name);
}

/** Compression is declined in the request; some servers compress all the same. */
async function expanded(body: Buffer, encoding: string | undefined, cap: number, name: RequestName): Promise<Buffer> {
  if (body.length === 0 || encoding === undefined || encoding === 'identity') return body;
  const expand = EXPAND[encoding as keyof typeof EXPAND];
  if (expand === undefined) throw bodyError(name, `the body has an unknown encoding '${encoding.slice(0, 40)}'`);
  const zlib = await import('node:zlib');
  try {
    return zlib[expand](body, { maxOutputLength: cap });
  } catch (cause) {
    throw bodyError(name, `the ${encoding} body cannot be expanded within ${cap} bytes`, cause);
  }
}
