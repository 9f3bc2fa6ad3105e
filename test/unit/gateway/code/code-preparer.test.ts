import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonValue } from '#core/json.ts';
import type { Caller, SignedFacts } from '#gateway/auth/caller.ts';
import { bundleStore } from '#gateway/code/bundle-store.ts';
import { CodeFolders } from '#gateway/code/code-folders.ts';
import { codePreparer } from '#gateway/code/code-preparer.ts';
import { installedFacts } from '#gateway/code/installed-code.ts';
import { bootId } from '#gateway/launch/boot-id.ts';
import type { CodeSource, Role } from '#gateway/policy/role.ts';
import type { CodePreparer, PreparedCode } from '#gateway/runs/run-collaborators.ts';
import { tgz, zipOf } from '../../../support/archives.ts';
import { luigiPython } from '../../../support/luigi-scenario.ts';

const sha = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const SCOPE = sha('caller');
const COMMIT = 'a'.repeat(40);
const SIGNED: SignedFacts = { repository: 'acme/sales', ref: 'refs/heads/main', commit: COMMIT };

describe('the code of a role', () => {
  let folder: string;
  let preparer: CodePreparer;
  const bundles = () => bundleStore(join(folder, 'bundles'));

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'code-'));
    const folders = await CodeFolders.open(join(folder, 'code'));
    preparer = codePreparer({ folders, bundles: bundles(), isolation: 'none' });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function prepare(
    code: CodeSource,
    { signed = SIGNED, claimed = {}, bundle, scope = SCOPE }: PrepareOptions = {},
  ): Promise<PreparedCode> {
    const role = { name: 'sales', code } as unknown as Role;
    const specification = {
      role: 'sales',
      module: 'm',
      task: 'T',
      parameters: {},
      workers: 1,
      attempt: '1',
      claimed,
      bundle,
    };
    const caller = { signed, scope, claims: {} as Record<string, JsonValue> } as Caller;
    return preparer.prepare(role, { specification, caller }, new AbortController().signal);
  }

  const python = luigiPython();

  describe('that is installed', () => {
    const installed = (more = {}): CodeSource => ({ kind: 'installed', path: folder, python, ...more });

    it('is where the role says, with its version', async () => {
      const code = await prepare(installed({ version: '1.2' }));
      assert.equal(code.workingDirectory, folder);
      assert.equal(code.python.path, python);
      assert.match(code.python.luigiVersion, /^3\./);
      assert.deepEqual(code.facts, { kind: 'installed', version: '1.2' });
    });

    it('has the commit of its marker, which proves something only where workers cannot write (needs root)', function () {
      if (process.getuid?.() !== 0) this.skip();
      const commitFile = join(folder, 'commit');
      writeFileSync(commitFile, `${COMMIT}\nsha256:${sha('x')}\n`, { mode: 0o644 });
      const code = installed({ commitFile }) as Extract<CodeSource, { kind: 'installed' }>;
      const user = { name: 'x', uid: 61_001, gid: 61_001 };
      const proofOf = (who?: typeof user) => installedFacts(code, who).commitProof;
      assert.deepEqual(installedFacts(code, user), {
        kind: 'installed',
        version: undefined,
        commit: COMMIT,
        commitProof: 'marker',
        digest: `sha256:${sha('x')}`,
      });
      assert.equal(proofOf(), 'claimed');
      chmodSync(commitFile, 0o666);
      assert.equal(proofOf(user), 'claimed');
      chmodSync(commitFile, 0o644);
      chmodSync(folder, 0o777);
      assert.equal(proofOf(user), 'claimed');
      chmodSync(folder, 0o755);
      chownSync(commitFile, 61_001, 61_001);
      assert.equal(proofOf(user), 'claimed');
    });

    it('is refused when it is not there, or its marker is none', async () => {
      await assert.rejects(prepare(installed({ path: join(folder, 'nowhere') })), { code: 'ERR_CODE_NOT_FOUND' });
      for (const text of ['', 'main', 'A'.repeat(40), 'a'.repeat(39)]) {
        writeFileSync(join(folder, 'commit'), text);
        await assert.rejects(prepare(installed({ commitFile: join(folder, 'commit') })), { code: 'ERR_CODE_REFUSED' });
      }
      await assert.rejects(prepare(installed({ commitFile: join(folder, 'none') })), { code: 'ERR_CODE_REFUSED' });
      await assert.rejects(prepare(installed(), { bundle: sha('x') }), { code: 'ERR_CODE_REFUSED' });
    });

    it('is refused when its Python is none', async () => {
      const wrong = installed({ python: join(folder, 'python') });
      await assert.rejects(prepare(wrong), { code: 'ERR_PYTHON_NOT_FOUND', message: /not found/ });
    });
  });

  describe('that is a wheel', () => {
    const wheel = zipOf([
      { name: 'sales/__init__.py', text: 'x = 1\n' },
      { name: 'sales-1.2.dist-info/METADATA', text: '' },
    ]);
    const pinned = (sha256 = sha(wheel)): CodeSource => {
      const file = join(folder, 'sales-1.2-py3-none-any.whl');
      writeFileSync(file, wheel);
      return { kind: 'wheel', file, sha256, python };
    };

    it('is unpacked once, for nobody to change', async () => {
      const code = await prepare(pinned());
      assert.deepEqual(code.facts, { kind: 'wheel', digest: `sha256:${sha(wheel)}`, version: '1.2' });
      assert.deepEqual(code.modulePath, [code.workingDirectory]);
      assert.equal(readFileSync(join(code.workingDirectory, 'sales/__init__.py'), 'utf8'), 'x = 1\n');
      assert.equal(statSync(join(code.workingDirectory, '..')).mode & 0o777, 0o700);
      const { ino } = statSync(code.workingDirectory);
      const [again, third] = await Promise.all([prepare(pinned()), prepare(pinned())]);
      assert.equal(statSync(again.workingDirectory).ino, ino);
      assert.equal(third.workingDirectory, again.workingDirectory);
    });

    it('is refused when its bytes are others than the role pins, whatever was unpacked before', async () => {
      await assert.rejects(prepare(pinned(sha('another'))), { code: 'ERR_CODE_REFUSED', message: /role pins/ });
      const missing = { ...pinned(), file: join(folder, 'none.whl') } as CodeSource;
      await assert.rejects(prepare(missing), { code: 'ERR_CODE_NOT_FOUND' });
    });

    it('does not outlive a restart of the machine', async () => {
      const old = join(folder, 'code', 'another-boot', 'own', sha(wheel));
      mkdirSync(old, { recursive: true });
      await CodeFolders.open(join(folder, 'code'));
      assert.throws(() => statSync(old));
      assert.ok((await prepare(pinned())).workingDirectory.includes(bootId()));
    });
  });

  describe('that the caller uploads', () => {
    const bytes = tgz([{ name: 'sales.py', text: 'x = 1\n' }]);
    const code = (more = {}): CodeSource => ({
      kind: 'bundle',
      python,
      maxBytes: 10_000,
      repository: { equals: 'acme/sales' },
      ref: { glob: 'refs/heads/*' },
      ...more,
    });
    const bundle = sha(bytes);

    beforeEach(async () => {
      await bundles().put(
        { scope: SCOPE, sha256: bundle },
        (async function* () {
          yield bytes;
        })(),
        10_000,
      );
    });

    it('is unpacked, with the commit that the token signs', async () => {
      const prepared = await prepare(code(), { bundle, claimed: { commit: COMMIT } });
      assert.deepEqual(prepared.facts, {
        kind: 'bundle',
        digest: `sha256:${bundle}`,
        commit: COMMIT,
        commitProof: 'signed',
      });
      assert.equal(readFileSync(join(prepared.workingDirectory, 'sales.py'), 'utf8'), 'x = 1\n');
    });

    it('has a commit that is only claimed when no token signs one', async () => {
      const { commit: _, ...signed } = SIGNED;
      const prepared = await prepare(code(), { bundle, signed, claimed: { commit: 'main' } });
      assert.equal(prepared.facts.commitProof, 'claimed');
      assert.equal((await prepare(code(), { bundle, signed })).facts.commitProof, undefined);
    });

    const REFUSED: Readonly<Record<string, PrepareOptions>> = {
      'another repository': { signed: { ...SIGNED, repository: 'acme/other' } },
      'another ref': { signed: { ...SIGNED, ref: 'refs/pull/7/merge' } },
      'no repository that is signed': { signed: { ref: 'refs/heads/main', commit: COMMIT } },
      'no ref that is signed': { signed: { repository: 'acme/sales', commit: COMMIT } },
      'a claim of another commit': { claimed: { commit: 'b'.repeat(40) } },
    };
    for (const [what, options] of Object.entries(REFUSED)) {
      it(`is refused for ${what}`, () =>
        assert.rejects(prepare(code(), { bundle, ...options }), { code: 'ERR_CODE_REFUSED' }));
    }

    it('is refused for whatever condition when nobody signs', () =>
      assert.rejects(prepare(code({ repository: { exists: false } }), { bundle, signed: {} }), {
        code: 'ERR_CODE_REFUSED',
      }));

    it('is not found when this caller uploaded none', async () => {
      await assert.rejects(prepare(code()), { code: 'ERR_CODE_NOT_FOUND' });
      await assert.rejects(prepare(code(), { bundle: sha('other') }), { code: 'ERR_CODE_NOT_FOUND' });
      await assert.rejects(prepare(code(), { bundle, scope: sha('other') }), { code: 'ERR_CODE_NOT_FOUND' });
    });
  });
});

interface PrepareOptions {
  readonly signed?: SignedFacts;
  readonly claimed?: Readonly<Record<string, string>>;
  readonly bundle?: string;
  readonly scope?: string;
}
