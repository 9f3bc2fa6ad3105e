/** One file or folder of an archive. */
export interface ArchiveMember {
  /** Names of folders and, last, of itself; checked. */
  readonly path: readonly string[];
  readonly kind: 'file' | 'folder';
  readonly executable: boolean;
  /** Of a file; to be read before the next member is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What an archive may become when it is unpacked. */
export interface ArchiveLimits {
  readonly bytes: number;
  readonly members: number;
}
