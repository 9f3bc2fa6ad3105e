import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import { PolicyFile, type PolicyFileOptions } from '#gateway/policy/policy-file.ts';
import { binding, loaded, NOW, permission, policyText } from '../../../support/sample-policy.ts';

const ONE = policyText();
const TWO = policyText({ mode: 'report' });
const BAD = policyText({ bindings: [binding({ issuer: 'nobody' })] });
const WRONG_EXAMPLE = policyText({
  bindings: [binding({ examples: { allow: [{ claims: {} }], deny: [{ claims: {} }] } })],
});
const sha = (text: string) => loaded(text).sha256;

describe('PolicyFile', () => {
  let folder = '';
  let path = '';
  let file: PolicyFile | undefined;
  const events: string[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'policy-file-'));
    path = join(folder, 'policy.yaml');
    writeFileSync(path, ONE, { mode: 0o644 });
    events.length = 0;
  });
  afterEach(async () => {
    await file?.close();
    file = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const started = async (options: Partial<PolicyFileOptions> = {}) => {
    file = await PolicyFile.open({
      path,
      clock: systemClock,
      settleMs: 5,
      pollMs: 10,
      onLoaded: (policy: LoadedPolicy) => void events.push(`loaded ${policy.sha256}`),
      onRejected: (problems) => void events.push(`rejected ${problems[0]?.field}: ${problems[0]?.message}`),
      ...options,
    });
    return file;
  };
  const until = async (holds: () => boolean) => {
    while (!holds()) await systemClock.sleep(2);
  };
  /** As most editors and `kubectl cp` do it. */
  const replace = (text: string, at = path) => {
    writeFileSync(`${at}.new`, text, { mode: 0o644 });
    renameSync(`${at}.new`, at);
  };

  it('is in force before it is handed out', async () => {
    const policy = await started();
    assert.deepEqual(events, [`loaded ${sha(ONE)}`]);
    assert.deepEqual([policy.policy.sha256, policy.problems], [sha(ONE), []]);
  });

  const unusable: readonly (readonly [string, () => void, RegExp])[] = [
    ['is wrong', () => writeFileSync(path, BAD), /policy\.yaml:\d+:\d+: bindings\[0\]\.issuer: is not one of/],
    [
      'has an example that does not come out',
      () => writeFileSync(path, WRONG_EXAMPLE),
      /bindings\[0\]\.examples\.allow\[0\]: the example must be allowed/,
    ],
    ['is not there', () => unlinkSync(path), /cannot be read \(ENOENT\)/],
    [
      'is a folder',
      () => {
        unlinkSync(path);
        mkdirSync(path);
      },
      /is no regular file/,
    ],
    ['may be written by everybody', () => chmodSync(path, 0o666), /may be written by everybody/],
  ];
  for (const [what, spoil, expected] of unusable)
    it(`does not open a file that ${what}`, async () => {
      spoil();
      const isIt = (error: unknown) =>
        error instanceof PlumblineError && error.code === 'ERR_POLICY_INVALID' && expected.test(error.message);
      await assert.rejects(started(), isIt);
      assert.deepEqual(events, []);
    });

  it('does not open when the first policy cannot be brought into force', async () => {
    await assert.rejects(started({ onLoaded: () => Promise.reject(new Error('no audit')) }), /no audit/);
  });

  const changes: readonly (readonly [string, (text: string) => void])[] = [
    ['written in place', (text) => writeFileSync(path, text)],
    ['replaced by another file', replace],
    [
      'removed and made again',
      (text) => {
        unlinkSync(path);
        writeFileSync(path, text);
      },
    ],
  ];
  for (const [how, change] of changes)
    for (const poll of [10, 3_600_000])
      it(`takes a file that was ${how} ${poll > 10 ? 'when the system tells' : 'when it looks'}`, async () => {
        const policy = await started({ pollMs: poll });
        change(TWO);
        await until(() => policy.policy.sha256 === sha(TWO));
        assert.equal(events.at(-1), `loaded ${sha(TWO)}`);
      });

  it('takes a ConfigMap whose folder is swapped by a symbolic link', async () => {
    const mount = join(folder, 'mount');
    for (const [name, text] of [
      ['one', ONE],
      ['two', TWO],
    ] as const) {
      mkdirSync(join(mount, name), { recursive: true });
      writeFileSync(join(mount, name, 'policy.yaml'), text);
    }
    symlinkSync('one', join(mount, '..data'));
    symlinkSync('..data/policy.yaml', join(mount, 'policy.yaml'));
    const policy = await started({ path: join(mount, 'policy.yaml'), pollMs: 3_600_000 });
    symlinkSync('two', join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    await until(() => policy.policy.sha256 === sha(TWO));
  });

  it('keeps the last good policy when the file goes bad, and tells once', async () => {
    const policy = await started();
    replace(BAD);
    await until(() => policy.problems.length > 0);
    await Promise.all([policy.reload(), policy.reload(), systemClock.sleep(40)]);
    assert.deepEqual(events, [`loaded ${sha(ONE)}`, 'rejected bindings[0].issuer: is not one of `issuers`']);
    assert.equal(policy.policy.decide(permission(), NOW).policy, sha(ONE));
    unlinkSync(path);
    await until(() => events.length === 3);
    assert.equal(events.at(-1), 'rejected (file): cannot be read (ENOENT)');
    assert.equal(policy.policy.sha256, sha(ONE));
  });

  it('is content again when the file is as it was, without loading it again', async () => {
    const policy = await started();
    replace(BAD);
    await until(() => policy.problems.length > 0);
    replace(ONE);
    await until(() => policy.problems.length === 0);
    assert.deepEqual(
      events.filter((event) => event.startsWith('loaded')),
      [`loaded ${sha(ONE)}`],
    );
  });

  it('keeps the last good policy when somebody opens the file to everybody', async () => {
    const policy = await started();
    replace(TWO);
    chmodSync(path, 0o666);
    await until(() => policy.problems.length > 0 || policy.policy.sha256 === sha(TWO));
    await until(() => policy.problems.length > 0);
    assert.match(policy.problems[0]?.message ?? '', /chmod o-w/);
  });

  it('never takes half a file: it waits until nobody writes', async () => {
    // The first half is a whole policy too, without the rule that stops somebody.
    const whole = `apiVersion: plumbline.dev/policy/v1\n${yamlOf(['issuers', 'roles', 'bindings'])}`;
    const parts = ['deny:\n', '  - { name: stop, reason: incident }\n', '  - { name: freeze, reason: year end }\n'];
    const rest = [...parts];
    let isWriting = false;
    // Whenever the reader waits for the file to stand still, the writer goes on.
    const sleep: Clock['sleep'] = async (ms, signal) => {
      const part = isWriting && ms === 5 ? rest.shift() : undefined;
      if (part !== undefined) writeFileSync(path, part, { flag: 'a' });
      await systemClock.sleep(ms, signal);
    };
    const policy = await started({ clock: { now: systemClock.now, sleep }, pollMs: 3_600_000 });
    isWriting = true;
    writeFileSync(path, whole);
    await until(() => policy.policy.sha256 !== sha(ONE));
    assert.deepEqual(events.slice(1), [`loaded ${sha(whole + parts.join(''))}`]);
  });

  it('brings the last of many versions into force, each whole', async () => {
    const policy = await started();
    const versions = Array.from({ length: 30 }, (_, i) =>
      policyText({ deny: [{ name: `rule-${i}`, reason: 'x', roles: ['sales'] }] }),
    );
    for (const [i, text] of versions.entries()) {
      if (i % 2 === 0) replace(text);
      else writeFileSync(path, text);
      await systemClock.sleep(i % 5);
    }
    await until(() => policy.policy.sha256 === sha(versions.at(-1) ?? ''));
    const known = new Set([ONE, ...versions].map((text) => `loaded ${sha(text)}`));
    assert.deepEqual(
      events.filter((event) => !known.has(event) && !event.startsWith('rejected (')),
      [],
    );
  });

  it('has a policy in force only when whoever must know of it knows', async () => {
    const refusals = [new Error('no audit'), new Error('no audit')];
    let seen: string | undefined;
    const policy = await started({
      onLoaded: async (next) => {
        if (next.sha256 === sha(ONE)) return;
        seen = policy.policy.sha256;
        await systemClock.sleep(1);
        const error = refusals.pop();
        if (error) throw error;
      },
    });
    replace(TWO);
    await until(() => policy.problems.length > 0);
    assert.deepEqual(
      [policy.policy.sha256, policy.problems[0]?.message],
      [sha(ONE), 'could not be brought into force (ERR_UNEXPECTED)'],
    );
    await until(() => policy.policy.sha256 === sha(TWO));
    assert.deepEqual([seen, policy.problems], [sha(ONE), []]);
  });

  it('answers a reload when what it found is decided', async () => {
    const policy = await started({ pollMs: 3_600_000 });
    replace(TWO);
    await policy.reload();
    assert.equal(policy.policy.sha256, sha(TWO));
  });

  it('looks no more when it is closed', async () => {
    const policy = await started();
    await policy.close();
    replace(TWO);
    await policy.reload();
    await systemClock.sleep(30);
    assert.equal(policy.policy.sha256, sha(ONE));
  });
});

function yamlOf(fields: readonly string[]): string {
  const document = JSON.parse(ONE) as Record<string, unknown>;
  return fields.map((field) => `${field}: ${JSON.stringify(document[field])}\n`).join('');
}
