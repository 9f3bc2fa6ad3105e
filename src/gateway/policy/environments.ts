const PRODUCTION = /(^|[^a-z])(prod|production|prd|live)([^a-z]|$)/i;
const ELSEWHERE =
  /(^|[^a-z])(dev|development|test|testing|qa|int|integration|stag|stage|staging|sandbox|uat|preprod|pre-prod)([^a-z]|$)/i;

/** Whether a name has a word for production in it; `uami-pre-prod` has too. */
export function soundsLikeProduction(name: string): boolean {
  return PRODUCTION.test(name);
}

/** Whether a name is of an environment that is not production. */
export function isElsewhere(name: string): boolean {
  return ELSEWHERE.test(name);
}

/** Whether a name is of production and of nothing else. */
export function isProduction(name: string): boolean {
  return soundsLikeProduction(name) && !isElsewhere(name);
}

/** Whether two environments are the same one: by their names, of which production has several. */
export function isSameEnvironment(one: string, two: string): boolean {
  return one.toLowerCase() === two.toLowerCase() || (isProduction(one) && isProduction(two));
}
