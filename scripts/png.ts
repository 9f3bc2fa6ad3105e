import { crc32, deflateSync } from 'node:zlib';

/** Each part from 0 to 255. */
export type Pixel = readonly [red: number, green: number, blue: number, alpha: number];

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const RGBA_8_BIT = [8, 6, 0, 0, 0];

/** A PNG image (W3C PNG, third edition): 8 bits a channel with alpha, rows without a filter. */
export function encodePng(width: number, height: number, pixelAt: (column: number, row: number) => Pixel): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set(RGBA_8_BIT, 8);
  const rows = Array.from({ length: height }, (_, row) => {
    const pixels = Array.from({ length: width }, (_, column) => pixelAt(column, row).map(Math.round)).flat();
    return Buffer.from([0, ...pixels]);
  });
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** Width and height of a PNG image. */
export function pngSize(image: Buffer): { width: number; height: number } {
  if (!image.subarray(0, 8).equals(SIGNATURE)) throw new Error('This is not a PNG image.');
  return { width: image.readUInt32BE(16), height: image.readUInt32BE(20) };
}
