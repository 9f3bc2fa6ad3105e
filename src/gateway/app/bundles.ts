import type { Readable } from 'node:stream';
import type { Caller } from '../auth/caller.ts';

export interface StoredBundle {
  readonly sha256: string;
  readonly size: number;
}

/** Code that callers upload, named by its digest. Scoped to the caller who uploaded it. */
export interface Bundles {
  /**
   * Whether the caller may upload for this role, and how much.
   * @throws {PlumblineError} `ERR_RUN_DENIED`
   */
  permit(caller: Caller, role: string): Promise<{ readonly maxBytes: number }>;
  /** The same bytes may come again: `created` is false then. The stream is read to its end or destroyed. */
  store(
    caller: Caller,
    bundle: { readonly sha256: string; readonly role: string; readonly maxBytes: number; readonly bytes: Readable },
  ): Promise<StoredBundle & { readonly created: boolean }>;
}
