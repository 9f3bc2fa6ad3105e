/** The few pieces of ASN.1 DER that a certificate needs (X.690). */
const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
} as const;

export type Der = Buffer;

export function tagged(tag: number, ...contents: readonly Uint8Array[]): Der {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

export function sequence(...items: readonly Der[]): Der {
  return tagged(TAGS.sequence, ...items);
}

export function set(...items: readonly Der[]): Der {
  return tagged(TAGS.set, ...items);
}

/** A positive number from its big-endian bytes. */
export function integer(bytes: Uint8Array): Der {
  return tagged(TAGS.integer, (bytes[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0), bytes);
}

export function boolean(value: boolean): Der {
  return tagged(TAGS.boolean, Buffer.from([value ? 0xff : 0]));
}

export function octetString(content: Uint8Array): Der {
  return tagged(TAGS.octetString, content);
}

export function bitString(content: Uint8Array, unusedBits = 0): Der {
  return tagged(TAGS.bitString, Buffer.from([unusedBits]), content);
}

export function utf8(text: string): Der {
  return tagged(TAGS.utf8, Buffer.from(text, 'utf8'));
}

/** Good until 2049. */
export function utcTime(time: Date): Der {
  return tagged(
    TAGS.utcTime,
    Buffer.from(
      `${time
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
      'ascii',
    ),
  );
}

/** From the dotted form. */
export function objectId(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return tagged(TAGS.objectId, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

function length(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size]);
  const bytes = Buffer.from(size.toString(16).padStart(Math.ceil(size.toString(16).length / 2) * 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}
