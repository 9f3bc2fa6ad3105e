import type { Glob } from './glob.ts';

/** Places that are looked at before it is given up: a millisecond's work or a few. */
const MAX_STEPS = 20_000;
const NAME_CHARACTER = /^[\p{L}\p{N}_]$/u;
const DIGIT = /^\p{N}$/u;
/** Stands for every character that no pattern names; a letter that none does. */
const ANY_OTHER = '\u{1E9E}';

/** How far some globs have come with the same text: for each the places that it can have reached. */
interface Reached {
  readonly wanted: Places;
  readonly covering: Places;
  /** Nothing stands before, or a dot: no name has a dot or its end here. */
  readonly isStart: boolean;
}

type Places = readonly (readonly number[])[];

/**
 * Whether every name (of a module or family) that one of the `wanted` globs matches is matched by one of the `covering` too. All
 * texts are followed at once until the same places come again. `undefined`: too intertwined to be told.
 */
export function globsCover(covering: readonly Glob[], wanted: readonly Glob[]): boolean | undefined {
  const first: Reached = { wanted: wanted.map(startOf), covering: covering.map(startOf), isStart: true };
  const seen = new Set([keyOf(first)]);
  const open = [first];
  let steps = 0;
  for (let here = open.pop(); here !== undefined; here = open.pop()) {
    if (isUncovered(here, covering, wanted)) return false;
    for (const character of charactersAt(here, covering, wanted)) {
      const next = stepped(here, character, covering, wanted);
      steps += sizeOf(next);
      if (steps > MAX_STEPS) return undefined;
      const key = keyOf(next);
      if (seen.has(key) || next.wanted.every(({ length }) => length === 0)) continue;
      seen.add(key);
      open.push(next);
    }
  }
  return true;
}

function isUncovered(here: Reached, covering: readonly Glob[], wanted: readonly Glob[]): boolean {
  return !here.isStart && isEnd(here.wanted, wanted) && !isEnd(here.covering, covering);
}

function isEnd(places: Places, globs: readonly Glob[]): boolean {
  return globs.some(({ tokens }, i) => places[i]?.includes(tokens.length));
}

/** Those that can make a difference here. */
function charactersAt(here: Reached, covering: readonly Glob[], wanted: readonly Glob[]): Set<string> {
  const next = (places: Places, globs: readonly Glob[]) =>
    globs.flatMap(({ tokens }, i) => (places[i] ?? []).map((place) => tokens[place] ?? ''));
  const named = [...next(here.wanted, wanted), ...next(here.covering, covering)];
  const possible = named.filter((one) => NAME_CHARACTER.test(one) && !(here.isStart && DIGIT.test(one)));
  return new Set([...possible, ANY_OTHER, ...(here.isStart ? [] : ['.'])]);
}

function stepped(here: Reached, character: string, covering: readonly Glob[], wanted: readonly Glob[]): Reached {
  const step = (places: Places, globs: readonly Glob[]) =>
    globs.map((glob, i) => stepOf(glob, places[i] ?? [], character));
  return {
    wanted: step(here.wanted, wanted),
    covering: step(here.covering, covering),
    isStart: character === '.',
  };
}

function startOf(glob: Glob): readonly number[] {
  return reach(glob, new Set([0]));
}

function stepOf(glob: Glob, places: readonly number[], character: string): readonly number[] {
  const next = new Set<number>();
  for (const place of places) {
    const token = glob.tokens[place];
    if (token === '**' || (token === '*' && character !== '.')) next.add(place);
    else if (token === character) next.add(place + 1);
  }
  return reach(glob, next);
}

/** A wildcard may also be nothing. */
function reach({ tokens }: Glob, places: Set<number>): readonly number[] {
  for (const place of places) if (tokens[place]?.startsWith('*')) places.add(place + 1);
  return [...places].toSorted((a, b) => a - b);
}

function keyOf({ wanted, covering, isStart }: Reached): string {
  const text = (places: Places) => places.map((one) => one.join(',')).join(';');
  return `${text(wanted)}|${text(covering)}|${isStart}`;
}

function sizeOf({ wanted, covering }: Reached): number {
  return [...wanted, ...covering].reduce((sum, { length }) => sum + length, wanted.length + covering.length);
}
