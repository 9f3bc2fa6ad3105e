import type { JsonValue } from '#core/json.ts';

type Claims = Readonly<Record<string, JsonValue>>;

/** Reads one claim. */
export type ClaimReader = (claims: Claims) => JsonValue | undefined;

/**
 * A claim by its name, or below one by a JSON Pointer (RFC 6901) when the text starts with `/`: `project_id`,
 * `/kubernetes.io/namespace`. Only what the token itself holds is found, never what every object inherits.
 */
export function claimReader(path: string): ClaimReader {
  if (!path.startsWith('/')) return (claims) => own(claims, path);
  const steps = path.slice(1).split('/').map(unescapeStep);
  return (claims) => steps.reduce<JsonValue | undefined>(own, claims);
}

/** Whether a JSON Pointer is one: `~` stands only in `~0` and `~1`. */
export function isClaimPath(path: string): boolean {
  return !path.startsWith('/') || !/~(?![01])/.test(path);
}

function own(value: JsonValue | undefined, step: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return /^(0|[1-9]\d{0,8})$/.test(step) ? value[Number(step)] : undefined;
  return Object.hasOwn(value, step) ? (value as Claims)[step] : undefined;
}

function unescapeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}
