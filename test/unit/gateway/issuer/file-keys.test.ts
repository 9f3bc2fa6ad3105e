import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { KeyManifest } from '#gateway/issuer/key-manifest.ts';
import { signedToken } from '#gateway/issuer/signed-token.ts';
import { DAY, ISSUER, IssuerWorld, verifies } from '../../../support/issuer-world.ts';
import { failure } from '../../../support/plumbline-failure.ts';

describe('keys of the issuer on disk', () => {
  let world: IssuerWorld;
  beforeEach(() => {
    world = new IssuerWorld({ rotateEveryMs: 0 });
  });
  afterEach(() => world.remove());
  const file = (name: string) => join(world.directory, name);
  const pems = () => readdirSync(world.directory).filter((name) => name.endsWith('.pem'));

  it('are made at the first start, for nobody else, and found at the next', async () => {
    const keys = await world.open();
    const [jwk] = keys.published();
    assert.deepEqual(
      world.recorded.map(({ kid, result }) => [kid, result]),
      [[jwk?.kid, 'activated']],
    );
    assert.equal(statSync(world.directory).mode & 0o777, 0o700);
    for (const name of ['keys.json', `${jwk?.kid}.pem`]) assert.equal(statSync(file(name)).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(file('keys.json'), 'utf8'), /PRIVATE|"d"|"p"|"q"/);
    await keys.close();
    const again = await world.open();
    assert.deepEqual(again.published(), keys.published());
    assert.equal(world.recorded.length, 1);
    await again.close();
  });

  it('sign tokens whose frame is the issuer’s alone', async () => {
    const keys = await world.open();
    const issued = await world.issue(keys);
    assert.deepEqual(decodeProtectedHeader(issued.token), { alg: 'RS256', kid: issued.keyId, typ: 'JWT' });
    const now = Math.floor(world.clock.now() / 1_000);
    const { sub, aud, ...frame } = decodeJwt(issued.token);
    assert.deepEqual(frame, { iss: ISSUER, iat: now, nbf: now, exp: now + 600, jti: issued.id });
    assert.equal(issued.expiresAt, (now + 600) * 1_000);
    const collaborators = { keys, clock: world.clock };
    for (const name of ['iss', 'iat', 'nbf', 'exp', 'jti'])
      await assert.rejects(
        signedToken({ sub: 'a', aud: 'b', [name]: 'mine' }, { url: ISSUER, lifetimeSeconds: 600 }, collaborators),
        TypeError,
      );
    const many = await Promise.all(Array.from({ length: 50 }, () => world.issue(keys)));
    assert.equal(new Set(many.map(({ id }) => id)).size, 50);
    await keys.close();
  });

  it('are nothing before that is on record, and stay what they were while it cannot be', async () => {
    const keys = await world.open();
    const [first] = keys.published();
    world.outage = new Error('the disk is full');
    const { keys: after } = await world.byHand.prepare();
    await world.pass(1_000);
    assert.deepEqual(keys.published(), [first]);
    await world.pass(5_000);
    assert.equal(world.errors.length, 1, 'it is told once');
    assert.match(world.errors[0] ?? '', /the disk is full/);
    assert.equal(keys.problem(), undefined, 'the key that is there signs');
    assert.ok(await verifies((await world.issue(keys)).token, keys, world.clock.now()));
    world.outage = undefined;
    await world.pass(1_000);
    assert.deepEqual(
      keys.published().map(({ kid }) => kid),
      after.map(({ kid }) => kid),
    );
    assert.deepEqual(
      world.recorded.map(({ result }) => result),
      ['activated', 'prepared'],
    );
    await keys.close();
  });

  it('do not begin without a record', async () => {
    world.outage = new Error('the disk is full');
    await assert.rejects(world.open(), /the disk is full/);
    world.outage = undefined;
    const keys = await world.open();
    assert.deepEqual(
      world.recorded.map(({ result }) => result),
      ['activated'],
    );
    await keys.close();
  });

  it('have no private part any more when they sign no more', async () => {
    const keys = await world.open();
    const [, next] = (await world.byHand.prepare()).keys;
    await world.pass(1_000);
    await world.pass(DAY);
    assert.equal(pems().length, 2);
    await world.byHand.activate(next?.kid ?? '', { atOnce: false });
    await world.pass(1_000);
    assert.deepEqual(pems(), [`${next?.kid}.pem`]);
    assert.equal(keys.published().length, 2);
    await world.pass(DAY + 599_000);
    assert.equal(keys.published().length, 2, 'a token may be about until then, and copies of the keys');
    await world.pass(2_000);
    assert.deepEqual(
      keys.published().map(({ kid }) => kid),
      [next?.kid],
    );
    await keys.close();
  });

  it('are five at most', async () => {
    const keys = await world.open();
    for (let made = 0; made < 4; made++) {
      const { keys: after } = await world.byHand.prepare();
      await world.byHand.activate(after.at(-1)?.kid ?? '', { atOnce: true });
      await world.pass(1_000);
    }
    assert.equal(keys.published().length, 5);
    await assert.rejects(world.byHand.prepare(), failure('ERR_INPUT_INVALID', /5 keys are published/));
    const active = (await world.byHand.list()).keys.find(({ state }) => state === 'active')?.kid ?? '';
    await world.byHand.retire(active, { atOnce: true });
    await world.pass(1_000);
    assert.equal(keys.published().length, 5, 'a lost key is followed by a new one all the same');
    assert.ok(keys.published().every(({ kid }) => kid !== active));
    await keys.close();
  });

  it('are left alone by what cannot be', async () => {
    const keys = await world.open();
    const [first] = keys.published();
    const kid = first?.kid ?? '';
    const refused = (promise: Promise<unknown>, why: RegExp) =>
      assert.rejects(promise, failure('ERR_INPUT_INVALID', why));
    await refused(world.byHand.activate(kid, { atOnce: true }), /is active/);
    await refused(world.byHand.retire(kid, { atOnce: false }), /signs/);
    await refused(world.byHand.activate('nobody', { atOnce: true }), /there is no key nobody/);
    await refused(world.byHand.retire('../../etc/passwd', { atOnce: true }), /there is no key/);
    const [, next] = (await world.byHand.prepare()).keys;
    await refused(world.byHand.prepare(), /is prepared already/);
    await refused(world.byHand.activate(next?.kid ?? '', { atOnce: false }), /not published it yet/);
    await world.pass(1_000);
    await world.pass(DAY - 1_000);
    await refused(
      world.byHand.activate(next?.kid ?? '', { atOnce: false }),
      /has been published for 23 h 59 m of 24 h 00 m/,
    );
    await keys.close();
  });

  const damages: readonly [string, () => void, RegExp][] = [
    ['the folder is open to others', () => chmodSync(world.directory, 0o750), /others may use it/],
    ['the list is open to others', () => chmodSync(file('keys.json'), 0o644), /others may use .*keys.json/],
    ['a key is open to others', () => chmodSync(file(pems()[0] ?? ''), 0o640), /others may use .*pem/],
    ['a key is gone', () => rmSync(file(pems()[0] ?? '')), /is not there.*retire \S+ --now/s],
    ['a key is no key', () => writeFileSync(file(pems()[0] ?? ''), 'nothing'), /is no key/],
    ['the list is gone', () => rmSync(file('keys.json')), /keys.json is not there.*would be refused/s],
    ['the list is no list', () => writeFileSync(file('keys.json'), '{"version":1,"keys":[{}]}'), /a key has no state/],
    [
      'the list is of another version',
      () => writeFileSync(file('keys.json'), '{"version":2,"keys":[]}'),
      /this version knows/,
    ],
    [
      'the list is cut',
      () => writeFileSync(file('keys.json'), readFileSync(file('keys.json')).subarray(0, 60)),
      /keys.json|JSON/,
    ],
    [
      'the list is a link',
      () => {
        renameSync(file('keys.json'), join(world.stateDirectory, 'elsewhere'));
        symlinkSync(join(world.stateDirectory, 'elsewhere'), file('keys.json'));
      },
      /ELOOP/,
    ],
    [
      'a public key was exchanged',
      () => {
        const list = readFileSync(file('keys.json'), 'utf8');
        writeFileSync(
          file('keys.json'),
          list.replace(/(?<="n": ")./, (one) => (one === 'z' ? 'y' : 'z')),
        );
      },
      /a key is not \S+, as it is called/,
    ],
  ];
  for (const [what, damage, why] of damages)
    it(`are not used when ${what}`, async () => {
      await (await world.open()).close();
      damage();
      await assert.rejects(world.open(), (error: Error & { remedy?: string }) => {
        failure('ERR_FILE_UNREADABLE', /./)(error);
        assert.match(`${error.message} ${error.remedy}`, why);
        assert.doesNotMatch(error.message, /BEGIN|MII/);
        return true;
      });
    });

  it('can be mended by hand when the key that signs is gone', async () => {
    await (await world.open()).close();
    const [name = ''] = pems();
    rmSync(file(name));
    const lost = name.replace('.pem', '');
    await world.byHand.retire(lost, { atOnce: true });
    const keys = await world.open();
    assert.ok(await verifies((await world.issue(keys)).token, keys, world.clock.now()));
    assert.deepEqual(
      world.recorded.map(({ kid, result }) => [kid === lost, result]),
      [
        [true, 'activated'],
        [true, 'removed'],
        [false, 'activated'],
      ],
    );
    await keys.close();
  });

  it('stay what they are when their list, or all of them, is taken away under the gateway', async () => {
    const keys = await world.open();
    const before = keys.published();
    const { token } = await world.issue(keys);
    for (const take of [() => rmSync(file('keys.json')), () => rmSync(world.directory, { recursive: true })]) {
      take();
      await world.pass(1_000);
      await world.pass(DAY);
      await world.pass(1_000);
      assert.deepEqual(keys.published(), before);
      assert.ok(await verifies(token, keys, Date.parse('2026-11-21T10:00:01Z')));
      assert.ok(await verifies((await world.issue(keys)).token, keys, world.clock.now()));
    }
    assert.match(world.errors[0] ?? '', /keys.json is not there/);
    assert.equal(world.recorded.length, 1);
    await keys.close();
  });

  it('are made anew after a start that was killed before the first was listed', async () => {
    const folder = world.ground.folder;
    const killed = {
      ...folder,
      write: async (manifest: KeyManifest) => {
        if (manifest.keys.length > 0) throw new Error('killed');
        await folder.write(manifest);
      },
    };
    await assert.rejects(world.open(killed), /killed/);
    assert.equal(pems().length, 1);
    const keys = await world.open();
    assert.deepEqual(pems(), [`${keys.published()[0]?.kid}.pem`]);
    await keys.close();
  });

  it('leave nothing behind that an interrupted writing left', async () => {
    await (await world.open()).close();
    writeFileSync(file('keys.json.unfinished'), 'x', { mode: 0o600 });
    writeFileSync(file(`${'a'.repeat(43)}.pem`), 'an orphan', { mode: 0o600 });
    await (await world.open()).close();
    assert.ok(!existsSync(file('keys.json.unfinished')));
    assert.equal(pems().length, 1);
  });
});
