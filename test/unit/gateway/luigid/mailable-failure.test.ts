import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { JsonValue } from '#core/json.ts';
import { encodeCall, readCall } from '#gateway/luigid/luigid-call.ts';
import { LUIGID_METHODS } from '#gateway/luigid/luigid-methods.ts';
import { luigiPython } from '../../../support/luigi-scenario.ts';

/** luigid with mails for many failures at once: says whom it writes to after these calls, and what it could not send. */
const MAILS = `
import json, sys, urllib.parse, luigi
from luigi import batch_notifier
from luigi.scheduler import Scheduler
sent = []
def send(subject, body, sender, recipients):
    body.encode("utf-8")
    sent.append(recipients[0])
batch_notifier.send_email = send
scheduler = Scheduler(state_path="none", batch_emails=True)
for method, form in json.load(sys.stdin):
    getattr(scheduler, method)(**json.loads(urllib.parse.parse_qs(form)["data"][0]))
scheduler._email_batcher.send_email()
print(json.dumps(sorted(sent)))
`;

describe('a failure of one role', () => {
  for (const [name, method, more] of [
    ['that explains itself by a number', 'add_task', { status: 'FAILED', expl: '5' }],
    ['by nothing but Python’s own', 'add_task', { status: 'FAILED', expl: 'NaN' }],
    ['by an object', 'add_task', { status: 'FAILED', expl: '{"a":1}' }],
    ['by what is no text at all', 'add_task', { status: 'FAILED', expl: [1] }],
    ['by half of a character', 'add_task', { status: 'FAILED', expl: '"\\ud800"' }],
    [
      'with half of a character in a parameter',
      'add_task',
      { status: 'FAILED', expl: '"x"', params: { a: '\udcff', '\udcfe': '' } },
    ],
    ['before it is scheduled, by a list', 'announce_scheduling_failure', { task_name: 'T', expl: [['x']] }],
    [
      'before it is scheduled, by half of a character',
      'announce_scheduling_failure',
      { task_name: 'T', expl: '\ud800' },
    ],
  ] as const) {
    it(`${name} keeps no mail from another`, function () {
      this.timeout(20_000);
      const mine = { family: 'sales.T', worker: 'w', owners: ['sales@example.com'], params: {}, ...more };
      const calls = [
        sent(method, method === 'add_task' ? { task_id: 'sales.T_1', ...mine } : mine),
        sent('add_task', {
          task_id: 'web.T_1',
          family: 'web.T',
          worker: 'w',
          owners: ['web@example.com'],
          status: 'FAILED',
          expl: '"real"',
        }),
      ];
      const output = execFileSync(luigiPython(), ['-c', MAILS], { input: JSON.stringify(calls), encoding: 'utf8' });
      assert.deepEqual(JSON.parse(output.trim().split('\n').at(-1) ?? ''), ['sales@example.com', 'web@example.com']);
    });
  }

  it('is told as it was when nothing is wrong with it', () => {
    for (const expl of ['"Traceback\\n  line \\u00e4 \\"x\\""', '""']) {
      const [, form] = sent('add_task', { task_id: 'sales.T_1', worker: 'w', status: 'FAILED', expl });
      assert.equal(JSON.parse(decodeURIComponent(form.slice(5))).expl, expl);
    }
  });
});

function sent(name: string, given: JsonValue): readonly [string, string] {
  const method = LUIGID_METHODS.get(name);
  assert.ok(method);
  return [name, encodeCall(readCall(method, `data=${encodeURIComponent(JSON.stringify(given))}`))];
}
