import type { Fields } from '../answer-fields.ts';
import type { AirflowClient } from './airflow-client.ts';
import type { ListRequest } from './dialect.ts';

export interface PagedList<Entry> {
  readonly request: (offset: number) => ListRequest;
  readonly what: string;
  readonly read: (fields: Fields) => Entry;
  readonly signal: AbortSignal;
  /** Whether what was read is all that is wanted. @default never */
  readonly isEnough?: ((entries: readonly Entry[]) => boolean) | undefined;
  /** @default 2,000 */
  readonly mostPages?: number | undefined;
}

const MOST_PAGES = 2_000;

/**
 * A whole list, page by page: servers answer with fewer entries than were asked for and do not say so, hence it is their count of
 * all of them that ends it. Empty when there is no such list (404).
 */
export async function readPages<Entry>(client: AirflowClient, list: PagedList<Entry>): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (let page = 0; page < (list.mostPages ?? MOST_PAGES); page += 1) {
    const { total, found } = await readPage(client, list, entries.length);
    entries.push(...found);
    if (found.length === 0 || entries.length >= total || list.isEnough?.(entries)) break;
  }
  return entries;
}

async function readPage<Entry>(
  client: AirflowClient,
  { request, what, read, signal }: PagedList<Entry>,
  offset: number,
): Promise<{ readonly total: number; readonly found: readonly Entry[] }> {
  const { method, path, body, list } = request(offset);
  const answer = await client.send({ method, path, body, what, signal, idempotent: true, also: [404] });
  if (answer.status === 404) return { total: 0, found: [] };
  return client.read({ what }, answer, (fields) => ({
    total: fields.count('total_entries'),
    found: fields.objects(list).map(read),
  }));
}
