import { AnswerError } from '../answer-fields.ts';
import { type GatewayUpdate, readUpdate } from './gateway-update.ts';

/** What an event stream says. `alive`: a sign of life without content. `end`: nothing comes any more. */
export type StreamItem =
  | { readonly kind: 'alive' }
  /** `update` is absent for a kind that this version does not know. */
  | { readonly kind: 'update'; readonly sequence: number; readonly update: GatewayUpdate | undefined }
  | { readonly kind: 'end' };

/** Characters of one event: the outcome of a run with thousands of failed tasks is the longest. */
const LONGEST_EVENT = 16 * 1024 * 1024;
const SEQUENCE = /^[1-9]\d{0,14}$/;

/**
 * Reads the events of a run from the bytes of one connection. An event that the connection's end cuts off is not told.
 * @throws {AnswerError} when an event is too long, has no number, or is no update
 */
export async function* readStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamItem> {
  const { createParser } = await import('eventsource-parser');
  const items: StreamItem[] = [];
  const parser = createParser({
    maxBufferSize: LONGEST_EVENT,
    onEvent: (event) => items.push(itemOf(event)),
    onComment: () => items.push({ kind: 'alive' }),
    onError: ({ type }) => {
      // Fields that are not known are to be ignored, says the standard.
      if (type === 'max-buffer-size-exceeded')
        throw new AnswerError(`an event is longer than ${LONGEST_EVENT} characters`);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* items.splice(0);
  }
}

function itemOf({
  id,
  event,
  data,
}: {
  id?: string | undefined;
  event?: string | undefined;
  data: string;
}): StreamItem {
  if (event === 'end') return { kind: 'end' };
  if (event !== 'update') return { kind: 'alive' };
  if (id === undefined || !SEQUENCE.test(id)) throw new AnswerError('an update has no number');
  return { kind: 'update', sequence: Number(id), update: readUpdate(parsed(data)) };
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new AnswerError('an update is no JSON');
  }
}
