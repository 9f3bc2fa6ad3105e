import assert from 'node:assert/strict';
import { AUDIT_TYPES } from '#gateway/audit/audit-types.ts';
import { AuditPlace } from '../../../support/audit-sample.ts';

describe('types of audit records', () => {
  it('are all taken by the log, and nothing else is', async () => {
    const place = new AuditPlace();
    const log = await place.open();
    try {
      for (const type of AUDIT_TYPES) await log.append({ type, data: {} });
      for (const type of [
        'person.signed-in',
        'dev.plumbline',
        'dev.plumbline.a-',
        'dev.plumbline.-a',
        'dev.plumbline.A',
      ])
        await assert.rejects(log.append({ type, data: {} }), TypeError, type);
      assert.deepEqual(
        place.lines().map((line) => JSON.parse(line).type),
        [...AUDIT_TYPES],
      );
    } finally {
      await log.close();
      place.remove();
    }
  });
});
