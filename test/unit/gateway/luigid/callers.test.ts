import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import { networkOf } from '#gateway/app/network-of.ts';
import type { AuditEvent } from '#gateway/audit/audit-log.ts';
import { AttemptsPerAddress } from '#gateway/luigid/attempts-per-address.ts';
import { denialOf } from '#gateway/luigid/authorize-call.ts';
import { CallRecorder } from '#gateway/luigid/call-recorder.ts';
import { clientAddress } from '#gateway/luigid/client-address.ts';
import type { LuigidCall } from '#gateway/luigid/luigid-call.ts';
import type { LuigidCaller } from '#gateway/luigid/luigid-caller.ts';
import { LUIGID_METHODS } from '#gateway/luigid/luigid-methods.ts';
import type { Worker } from '#gateway/workers/worker.ts';
import { callerNamed } from '../app/gateway-world.ts';

const ROLES: Readonly<Record<string, readonly string[]>> = { own: ['own'], other: ['other'], both: ['own', 'other'] };

function workerOf(id: string, role: string): Worker {
  return { id, kind: 'run', runId: id, attempt: 1, caller: callerNamed('good'), role };
}

const LIVE = new Map(
  [workerOf('w-own', 'own'), workerOf('w-other', 'other'), workerOf('w-both', 'both')].map((one) => [one.id, one]),
);
const RULES = {
  workers: { find: (id: string) => LIVE.get(id) },
  namespacesOf: (role: string) => ROLES[role] ?? [],
  batches: { seal: (_: string, id: string) => id, open: () => undefined },
};
const POLICY = 'a'.repeat(64);
/** Own ones, by what an argument is. */
const NAMES: Readonly<Record<string, string>> = { worker: 'w-own', task: 'own.A_1' };

function worker(mode: 'enforce' | 'report' = 'enforce'): LuigidCaller {
  return { kind: 'worker', worker: LIVE.get('w-own') as Worker, namespaces: ['own'], mode, policy: POLICY };
}

function person(permission: object): LuigidCaller {
  return {
    kind: 'person',
    id: 'p',
    facts: {},
    permission: { read: [], operate: [], admin: false, rules: [], policy: POLICY, ...permission },
  };
}

function call(name: string, given: Record<string, JsonValue>): LuigidCall {
  const method = LUIGID_METHODS.get(name);
  assert.ok(method);
  return { method, arguments: given };
}

describe('who may call luigid', () => {
  it('is decided by every name in the call', () => {
    const name = fc.constantFrom('own.A', 'own.eu.B', 'other.A', 'ownx.A', 'A', 'other.own.A');
    const isOwn = (one: string) => /^own\./.test(one);
    const id = name.map((one) => `${one}_1`);
    const given = fc.record({
      family: name,
      deps: fc.array(id, { maxLength: 3 }),
      new_deps: fc.array(id, { maxLength: 2 }),
      worker: fc.constantFrom('w-own', 'w-own:s', 'w-other', 'w-own:', 'w-ownx', 'W-OWN', 'w-own:a:b'),
    });
    fc.assert(
      fc.property(given, fc.boolean(), (one, agrees) => {
        const task = `${agrees ? one.family : 'own.Z'}_1`;
        const denial = denialOf(call('add_task', { task_id: task, ...one }), worker(), RULES);
        const all = [task, one.family, ...one.deps, ...one.new_deps];
        const allowed = all.every(isOwn) && agrees && /^w-own(:s)?$/.test(one.worker);
        assert.equal(denial === undefined, allowed, JSON.stringify([one, denial]));
      }),
    );
  });

  it('is never somebody who speaks for a worker that lives, whatever is only reported', () => {
    for (const name of ['w-other', 'w-other:x', 'w-other:'])
      assert.equal(denialOf(call('ping', { worker: name }), worker('report'), RULES)?.always, true, name);
    assert.deepEqual(denialOf(call('ping', { worker: 'somebody' }), worker('report'), RULES)?.always, false);
  });

  it('changes a worker when all that it does is of his namespaces', () => {
    const disable = (id: string) => call('disable_worker', { worker: id });
    const operator = person({ read: ['own'], operate: ['own'] });
    assert.equal(denialOf(disable('w-own'), operator, RULES), undefined);
    for (const id of ['w-other', 'w-both', 'unknown'])
      assert.equal(denialOf(disable(id), operator, RULES)?.reason, 'worker', id);
    const admin = person({ read: 'all', operate: 'all', admin: true });
    for (const id of ['w-other', 'unknown']) assert.equal(denialOf(disable(id), admin, RULES), undefined);
  });

  it('is known for each kind of method, by a table', () => {
    const callers = {
      worker: worker(),
      reader: person({ read: ['own'] }),
      operator: person({ read: ['own'], operate: ['own'] }),
      admin: person({ read: 'all', operate: 'all', admin: true }),
    };
    const allowed: Readonly<Record<string, readonly string[]>> = {
      worker: ['worker'],
      read: ['worker', 'reader', 'operator', 'admin'],
      operate: ['operator', 'admin'],
      admin: ['admin'],
    };
    for (const method of LUIGID_METHODS.values()) {
      const named = [...method.arguments].flatMap(([name, { kind }]) => (kind in NAMES ? [[name, NAMES[kind]]] : []));
      const wanted = { method, arguments: Object.fromEntries(named) };
      for (const [who, caller] of Object.entries(callers)) {
        const denial = denialOf(wanted, caller, RULES);
        assert.equal(denial === undefined, allowed[method.kind]?.includes(who), `${who} ${method.name}`);
      }
    }
  });
});

describe('the address of a request', () => {
  const isProxy = (address: string) => address.startsWith('10.');
  const of = (remoteAddress: string, forwarded?: string) =>
    clientAddress({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } } as never, isProxy);

  it('is the last that no proxy of ours wrote', () => {
    assert.equal(of('1.2.3.4', '9.9.9.9'), '1.2.3.4');
    assert.equal(of('10.0.0.1', '9.9.9.9'), '9.9.9.9');
    assert.equal(of('10.0.0.1', '9.9.9.9, 8.8.8.8, 10.0.0.2'), '8.8.8.8');
    assert.equal(of('::ffff:10.0.0.1', '::ffff:8.8.8.8'), '8.8.8.8');
    assert.equal(of('10.0.0.1', '10.0.0.3'), '10.0.0.3');
    assert.equal(of('10.0.0.1', '9.9.9.9, evil'), '10.0.0.1');
    // Azure's Application Gateway writes the port too.
    assert.equal(of('10.0.0.1', '9.9.9.9, 8.8.8.8:51034'), '8.8.8.8');
    assert.equal(of('10.0.0.1', '[2001:db8::7]:443'), '2001:db8::7');
    assert.equal(of('10.0.0.1', '8.8.8.8, 10.0.0.2:80'), '8.8.8.8');
    assert.equal(of('10.0.0.1', '2001:db8::7:443'), '2001:db8::7:443');
    assert.equal(of('10.0.0.1', '999.9.9.9:80'), '10.0.0.1');
    assert.equal(of('10.0.0.1'), '10.0.0.1');
    assert.equal(
      clientAddress(
        { socket: { remoteAddress: '10.0.0.1' }, headers: { 'x-forwarded-for': '9.9.9.9' } } as never,
        undefined,
      ),
      '10.0.0.1',
    );
  });
});

describe('the network of an address', () => {
  it('is one for all that one customer has', () => {
    for (const address of [
      '2001:db8:1:2::7',
      '2001:db8:1:2:ffff::1',
      '2001:DB8:1:2:0:0:0:0%eth0',
      '[2001:db8:1:2::9]:443',
    ])
      assert.equal(networkOf(address), '2001:db8:1:2::/64');
    assert.equal(networkOf('::1'), '0:0:0:0::/64');
    assert.equal(networkOf('2001:db8::'), '2001:db8:0:0::/64');
    for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1:5000'])
      assert.equal(networkOf(address), '192.0.2.1');
    for (const text of ['', 'no address']) assert.equal(networkOf(text), text);
  });
});

describe('records of calls', () => {
  const facts = (reason: string, more = {}) =>
    ({ type: 'dev.plumbline.luigid.refused', data: { reason, ...more } }) as const;

  it('are one at once for each kind, and one more with the count', async () => {
    const events: AuditEvent[] = [];
    const recorder = new CallRecorder({ append: async (event) => ({ sequence: events.push(event), hash: '' }) });
    for (let i = 0; i < 100; i++) await recorder.recorded(facts('a'));
    await recorder.recorded(facts('b'));
    assert.deepEqual(
      events.map(({ data }) => [data['reason'], data['count']]),
      [
        ['a', 1],
        ['b', 1],
      ],
    );
    await recorder.close();
    assert.deepEqual(
      events.slice(2).map(({ data }) => [data['reason'], data['count']]),
      [['a', 99]],
    );
  });

  it('are bounded, whatever somebody sends, and hold no credential', async () => {
    const events: AuditEvent[] = [];
    const recorder = new CallRecorder({ append: async (event) => ({ sequence: events.push(event), hash: '' }) });
    for (let i = 0; i < 5_000; i++)
      await recorder.recorded(
        facts('a', { worker: `w${i}`, namespace: `Bearer ${'x'.repeat(40)}`, long: 'y'.repeat(10_000) }),
      );
    await recorder.close();
    assert.ok(events.length <= 502, `${events.length}`);
    assert.equal(
      events.reduce((sum, { data }) => sum + Number(data['count']), 0),
      5_000,
    );
    assert.doesNotMatch(JSON.stringify(events), /xxxxxxxxxx|y{1000}/);
  });

  it('that cannot be written let nothing pass, now and again', async () => {
    const recorder = new CallRecorder({
      append: async () => {
        throw new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'no disk');
      },
    });
    for (let i = 0; i < 2; i++) await assert.rejects(recorder.recorded(facts('a')), { code: 'ERR_AUDIT_UNAVAILABLE' });
    recorder.noted(facts('a'));
    await recorder.close();
  });
});

describe('attempts of an address', () => {
  it('are counted for a minute, for each address', () => {
    const attempts = new AttemptsPerAddress(3);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => attempts.add('a', 0)),
      [false, false, false, true],
    );
    assert.equal(attempts.add('b', 0), false);
    assert.equal(attempts.add('a', 60_000), false);
  });
});
