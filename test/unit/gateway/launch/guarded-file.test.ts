import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readGuarded, readGuardedText } from '#gateway/launch/guarded-file.ts';

describe('a guarded file', () => {
  let folder: string;
  let path: string;
  const owner = process.getuid?.() ?? 0;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'guarded-'));
    path = join(folder, 'file');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is read as a whole or in part', () => {
    writeFileSync(path, '0123456789');
    assert.equal(readGuardedText(path, owner), '0123456789');
    assert.deepEqual(readGuarded(path, owner, { start: 2, end: 5 }), { bytes: Buffer.from('234'), total: 10 });
    assert.equal(readGuarded(path, owner, { start: 8, end: 50 })?.bytes.toString(), '89');
    assert.equal(readGuarded(path, owner, { start: 50, end: 60 })?.bytes.length, 0);
    assert.equal(readGuardedText(path, owner, 9), undefined);
  });

  const TRAPS: Readonly<Record<string, () => void>> = {
    absent: () => {},
    'a link': () => {
      writeFileSync(join(folder, 'other'), 'x');
      symlinkSync(join(folder, 'other'), path);
    },
    'a file with two names': () => {
      writeFileSync(join(folder, 'other'), 'x');
      linkSync(join(folder, 'other'), path);
    },
    'a pipe': () => execFileSync('mkfifo', [path]),
    'a folder': () => mkdirSync(path),
    'a device': () => symlinkSync('/dev/zero', path),
  };
  for (const [what, make] of Object.entries(TRAPS)) {
    it(`is not there when it is ${what}, and no descriptor is left open`, () => {
      make();
      const open = () => readdirSync('/proc/self/fd').length;
      const before = open();
      assert.equal(readGuardedText(path, owner), undefined);
      assert.equal(open(), before);
    });
  }

  it('is not there when it is of another user (needs root)', function () {
    if (owner !== 0) this.skip();
    writeFileSync(path, 'x');
    chownSync(path, 61_001, 61_001);
    assert.equal(readGuardedText(path, 0), undefined);
    assert.equal(readGuardedText(path, 61_001), 'x');
  });
});
