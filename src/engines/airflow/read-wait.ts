/** A line that says a state is short; with results it may be long, up to this. */
const LONGEST_LINE = 8 * 1024 * 1024;

/**
 * The states in a stream of JSON lines, as they come. A last line that is cut, or one that says no state, ends the stream: whoever
 * reads it asks again. Words that no version known here has are given as they are.
 */
export async function* readWait(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  for await (const line of linesOf(chunks)) {
    const state = stateOf(line);
    if (state === undefined) return;
    yield state;
  }
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    // Only what is new is looked through: a line may come byte by byte.
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    rest += first;
    const last = others.pop();
    if (last === undefined && rest.length <= LONGEST_LINE) continue;
    const lines = last === undefined ? [] : [rest, ...others];
    rest = last ?? rest;
    yield* lines.filter((line) => line.trim() !== '');
    if (rest.length > LONGEST_LINE) return;
  }
  yield rest;
}

function stateOf(line: string): string | undefined {
  try {
    const { state } = JSON.parse(line) as { state?: unknown };
    return typeof state === 'string' && state !== '' ? state.slice(0, 200) : undefined;
  } catch {
    return undefined;
  }
}
