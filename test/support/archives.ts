import { execFileSync } from 'node:child_process';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

export interface TarMember {
  readonly name: string | Buffer;
  readonly text?: string | Buffer;
  readonly type?: string;
  readonly mode?: number;
  readonly link?: string;
  /** Instead of the length of its text. */
  readonly size?: number | string;
}

/** A tar as nobody sensible writes it: every field is what it is told to be. */
export function tarOf(members: readonly TarMember[], end = Buffer.alloc(1_024)): Buffer {
  return Buffer.concat([...members.map(tarMember), end]);
}

function tarMember({ name, text = '', type = '0', mode = 0o644, link = '', size }: TarMember): Buffer {
  const bytes = Buffer.from(text as string);
  const block = Buffer.alloc(512);
  Buffer.from(name as string).copy(block, 0, 0, 100);
  block.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  const length = typeof size === 'string' ? size : (size ?? bytes.length).toString(8).padStart(11, '0');
  block.write(length, 124, 12);
  block.write(type, 156);
  block.write(link, 157, 100);
  block.write('ustar\x0000', 257);
  block.write(' '.repeat(8), 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** One record of pax attributes. */
export function attribute(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  const guess = rest + String(rest).length;
  return `${rest + String(guess).length} ${key}=${value}\n`;
}

export function tgz(members: readonly TarMember[]): Buffer {
  return gzipSync(tarOf(members));
}

export interface ZipMember {
  readonly name: string | Buffer;
  readonly text?: string | Buffer;
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  readonly size?: number;
  readonly crc?: number;
  /** Instead of where it lies. */
  readonly offset?: number;
}

export function zipOf(members: readonly ZipMember[]): Buffer {
  const bodies: Buffer[] = [];
  const entries: Buffer[] = [];
  for (const { name, text = '', mode = 0o100644, flags = 0x0800, method = 8, size, crc, offset } of members) {
    const [plain, title] = [Buffer.from(text as string), Buffer.from(name as string)];
    const packed = method === 8 ? deflateRawSync(plain) : plain;
    const at = bodies.reduce((sum, body) => sum + body.length, 0);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE((crc ?? crc32(plain)) >>> 0, 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(size ?? plain.length, 18);
    common.writeUInt16LE(title.length, 22);
    bodies.push(Buffer.concat([Buffer.from('PK\x03\x04'), common, title, packed]));
    const entry = Buffer.alloc(46);
    entry.write('PK\x01\x02');
    entry.writeUInt16LE(0x0314, 4);
    common.copy(entry, 6);
    entry.writeUInt32LE((mode << 16) >>> 0, 38);
    entry.writeUInt32LE(offset ?? at, 42);
    entries.push(Buffer.concat([entry, title]));
  }
  const [body, directory] = [Buffer.concat(bodies), Buffer.concat(entries)];
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(body.length, 16);
  return Buffer.concat([body, directory, end]);
}

/** As a program in daily use packs a folder. */
export function packedBy(program: 'tar' | 'python' | 'zip', folder: string): Buffer {
  if (program === 'tar') return execFileSync('tar', ['-czf', '-', '-C', folder, '.']);
  const code =
    program === 'python'
      ? 'import sys, tarfile; t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz"); t.add(sys.argv[1], "."); t.close()'
      : 'import sys, io, os, zipfile\nb = io.BytesIO()\nz = zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED)\n' +
        'for d, _, fs in os.walk(sys.argv[1]):\n' +
        '    for f in fs: z.write(os.path.join(d, f), os.path.relpath(os.path.join(d, f), sys.argv[1]))\n' +
        'z.close()\nsys.stdout.buffer.write(b.getvalue())';
  return execFileSync('python3', ['-c', code, folder], { maxBuffer: 64 * 1024 * 1024 });
}
