import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import type { ArchiveLimits } from '#gateway/code/archive-member.ts';
import { unpackBundle } from '#gateway/code/bundle-code.ts';
import { readZip } from '#gateway/code/read-zip.ts';
import { unpack } from '#gateway/code/unpack.ts';
import { attribute, packedBy, type TarMember, tarOf, tgz, type ZipMember, zipOf } from '../../../support/archives.ts';

const LIMITS: ArchiveLimits = { bytes: 1_000_000, members: 1_000 };

describe('an archive of code', () => {
  let folder: string;
  let target: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'archive-'));
    target = join(folder, 'target');
    mkdirSync(target);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function untar(bytes: Buffer, limits = LIMITS): Promise<Record<string, string>> {
    const file = join(folder, 'bundle');
    writeFileSync(file, bytes);
    await unpackBundle(file, target, limits);
    return contents(target);
  }

  async function unzip(bytes: Buffer, limits = LIMITS): Promise<Record<string, string>> {
    await unpack(readZip(bytes), target, limits);
    return contents(target);
  }

  /** Nothing may be left of it outside, whatever happened. */
  async function refused(work: Promise<unknown>, why: RegExp): Promise<void> {
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof PlumblineError, String(error));
      assert.equal(error.code, 'ERR_CODE_REFUSED');
      assert.match(error.message, why);
      return true;
    });
    assert.deepEqual(
      readdirSync(folder).toSorted(),
      readdirSync(folder).filter((name) => ['bundle', 'target'].includes(name)),
    );
  }

  describe('as everyday programs write it', () => {
    beforeEach(() => {
      const source = join(folder, 'target-source');
      mkdirSync(join(source, 'package', 'ü'.repeat(60), 'inner'.repeat(20)), { recursive: true });
      writeFileSync(join(source, 'package', '__init__.py'), 'a = 1\n');
      writeFileSync(join(source, 'package', 'ü'.repeat(60), 'inner'.repeat(20), 'long.py'), 'b = 2\n');
      writeFileSync(join(source, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
      writeFileSync(join(source, 'large.bin'), Buffer.alloc(200_000, 7));
      writeFileSync(join(source, 'empty.py'), '');
    });

    for (const program of ['tar', 'python', 'zip'] as const) {
      it(`is unpacked (${program})`, async () => {
        const source = join(folder, 'target-source');
        const bytes = packedBy(program, source);
        const found = program === 'zip' ? await unzip(bytes) : await untar(bytes);
        assert.deepEqual(found, contents(source));
        assert.equal(statSync(join(target, 'run.sh')).mode & 0o777, 0o755);
        assert.equal(statSync(join(target, 'empty.py')).mode & 0o777, 0o644);
        assert.equal(statSync(join(target, 'package')).mode & 0o777, 0o755);
      });
    }

    it('is unpacked the same under a strict umask', async () => {
      const before = process.umask(0o077);
      try {
        await untar(tgz([{ name: 'a/b.py', text: 'x' }]));
      } finally {
        process.umask(before);
      }
      assert.equal(statSync(join(target, 'a')).mode & 0o777, 0o755);
      assert.equal(statSync(join(target, 'a/b.py')).mode & 0o777, 0o644);
    });
  });

  const NAMES: Readonly<Record<string, [string | Buffer, RegExp]>> = {
    absolute: ['/etc/passwd', /no relative name/],
    'a way up': ['../outside', /leads elsewhere/],
    'a way up in the middle': ['a/../../outside', /leads elsewhere/],
    'a way up at the end': ['a/..', /leads elsewhere/],
    'an empty part': ['a//b', /leads elsewhere/],
    'a backslash': ['a\\..\\b', /character/],
    'a drive': ['C:/x', /no relative name/],
    'a line break': ['a\nb', /character/],
    'no UTF-8': [Buffer.from([0x61, 0xff, 0x62]), /UTF-8/],
  };
  for (const [what, [name, why]] of Object.entries(NAMES)) {
    it(`is refused for a name that has ${what}`, async () => {
      await refused(untar(tgz([{ name, text: 'x' }])), why);
      await refused(unzip(zipOf([{ name, text: 'x' }])), why);
    });
  }

  const TARS: Readonly<Record<string, [readonly TarMember[], RegExp]>> = {
    'a symbolic link': [[{ name: 'a', type: '2', link: '/etc' }], /neither a file nor a folder/],
    'a hard link': [[{ name: 'a', type: '1', link: '/etc/passwd' }], /neither a file nor a folder/],
    'a device': [[{ name: 'a', type: '3' }], /neither a file nor a folder/],
    'a pipe': [[{ name: 'a', type: '6' }], /neither a file nor a folder/],
    'a sparse file': [[{ name: 'a', type: 'S' }], /neither a file nor a folder/],
    'a file twice': [
      [
        { name: 'a', text: '1' },
        { name: 'a', text: '2' },
      ],
      /twice/,
    ],
    'a file in another spelling': [
      [
        { name: 'a', text: '1' },
        { name: './a', text: '2' },
      ],
      /twice/,
    ],
    'a file below a file': [
      [
        { name: 'a', text: '1' },
        { name: 'a/b', text: '2' },
      ],
      /file and a folder/,
    ],
    'a file where a folder is': [
      [
        { name: 'a/b', text: '1' },
        { name: 'a', text: '2' },
      ],
      /twice/,
    ],
    'an absolute name in attributes': [
      [
        { name: 'x', type: 'x', text: attribute('path', '/etc/cron.d/x') },
        { name: 'a', text: '1' },
      ],
      /no relative name/,
    ],
    'a way up in a long name': [
      [
        { name: 'x', type: 'L', text: '../../up\0' },
        { name: 'a', text: '1' },
      ],
      /elsewhere/,
    ],
    'attributes that lie': [[{ name: 'x', type: 'x', text: '99 path=a\n' }], /attributes/],
    'a size in attributes': [[{ name: 'x', type: 'x', text: attribute('size', '9') }, { name: 'a' }], /too large/],
    'a size that is no number': [[{ name: 'a', size: '77x' }], /number/],
    'a size in base 256': [[{ name: 'a', size: '\x80\0\0\0\0\0\0\0\0\0\0\x01' }], /number/],
    'less than it says': [[{ name: 'a', text: 'x', size: 100_000 }], /ends in the middle/],
    'more bytes than allowed': [[{ name: 'a', text: Buffer.alloc(1_000_001) }], /more bytes/],
    'more attributes than sense': [
      Array.from({ length: 100 }, () => ({ name: 'x', type: 'g', text: Buffer.alloc(65_000, '1') })),
      /more bytes|attributes/,
    ],
    'very long attributes': [[{ name: 'x', type: 'x', text: Buffer.alloc(70_000, '1') }], /too long/],
  };
  for (const [what, [members, why]] of Object.entries(TARS)) {
    it(`is refused as a tar for ${what}`, () => refused(untar(tgz(members)), why));
  }

  it('is refused when it has too many members, or is no archive', async () => {
    const many = Array.from({ length: 1_001 }, (_, i) => ({ name: `f${i}` }));
    await refused(untar(tgz(many)), /more than 1000 members/);
    await refused(untar(Buffer.from('not a gzip')), /no gzip/);
    await refused(untar(gzipSync(Buffer.alloc(600, 'x'))), /no tar|number/);
    await refused(untar(gzipSync(tarOf([{ name: 'a', text: 'x' }])).subarray(0, 60)), /gzip/);
    await refused(untar(Buffer.alloc(0)), /ends in the middle|gzip/);
    await refused(unzip(Buffer.from('not a zip')), /no zip/);
  });

  const ZIPS: Readonly<Record<string, [readonly ZipMember[], RegExp]>> = {
    'a symbolic link': [[{ name: 'a', text: '/etc', mode: 0o120777 }], /neither a file nor a folder/],
    'a device': [[{ name: 'a', mode: 0o060644 }], /neither a file nor a folder/],
    'a folder that is a file': [[{ name: 'a/', mode: 0o100644 }], /neither a file nor a folder/],
    encryption: [[{ name: 'a', flags: 0x0801 }], /encrypted/],
    'an unknown method': [[{ name: 'a', text: 'x', method: 12 }], /unknown way/],
    'a wrong checksum': [[{ name: 'a', text: 'x', crc: 1 }], /damaged/],
    'a larger content than it says': [[{ name: 'a', text: Buffer.alloc(5_000), size: 10 }], /larger|damaged/],
    'a smaller content than it says': [[{ name: 'a', text: 'x', size: 10 }], /damaged/],
    'members that share bytes': [
      [
        { name: 'a', text: 'xx' },
        { name: 'b', text: 'xx', offset: 0 },
      ],
      /share/,
    ],
    'a member beyond its end': [[{ name: 'a', text: 'x', offset: 90_000 }], /not where/],
    'a file twice': [
      [
        { name: 'a', text: '1' },
        { name: 'a', text: '2' },
      ],
      /twice/,
    ],
    'more bytes than allowed': [[{ name: 'a', text: Buffer.alloc(1_000_001) }], /more bytes/],
  };
  for (const [what, [members, why]] of Object.entries(ZIPS)) {
    it(`is refused as a zip for ${what}`, () => refused(unzip(zipOf(members)), why));
  }

  it('however it is damaged, is unpacked or refused, and nothing is written elsewhere', async function () {
    this.timeout(20_000);
    const tar = tarOf([
      { name: 'x', type: 'x', text: attribute('path', 'a/b.py') },
      { name: 'a', text: 'text' },
      { name: 'c/', type: '5' },
    ]);
    const zip = zipOf([
      { name: 'a/b.py', text: 'text' },
      { name: 'c.py', text: 'more' },
    ]);
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(), fc.boolean(), async (bytes, cut, isTar) => {
        const archive = Buffer.from(isTar ? tar : zip);
        for (const [at, byte] of bytes) archive[at % archive.length] = byte;
        const damaged = cut % 3 === 0 ? archive.subarray(0, cut % archive.length) : archive;
        rmSync(target, { recursive: true });
        mkdirSync(target);
        const work = isTar ? untar(gzipSync(damaged)) : unzip(damaged);
        await work.catch((error) => {
          if (!(error instanceof PlumblineError) || error.code !== 'ERR_CODE_REFUSED') throw error;
        });
        assert.deepEqual(
          readdirSync(folder).filter((name) => !['bundle', 'target'].includes(name)),
          [],
        );
      }),
      { numRuns: 300 },
    );
  });
});

function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'latin1')]));
}
