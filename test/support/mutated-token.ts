import assert from 'node:assert/strict';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { PlumblineError } from '#core/errors.ts';
import type { Authenticator } from '#gateway/auth/authenticator.ts';
import { REFUSALS } from '#gateway/auth/token-refused.ts';
import { type Claims, signed, type TestIssuer, token } from './test-issuer.ts';

/** A change of a text at a place between its begin (0) and its end (1). */
interface Edit {
  readonly kind: 'put' | 'take' | 'replace' | 'double' | 'swap';
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const character = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...BASE64URL) },
  { weight: 2, arbitrary: fc.constantFrom('.', '=', '+', '/', ' ', '\n', '\0', '\ufeff', '%') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
);

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('put', 'take', 'replace', 'double', 'swap'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 40 }),
  text: fc.string({ unit: character, minLength: 1, maxLength: 6 }),
});

/** Changes to the compact text of a good token. */
export const edits = fc.array(edit, { minLength: 1, maxLength: 3 });

/** Claims of any name and value, most of them ones that the issuer writes, to be signed by the issuer's own key. */
export function strangeClaims({ claims }: TestIssuer): fc.Arbitrary<Claims> {
  const names = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...Object.keys(claims), 'nbf', 'jti', 'scp') },
    { weight: 1, arbitrary: fc.string({ maxLength: 20 }) },
  );
  const values = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(...STRANGE, ...Object.values(claims)));
  return fc.dictionary(names, values, { minKeys: 1, maxKeys: 4 });
}

const STRANGE = ['', null, 0, -1, 1e300, [], {}, [[]], 'p://a/b/c', 'sc://a/b/c', '20', true, 'true', 'constructor'];

export function edited(text: string, changes: readonly Edit[]): string {
  return changes.reduce(apply, text);
}

function apply(text: string, { kind, at, length, text: put }: Edit): string {
  const start = Math.floor(at * text.length);
  const [before, inside, after] = [text.slice(0, start), text.slice(start, start + length), text.slice(start + length)];
  if (kind === 'put') return before + put + inside + after;
  if (kind === 'take') return before + after;
  if (kind === 'replace') return before + put + text.slice(start + put.length);
  if (kind === 'double') return before + inside + inside + after;
  return inside + before + after;
}

/** What was changed after it was signed is refused in a known way, unless nothing was changed. */
export async function checkMutated(
  authenticator: Pick<Authenticator, 'verify'>,
  good: string,
  text: string,
): Promise<void> {
  try {
    await authenticator.verify(text);
  } catch (thrown) {
    assertKnown(thrown);
    return;
  }
  assert.equal(text, good, 'a changed token was accepted');
}

/** Whatever the issuer signs, the answer is a refusal of a known kind or a token whose parts have their types. */
export async function checkStrange(
  authenticator: Pick<Authenticator, 'verify'>,
  issuer: TestIssuer,
  claims: Readonly<Record<string, unknown>>,
): Promise<void> {
  const text = signed(issuer.header, { ...issuer.claims, ...claims }, issuer.key);
  const verified = await authenticator.verify(text).catch((thrown: unknown) => {
    assertKnown(thrown);
    return undefined;
  });
  if (verified === undefined) return;
  assert.equal(verified.iss, issuer.settings.issuer);
  assert.ok(issuer.settings.audiences.includes(verified.audience));
  assert.ok(verified.subject.length > 0 && verified.subject.length <= 600);
  assert.ok(verified.expiresAt > issuer.now && verified.expiresAt <= issuer.now + 26 * 60 * 60_000);
  // Never weaker than what a library checks by itself.
  await jwtVerify(text, issuer.key.publicKey, {
    issuer: issuer.settings.issuer,
    audience: [...issuer.settings.audiences],
    algorithms: [...issuer.settings.algorithms],
    requiredClaims: ['exp', 'iat', 'sub'],
    clockTolerance: 30,
    currentDate: new Date(issuer.now),
  });
  for (const fact of Object.values(verified.signed)) assert.match(typeof fact, /^(string|boolean)$/);
}

function assertKnown(thrown: unknown): void {
  assert.ok(thrown instanceof PlumblineError, String((thrown as Error)?.stack));
  const reason = thrown.details['reason'];
  assert.ok(typeof reason === 'string' && Object.hasOwn(REFUSALS, reason), thrown.message);
}

/** A good token, and whether it is one: a property over changes is worth nothing without it. */
export async function goodToken(authenticator: Pick<Authenticator, 'verify'>, issuer: TestIssuer): Promise<string> {
  const good = token(issuer);
  await authenticator.verify(good);
  return good;
}
