import assert from 'node:assert/strict';
import type { JsonValue } from '#core/json.ts';
import { CallRecorder } from '#gateway/luigid/call-recorder.ts';
import type { LuigidCaller } from '#gateway/luigid/luigid-caller.ts';
import { LuigidCalls } from '#gateway/luigid/luigid-calls.ts';
import { LUIGID_METHODS } from '#gateway/luigid/luigid-methods.ts';
import { LuigidReaders } from '#gateway/luigid/luigid-readers.ts';
import type { LuigidUpstream } from '#gateway/luigid/luigid-upstream.ts';

const POLICY = 'a'.repeat(64);

describe('what one person reads again and again', () => {
  it('is made ready once, however many of it is wanted', async () => {
    let made = 0;
    // Whoever writes it down looks at its status.
    const task = Object.defineProperty({}, 'status', {
      enumerable: true,
      get: () => {
        made += 1;
        return 'DONE';
      },
    });
    const answer = { 'sales.A_1': task, 'sales.B_1': {} } as unknown as JsonValue;
    const upstream = { read: async () => ({ answer, bytes: 100 }) } as unknown as LuigidUpstream;
    const recorder = new CallRecorder({ append: async () => ({ sequence: 1, hash: '' }) });
    const calls = new LuigidCalls({
      upstream,
      readers: new LuigidReaders({ upstream, now: () => 0 }),
      recorder,
      rules: {
        workers: { find: () => undefined },
        namespacesOf: () => [],
        batches: { seal: (_, id) => id, open: (_, id) => id },
      },
      now: () => 0,
    });
    const permission = { read: ['sales'], operate: [], admin: false, rules: [], policy: POLICY };
    const rita: LuigidCaller = { kind: 'person', id: 'rita', facts: {}, permission };
    const method = LUIGID_METHODS.get('task_list');
    assert.ok(method);
    for (const [most, shown] of [
      [1, '{"response": {"num_tasks":2}}'],
      [2, '{"response": {"sales.A_1":{"status":"DONE"},"sales.B_1":{}}}'],
      [3, '{"response": {"sales.A_1":{"status":"DONE"},"sales.B_1":{}}}'],
    ] as const) {
      const { body } = await calls.answer({ method, arguments: { max_shown_tasks: most } }, rita, 'r');
      assert.equal(String(body), shown);
    }
    assert.equal(made, 1);
    await recorder.close();
  });
});
