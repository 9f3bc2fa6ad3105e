import { refusedArchive } from './member-path.ts';

/** A stream of bytes that is read in pieces of one's own choice. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** @throws {PlumblineError} `ERR_CODE_REFUSED` when there are fewer */
  async exactly(size: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.next(size)) parts.push(part);
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  /** The next `size` bytes in whatever pieces they come. They are taken once, by whoever reads them first. */
  next(size: number): AsyncIterable<Uint8Array> {
    let left = size;
    const take = async (): Promise<Uint8Array | undefined> => {
      if (left === 0) return undefined;
      if (this.#rest.length === 0) await this.#fill();
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      return part;
    };
    return {
      async *[Symbol.asyncIterator]() {
        for (let part = await take(); part; part = await take()) yield part;
      },
    };
  }

  async #fill(): Promise<void> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) throw refusedArchive('it ends in the middle');
      this.#rest = value;
    }
  }
}
