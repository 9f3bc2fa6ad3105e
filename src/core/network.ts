import type { Secret } from './secret.ts';

/** How this machine reaches others: what the agent was configured with, or the usual environment variables. */
export interface NetworkSettings {
  readonly proxy?: {
    /** Without user info. */
    readonly url: string;
    readonly username?: string;
    readonly password?: Secret;
    /** Patterns of hosts reached directly (regular expressions, as the agent hands them over). */
    readonly bypass: readonly string[];
  };
  /** A PEM file with further trusted certificate authorities. */
  readonly caFile?: string;
  readonly clientCertificate?: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly passphrase?: Secret;
  };
  /** The agent was told to skip certificate checks; we refuse to follow and say so. */
  readonly skipVerification: boolean;
}
