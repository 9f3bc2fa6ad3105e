import assert from 'node:assert/strict';
import { AccessRecorder } from '#gateway/app/access-recorder.ts';
import { Problem } from '#gateway/app/problem.ts';
import type { AuditEvent } from '#gateway/audit/audit-log.ts';
import { refuseCredentials } from '#gateway/audit/redaction-guard.ts';
import type { Caller } from '#gateway/auth/caller.ts';
import { ManualClock } from '../../../support/audit-sample.ts';
import { callerNamed } from './gateway-world.ts';

const REQUEST = { id: 'r', method: 'GET', ip: '127.0.0.1', routeOptions: { url: '/v1/runs' } } as Parameters<
  AccessRecorder['read']
>[2];

describe('AccessRecorder', () => {
  let events: AuditEvent[];
  let recorder: AccessRecorder;
  beforeEach(() => {
    events = [];
    const append = async (event: AuditEvent) => {
      refuseCredentials(event);
      events.push(event);
      return { sequence: events.length, hash: '' };
    };
    recorder = new AccessRecorder({ append }, new ManualClock(0));
  });

  it('lets in whose environment or subject has a name that looks like a credential', async () => {
    const environment = 'Basic production-environment';
    const caller = callerNamed('t', { subject: `repo:o/r:environment:${environment}`, signed: { environment } });
    await recorder.tokenUsed(caller, 'r');
    await recorder.read(caller, undefined, REQUEST);
    await recorder.replayed(caller, new Problem('token-used', 'used'), REQUEST);
    assert.equal(events.length, 3);
    assert.doesNotMatch(JSON.stringify(events), /production-environment/);
  });

  it('records the run facts beside a token, and others beside the same one', async () => {
    const beside = (name: string): Caller => callerNamed('t', { runFacts: callerNamed(name) });
    for (const name of ['first', 'second', 'first']) await recorder.tokenUsed(beside(name), 'r');
    const recorded = events.map(({ data }) => (data['caller'] as { runFacts: { tokenHash: string } }).runFacts);
    assert.deepEqual(
      recorded.map(({ tokenHash }) => tokenHash),
      ['first', 'second'].map((name) => callerNamed(name).tokenHash),
    );
    assert.equal('claims' in (recorded[0] ?? {}), false);
  });
});
