import { redactCredentials } from '../audit/redaction-guard.ts';

/** Why somebody could not be signed in; stable words for log, metrics and audit. */
export type SignInReason =
  /** It was begun in another browser, more than ten minutes ago, before a restart, or has come back before. */
  | 'flow'
  /** The provider did not sign the person in, e.g. because they went back. */
  | 'provider-refused'
  /** The provider does not take this gateway's client id, secret or redirect URI. */
  | 'client-refused'
  /** The ID token or the answer around it is not what it must be. */
  | 'id-token'
  /** The provider's own document is not that of the issuer of the configuration, or leads where nothing is asked. */
  | 'discovery'
  /** The provider does not answer. */
  | 'provider-unavailable'
  /** The secret of the configuration cannot be read. */
  | 'client-secret'
  /** More sign-ins at once than are finished side by side. */
  | 'busy';

const UNAVAILABLE: ReadonlySet<SignInReason> = new Set(['provider-unavailable', 'discovery', 'client-secret', 'busy']);
const LONGEST_WORDS = 400;

/** A sign-in that could not be finished. `said` is for the operator's log: what the provider answered, never a token. */
export class SignInFailure extends Error {
  override readonly name = 'SignInFailure';
  readonly reason: SignInReason;
  readonly said: string | undefined;

  constructor(reason: SignInReason, said?: string) {
    super(`The sign-in failed: ${reason}`);
    this.reason = reason;
    this.said = said === undefined ? undefined : oneLine(said);
  }

  /** It may work later, and nothing is wrong with who tried. */
  get isUnavailable(): boolean {
    return UNAVAILABLE.has(this.reason);
  }
}

/** Whoever is at the browser may have written it: one line, bounded, without what looks like a credential. */
function oneLine(text: string): string {
  const clean = text.slice(0, 4 * LONGEST_WORDS).replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ');
  return redactCredentials(clean).slice(0, LONGEST_WORDS);
}
