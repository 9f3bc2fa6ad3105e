import type { SigningKeySettings } from './gateway-config.ts';
import type { RawSigningKeys } from './raw-gateway-config.ts';
import { DAY, milliseconds } from './read-duration.ts';
import type { Complain } from './url-problem.ts';
import type { FieldPath } from './yaml-source.ts';

/** @param published for how long a key is published before it signs: when the file does not say, and at least */
export function signingKeySettings(
  raw: RawSigningKeys,
  field: FieldPath,
  published: { readonly publishFor: string; readonly leastMs: number },
  complain: Complain,
): SigningKeySettings {
  const { kind, vault = '', key = '', publishFor = published.publishFor, rotateEvery = '30d' } = raw;
  const range = [published.leastMs, 365 * DAY] as const;
  const publishForMs = milliseconds(publishFor, [...field, 'publishFor'], range, complain);
  if (kind === 'azure-key-vault') return { kind, vault, key, publishForMs };
  const rotateEveryMs = milliseconds(rotateEvery, [...field, 'rotateEvery'], [0, 3_650 * DAY], complain);
  if (rotateEveryMs > 0 && rotateEveryMs <= publishForMs)
    complain([...field, 'rotateEvery'], "must be longer than 'publishFor'");
  return { kind, rotateEveryMs, publishForMs };
}
