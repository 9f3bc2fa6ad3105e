import { request } from 'node:http';
import type { Http } from '#http/http.ts';
import type { LuigidSettings } from '../config/gateway-config.ts';

const ANSWERS_MS = 2_000;
const MAX_BODY_BYTES = 65_536;
const PATH = '/api/is_pause_enabled';

/** Asks luigid the cheapest question that there is. @returns why it does not work; `undefined`: it does */
export async function probeLuigid(upstream: LuigidSettings['upstream'], http: Http): Promise<string | undefined> {
  try {
    const status = upstream.kind === 'url' ? await byUrl(upstream.url, http) : await bySocket(upstream.path);
    return status === 200 ? undefined : `it answers with ${status}`;
  } catch {
    return 'it does not answer';
  }
}

async function byUrl(url: string, http: Http): Promise<number> {
  const wanted = { method: 'GET', url: `${url}${PATH}`, timeoutMs: ANSWERS_MS, maxAttempts: 1 } as const;
  return (await http.request({ ...wanted, maxBodyBytes: MAX_BODY_BYTES })).status;
}

function bySocket(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWERS_MS);
    const asked = request({ socketPath, path: PATH, headers: { host: 'luigid' }, agent: false, signal }, (answer) => {
      resolve(answer.statusCode ?? 0);
      answer.destroy();
    });
    asked.on('error', reject);
    asked.end();
  });
}
