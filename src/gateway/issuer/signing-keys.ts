import type { KeyTransition } from './issuer-key.ts';
import type { PublicKey } from './token-issuer.ts';

/** Puts on record that a key begins to be something. Throws when it cannot: then it does not begin. */
export type RecordKey = (kid: string, result: KeyTransition) => Promise<void>;

export interface Signature {
  readonly kid: string;
  readonly bytes: Uint8Array;
}

/** Keys that sign, wherever they are. */
export interface SigningKeys {
  /** None: they are not known at the moment. */
  published(): readonly PublicKey[];
  /**
   * Signs with the one key that is active, which `textOf` is told of.
   * @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE`
   */
  sign(textOf: (kid: string) => string): Promise<Signature>;
  problem(): string | undefined;
  close(): Promise<void>;
}
