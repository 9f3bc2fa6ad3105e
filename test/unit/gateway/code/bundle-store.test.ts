import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BundleStore, bundleStore } from '#gateway/code/bundle-store.ts';

const sha = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the store of uploaded bundles', () => {
  let folder: string;
  let store: BundleStore;
  const scope = sha('caller');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bundles-'));
    store = bundleStore(join(folder, 'bundles'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
    for (const text of texts) yield Buffer.from(text);
  }
  const files = () =>
    existsSync(join(folder, 'bundles'))
      ? readdirSync(join(folder, 'bundles'), { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
      : [];

  it('keeps bytes under their digest, once', async () => {
    const name = { scope, sha256: sha('hello') };
    assert.deepEqual(await store.put(name, parts('he', 'llo'), 5), { size: 5, created: true });
    assert.deepEqual(await store.put(name, parts('hello'), 5), { size: 5, created: false });
    const path = await store.find(name);
    assert.equal(readFileSync(path ?? '', 'utf8'), 'hello');
    assert.equal(files().length, 1);
  });

  it('keeps nothing of bytes that are others, too many, or break off', async () => {
    const name = { scope, sha256: sha('hello') };
    await assert.rejects(store.put(name, parts('hullo'), 5), { code: 'ERR_CODE_REFUSED' });
    await assert.rejects(store.put(name, parts('hello', '!'), 5), { code: 'ERR_CODE_REFUSED' });
    const broken = (async function* () {
      yield Buffer.from('hel');
      throw new Error('connection lost');
    })();
    await assert.rejects(store.put(name, broken, 5), /connection lost/);
    assert.equal(await store.find(name), undefined);
    assert.deepEqual(files(), []);
  });

  it('shows a caller nothing that another has uploaded', async () => {
    await store.put({ scope, sha256: sha('hello') }, parts('hello'), 5);
    assert.equal(await store.find({ scope: sha('another'), sha256: sha('hello') }), undefined);
  });

  it('takes no name that leads elsewhere', async () => {
    for (const name of ['../x', sha('x').toUpperCase(), '', `${sha('x')}/..`]) {
      await assert.rejects(store.find({ scope, sha256: name }), TypeError);
      await assert.rejects(store.put({ scope: name, sha256: sha('') }, parts(), 1), TypeError);
    }
  });

  it('lets go of what was not used since, and of uploads that broke off', async () => {
    const [old, used] = [sha('old'), sha('used')];
    await store.put({ scope, sha256: old }, parts('old'), 9);
    await store.put({ scope, sha256: used }, parts('used'), 9);
    for (const name of [old, used]) utimesSync(join(folder, 'bundles', scope, name), 1_000, 1_000);
    assert.ok(await store.find({ scope, sha256: used }));
    assert.equal(await store.removeUnused(Date.now() - 60_000), 1);
    assert.equal(await store.find({ scope, sha256: old }), undefined);
    assert.ok(await store.find({ scope, sha256: used }));
  });
});
