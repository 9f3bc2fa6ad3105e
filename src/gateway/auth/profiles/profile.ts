import type { SignedFacts } from '../caller.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import type { ClaimReader } from './claim-reader.ts';

export interface ProfileReading {
  readonly signed: SignedFacts;
  /** `jti` or `uti`; `undefined` when the issuer gives neither. */
  readonly tokenId: string | undefined;
}

/** What one kind of issuer writes into its tokens and how it is read. */
export interface Profile {
  /** Why an issuer cannot have this profile; `undefined` when it can. */
  problem(settings: IssuerSettings): string | undefined;
  /** Begin of its subjects, when another profile reads other tokens of the same issuer and audience. */
  readonly subjectPrefix?: string;
  /**
   * Facts of a token whose standard claims, times and texts were checked.
   *
   * @throws {PlumblineError} `ERR_TOKEN_CLAIMS`: `claim`, `text`, `subject`, `tenant` or `kind`.
   */
  read(claims: ClaimReader, settings: IssuerSettings): ProfileReading;
}
