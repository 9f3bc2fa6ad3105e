import type { JsonValue } from '#core/json.ts';
import type { Caller } from '#gateway/auth/caller.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import type { Arguments } from './arguments.ts';
import type { Option } from './command.ts';
import { readJsonObject } from './read-json.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Options of a command that takes claims for a token. */
export const CALLER_OPTIONS = {
  claims: { value: 'FILE', help: 'claims of the token, one JSON object', required: true },
  'run-facts': { value: 'FILE', help: 'claims of the token beside it' },
  issuer: { value: 'NAME', help: 'of the policy; default: the one whose `iss` and `aud` the claims have' },
  'run-facts-issuer': { value: 'NAME', help: 'the same for the run facts' },
} as const satisfies Readonly<Record<string, Option>>;

/**
 * Who the claims say that somebody is.
 *
 * @throws {UsageError} when they can be of several issuers of the policy, or of none
 */
export async function explainedCaller(policy: LoadedPolicy, given: Arguments, terminal: Terminal): Promise<Caller> {
  const { exampleCaller, exampleToken } = await import('#gateway/policy/example-caller.ts');
  const claims = readJsonObject(given.required('claims'), terminal);
  const factsFile = given.optional('run-facts');
  const facts = factsFile === undefined ? undefined : readJsonObject(factsFile, terminal);
  const beside = facts && exampleToken(chooseIssuer(policy, 'run-facts-issuer', given, facts), facts);
  return exampleCaller(chooseIssuer(policy, 'issuer', given, claims), claims, beside);
}

/** The one that was named; else the only one that the claims can be of. */
function chooseIssuer(
  { issuers }: LoadedPolicy,
  option: 'issuer' | 'run-facts-issuer',
  given: Arguments,
  { iss, aud }: Readonly<Record<string, JsonValue>>,
): IssuerSettings {
  const name = given.optional(option);
  const candidates = issuers.filter((issuer) => {
    if (name !== undefined) return issuer.name === name;
    if (issuer.factsOnly && option === 'issuer') return false;
    if (iss === undefined && option === 'run-facts-issuer') return issuer.factsOnly;
    return (
      (iss === undefined || issuer.issuer === iss) && (aud === undefined || issuer.audiences.includes(String(aud)))
    );
  });
  const [only, ...more] = candidates;
  if (only !== undefined && more.length === 0) return only;
  throw new UsageError(`--${option} is one of ${issuers.map((issuer) => issuer.name).join(', ')}.`);
}
