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

export interface Pages<Entry> {
  readonly entries: readonly Entry[];
  /** How many there are, as the last page said; there may be more than were read. `undefined`: there is no such list (404). */
  readonly total: number | undefined;
}

const MOST_PAGES = 2_000;
/** Pages of a server that gives what it likes take the memory of the job. */
const MOST_ENTRIES = 250_000;

/**
 * A list, page by page: servers answer with fewer entries than were asked for and do not say so, hence it is their count of
 * all of them that ends it, or a page without any.
 */
export async function readPages<Entry>(client: AirflowClient, list: PagedList<Entry>): Promise<Pages<Entry>> {
  const entries: Entry[] = [];
  let total: number | undefined;
  for (let page = 0; page < (list.mostPages ?? MOST_PAGES) && entries.length < MOST_ENTRIES; page += 1) {
    const read = await readPage(client, list, entries.length);
    total = read.total;
    for (const entry of read.found) entries.push(entry);
    if (total === undefined || read.found.length === 0 || entries.length >= total || list.isEnough?.(entries)) break;
  }
  return { entries, total };
}

async function readPage<Entry>(
  client: AirflowClient,
  { request, what, read, signal }: PagedList<Entry>,
  offset: number,
): Promise<{ readonly total: number | undefined; readonly found: readonly Entry[] }> {
  const { method, path, body, list } = request(offset);
  const answer = await client.send({ method, path, body, what, signal, idempotent: true, also: [404] });
  if (answer.status === 404) return { total: undefined, found: [] };
  return client.read({ what }, answer, (fields) => ({
    total: fields.count('total_entries'),
    found: fields.objects(list).map(read),
  }));
}
