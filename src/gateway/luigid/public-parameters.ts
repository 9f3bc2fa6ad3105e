import type { JsonValue } from '#core/json.ts';
import { type Fields, objectOf } from './answer-parts.ts';

/**
 * The parameters of a failed task that stand in its display name, `family(a=1, b=2)`: those are the public ones in the order
 * of their names. luigid says of no other whether it is hidden, so no other is shown.
 */
export function publicParameters({ displayName, taskFamily, taskParams }: Fields): Fields {
  const parameters = objectOf(taskParams);
  const begin = `${typeof taskFamily === 'string' ? taskFamily : ''}(`;
  if (typeof displayName !== 'string' || !displayName.startsWith(begin) || !displayName.endsWith(')')) return {};
  let rest = displayName.slice(begin.length, -1);
  const shown: [string, JsonValue][] = [];
  for (const name of Object.keys(parameters).sort(byCodePoint)) {
    const text = `${name}=${parameters[name]}`;
    if (rest !== text && !rest.startsWith(`${text}, `)) continue;
    shown.push([name, parameters[name] ?? null]);
    rest = rest.slice(text.length + 2);
  }
  return rest === '' ? Object.fromEntries(shown) : {};
}

/** As Python sorts. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
