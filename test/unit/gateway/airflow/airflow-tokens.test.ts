import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { decodeJwt } from 'jose';
import { PlumblineError } from '#core/errors.ts';
import { type AirflowIssuer, airflowIssuer, collision } from '#gateway/airflow/airflow-issuer.ts';
import { type AirflowTokenRequest, airflowTokens } from '#gateway/airflow/airflow-tokens.ts';
import type { AuditEvent } from '#gateway/audit/audit-log.ts';
import type { AirflowConfig } from '#gateway/config/gateway-config.ts';
import { publicKeyOf } from '#gateway/issuer/issuer-key.ts';
import type { PublicKey } from '#gateway/issuer/token-issuer.ts';
import type { AirflowDecision, AirflowGrant } from '#gateway/policy/access-grants.ts';
import { handClock } from '../../../support/hand-clock.ts';
import { callerNamed } from '../app/gateway-world.ts';

const NOW = Date.parse('2026-11-21T10:00:00Z');
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const CONFIG: AirflowConfig = {
  name: 'warehouse',
  url: 'https://airflow.example.com',
  issuer: 'https://gateway.example.com/airflow/warehouse',
  audience: 'airflow-warehouse',
  authManager: 'simple',
  publicKeysFile: '/none',
  keys: { kind: 'files', publishForMs: 0, rotateEveryMs: 0 },
  lifetimeMs: 600_000,
};
const GRANT: AirflowGrant = { name: 'loader', airflow: 'warehouse', user: 'ci-load', role: 'user' };
const ALLOWED: AirflowDecision = {
  allowed: true,
  wouldAllow: true,
  mode: 'enforce',
  binding: 'main',
  grant: GRANT,
  reasons: [{ reason: 'binding', rule: 'main' }],
  policy: 'a'.repeat(64),
};
const DENIED: AirflowDecision = {
  allowed: false,
  wouldAllow: false,
  mode: 'enforce',
  reasons: [{ reason: 'claim-mismatch', rule: 'main', field: 'claim team' }],
  policy: 'b'.repeat(64),
};
const ASKED: AirflowTokenRequest = { airflow: 'warehouse', requestId: 'r1', isRepeated: false };

describe('the exchange for a token of an Airflow', () => {
  const clock = handClock(NOW);
  let decisions: AirflowDecision[];
  let audited: AuditEvent[];
  let outage: Error | undefined;
  let signed: number;
  let ours: PublicKey;
  before(async () => {
    ours = await publicKeyOf(publicKey.export({ format: 'jwk' }));
  });
  beforeEach(() => {
    [decisions, audited, outage, signed] = [[ALLOWED], [], undefined, 0];
    clock.set(NOW);
  });

  const issuer = (config: Partial<AirflowConfig> = {}): AirflowIssuer =>
    airflowIssuer({
      config: { ...CONFIG, ...config },
      clock,
      file: { keys: () => [], problem: () => undefined },
      keys: {
        published: () => [ours],
        problem: () => undefined,
        sign: async (textOf) => {
          signed += 1;
          return { kid: ours.kid, bytes: sign('sha256', Buffer.from(textOf(ours.kid)), privateKey) };
        },
      },
    });
  const tokens = (config: Partial<AirflowConfig> = {}) =>
    airflowTokens({
      issuers: new Map([['warehouse', issuer(config)]]),
      // The last one holds from then on.
      policy: () => ({
        decideAirflow: () => (decisions.length > 1 ? decisions.shift() : decisions[0]) as AirflowDecision,
      }),
      audit: {
        append: async (event) => {
          if (outage) throw outage;
          audited.push(event);
          return { sequence: audited.length, hash: '' };
        },
      },
      clock,
    });
  const reasonOf = async (asked: Promise<unknown>): Promise<unknown> => {
    const error = await asked.then(
      () => assert.fail('it was not refused'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof PlumblineError && error.code === 'ERR_IDENTITY_REJECTED', String(error));
    return error.details['reason'];
  };
  const types = () => audited.map(({ type }) => type.replace('dev.plumbline.airflow.', ''));

  it('gives what Airflow asks for and no more; its id is one that Airflow can revoke', async () => {
    const { token, ...rest } = await tokens().exchange(callerNamed('good-alice'), ASKED);
    const { jti, ...claims } = decodeJwt(token);
    const at = NOW / 1_000;
    assert.deepEqual(claims, {
      iss: CONFIG.issuer,
      aud: 'airflow-warehouse',
      sub: 'ci-load',
      role: 'user',
      iat: at,
      nbf: at,
      exp: at + 600,
    });
    assert.match(jti ?? '', /^[0-9a-f]{32}$/);
    assert.deepEqual(rest, { expiresAt: NOW + 600_000, user: 'ci-load', role: 'user', url: CONFIG.url });
    assert.deepEqual(types(), ['token']);
    assert.equal(JSON.stringify(audited).includes(token.split('.')[2] ?? ''), false);
  });

  it('gives none without a record', async () => {
    outage = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'the disk is full');
    await assert.rejects(tokens().exchange(callerNamed('good-alice'), ASKED), outage);
    decisions = [DENIED];
    await assert.rejects(tokens().exchange(callerNamed('good-alice'), ASKED), outage);
  });

  it('signs nothing for whom the policy refuses, and records why', async () => {
    decisions = [DENIED];
    assert.equal(await reasonOf(tokens().exchange(callerNamed('good-bob'), ASKED)), 'claim-mismatch');
    assert.equal(
      await reasonOf(tokens().exchange(callerNamed('good-bob'), { ...ASKED, airflow: 'other' })),
      'airflow-unknown',
    );
    // What only a report lets pass is refused.
    decisions = [{ ...ALLOWED, wouldAllow: false, mode: 'report', reasons: DENIED.reasons }];
    assert.equal(await reasonOf(tokens().exchange(callerNamed('good-bob'), ASKED)), 'claim-mismatch');
    assert.equal(signed, 0);
    assert.deepEqual(types(), ['refused', 'refused', 'refused']);
    assert.ok(audited.every(({ data }) => data['allowed'] === false));
  });

  it('hands out nothing when another policy came into force meanwhile, and the record says so', async () => {
    for (const after of [DENIED, { ...ALLOWED, grant: { ...GRANT, role: 'viewer' } } as const]) {
      audited = [];
      decisions = [ALLOWED, after];
      assert.equal(await reasonOf(tokens().exchange(callerNamed('good-alice'), ASKED)), 'policy-changed');
      assert.deepEqual(types(), ['token', 'refused']);
      assert.equal(audited[1]?.data['tokenId'], audited[0]?.data['tokenId']);
    }
  });

  it('is over when the permission is', async () => {
    decisions = [{ ...ALLOWED, until: NOW + 90_500 }];
    const { expiresAt } = await tokens().exchange(callerNamed('good-alice'), ASKED);
    assert.equal(expiresAt, NOW + 90_000);
  });

  it('takes no grant that the auth manager would misread', async () => {
    const fab = { authManager: 'fab' } as const;
    const unfit: readonly (readonly [Partial<AirflowConfig>, AirflowGrant])[] = [
      [{}, { name: 'g', airflow: 'warehouse', user: 'ci' }],
      [{}, { ...GRANT, airflow: 'other' }],
      [fab, GRANT],
      [fab, { name: 'g', airflow: 'warehouse', user: 'ci' }],
      [fab, { name: 'g', airflow: 'warehouse', user: '01' }],
    ];
    for (const [config, grant] of unfit) {
      decisions = [{ ...ALLOWED, grant }];
      assert.equal(await reasonOf(tokens(config).exchange(callerNamed('good-alice'), ASKED)), 'grant-unfit');
    }
    decisions = [{ ...ALLOWED, grant: { name: 'g', airflow: 'warehouse', user: '17' } }];
    const { token, role } = await tokens(fab).exchange(callerNamed('good-alice'), ASKED);
    const { sub, role: claimed } = decodeJwt(token);
    assert.deepEqual([sub, claimed, role], ['17', undefined, undefined]);
  });

  describe('for an ID token', () => {
    const caller = callerNamed('once-1alice', { expiresAt: NOW + 3_600_000 });
    const again = { ...ASKED, isRepeated: true };

    it('is one: the very same request gets the first answer, also beside the first', async () => {
      const room = tokens();
      const [first, beside] = await Promise.all([room.exchange(caller, ASKED), room.exchange(caller, again)]);
      const later = await room.exchange(caller, again);
      assert.ok(first.token === beside.token && first.token === later.token);
      assert.deepEqual([signed, types()], [1, ['token']]);
      clock.move(600_000);
      assert.equal(await reasonOf(room.exchange(caller, again)), 'token-used');
    });

    it('is none after a restart: nobody knows what it has bought', async () => {
      assert.equal(await reasonOf(tokens().exchange(caller, again)), 'token-used');
      assert.equal(signed, 0);
    });

    it('can be asked for again when nothing came of it', async () => {
      const room = tokens();
      outage = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'the disk is full');
      await assert.rejects(room.exchange(caller, ASKED), outage);
      outage = undefined;
      const { token } = await room.exchange(caller, again);
      assert.equal((await room.exchange(caller, again)).token, token);
    });

    it('is refused when the policy refuses by then, or means somebody else', async () => {
      const room = tokens();
      await room.exchange(caller, ASKED);
      decisions = [{ ...ALLOWED, grant: { ...GRANT, user: 'other' } }];
      assert.equal(await reasonOf(room.exchange(caller, again)), 'token-used');
      decisions = [DENIED];
      assert.equal(await reasonOf(room.exchange(caller, again)), 'claim-mismatch');
    });

    it('that may be used until its end gives another one each time', async () => {
      const room = tokens();
      const lasting = callerNamed('good-alice');
      const [a, b] = [await room.exchange(lasting, ASKED), await room.exchange(lasting, ASKED)];
      assert.notEqual(a.token, b.token);
    });
  });

  it('is published with Airflow’s own keys or not at all', () => {
    const own: PublicKey = { kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'airflow-1', use: 'sig', alg: 'EdDSA' };
    const published = (file: readonly PublicKey[], kept: readonly PublicKey[]) =>
      airflowIssuer({
        config: CONFIG,
        clock,
        file: { keys: () => file, problem: () => undefined },
        keys: { published: () => kept, sign: () => assert.fail('nothing is signed'), problem: () => undefined },
      }).keys();
    assert.deepEqual(published([own], [ours]), [own, ours]);
    for (const [file, kept] of [
      [[], [ours]],
      [[own], []],
      [[{ ...own, kid: ours.kid }], [ours]],
      [[{ ...ours, kid: 'airflow-1' }], [ours]],
    ] as const)
      assert.equal(published(file, kept), undefined);
    assert.match(collision([{ ...ours, kid: 'airflow-1' }], [ours]) ?? '', /under the kid airflow-1/);
  });
});
