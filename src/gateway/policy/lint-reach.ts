import type { BindingEntry, ConditionEntry, DenyEntry } from './policy-document.ts';
import type { Finding, LintRule } from './policy-lint.ts';
import type { PolicyParts } from './policy-parts.ts';

/** Bindings that never decide anything: their time is over, another one before them always does, or a deny rule does. */
export const unreachable: LintRule = (parts, now) => {
  const { bindings, deny = [] } = parts.document;
  const denials = deny.map(withConditions);
  const all = bindings.map(withConditions);
  return all.flatMap((binding, i): Finding[] => {
    const why = expired(parts, i, now) ?? covered(denials, binding) ?? shadowed(all.slice(0, i), binding);
    if (why === undefined) return [];
    const remedy = 'Remove it, or what stands before it.';
    return [{ rule: 'unreachable', severity: 'low', path: ['bindings', i], remedy, ...why }];
  });
};

/** Credentials of old that are over, or hardly will be. */
export const legacyEnd: LintRule = ({ legacy, document }, now) =>
  legacy.flatMap(({ until }, i): Finding[] => {
    const path = ['legacy', i, 'until'];
    if (until <= now)
      return [{ rule: 'legacy-end', severity: 'low', path, message: 'is over', remedy: 'Remove the credential.' }];
    if (until - now <= LONG_MS) return [];
    const message = `is more than half a year away: ${document.legacy?.[i]?.name} is a stored secret until then`;
    return [
      {
        rule: 'legacy-end',
        severity: 'medium',
        path,
        message,
        remedy: 'Choose a day on which the team has moved over.',
      },
    ];
  });

const LONG_MS = 183 * 86_400_000;

type Why = Pick<Finding, 'message'> & Partial<Pick<Finding, 'severity' | 'remedy'>>;

function expired({ bindings }: PolicyParts, i: number, now: number): Why | undefined {
  const until = bindings[i]?.until;
  return until !== undefined && until <= now ? { message: 'its time is over', remedy: 'Remove it.' } : undefined;
}

function covered(denials: readonly Conditioned<DenyEntry>[], binding: Conditioned<BindingEntry>): Why | undefined {
  const rule = denials.find((deny) => covers(deny, binding));
  if (rule === undefined) return undefined;
  return { message: `the deny rule '${rule.entry.name}' refuses all that it allows`, severity: 'medium' };
}

function covers(deny: Conditioned<DenyEntry>, binding: Conditioned<BindingEntry>): boolean {
  const { issuer, from, until } = deny.entry;
  if (from !== undefined || until !== undefined) return false;
  if (issuer !== undefined && issuer !== binding.entry.issuer) return false;
  const isAboutAll = LISTS.every((list) => deny.entry[list] === undefined);
  if (!isAboutAll && !givesAll(deny.entry, binding.entry)) return false;
  return isPart(deny.conditions, binding.conditions);
}

function shadowed(before: readonly Conditioned<BindingEntry>[], binding: Conditioned<BindingEntry>): Why | undefined {
  const earlier = before.find((other) => decidesBefore(other, binding));
  return earlier && { message: `'${earlier.entry.name}' before it allows all that it allows` };
}

/** Whoever the later one knows the earlier one knows as well, for the same roles and asking for no more. */
function decidesBefore(one: Conditioned<BindingEntry>, two: Conditioned<BindingEntry>): boolean {
  const [earlier, later] = [one.entry, two.entry];
  const isSame = earlier.issuer === later.issuer && earlier.runFactsIssuer === later.runFactsIssuer;
  const isForGood = earlier.from === undefined && earlier.until === undefined;
  const asksMore = Object.keys(earlier.require ?? {}).some((key) => !Object.hasOwn(later.require ?? {}, key));
  if (!isSame || !isForGood || asksMore || earlier.mode !== later.mode) return false;
  return givesAll(earlier, later) && isPart(one.conditions, two.conditions);
}

const LISTS = ['roles', 'airflow', 'pipelines'] as const;
type Lists = Partial<Record<(typeof LISTS)[number], readonly string[]>>;

/** Whether one rule names all roles and grants that another one names. */
function givesAll(one: Lists, other: Lists): boolean {
  return LISTS.every((list) => (other[list] ?? []).every((name) => one[list]?.includes(name)));
}

/** A rule with its conditions as texts that are the same when they ask the same. */
interface Conditioned<Entry> {
  readonly entry: Entry;
  readonly conditions: ReadonlySet<string>;
}

function withConditions<Entry extends { readonly match?: { readonly all: readonly ConditionEntry[] } }>(
  entry: Entry,
): Conditioned<Entry> {
  return { entry, conditions: new Set((entry.match?.all ?? []).map(conditionText)) };
}

function conditionText(entry: ConditionEntry): string {
  const { claim, runFacts = false } = entry;
  const { equals, oneOf, glob, exists } = entry as Readonly<Record<string, unknown>>;
  return JSON.stringify([claim, runFacts, { equals, oneOf, glob, exists }]);
}

function isPart(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  for (const one of some) if (!all.has(one)) return false;
  return true;
}
