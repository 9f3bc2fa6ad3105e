import fc from 'fast-check';
import { HostileRunReader, hostileRun } from '../../../support/hostile-events.ts';

describe('an event file that is garbled or was written by somebody else', () => {
  const reader = new HostileRunReader();
  after(() => reader.remove());

  it('crashes nobody on its way to issues, report, summary and lineage, and is never green without full evidence', () => {
    fc.assert(
      fc.property(hostileRun, (run) => reader.check(run)),
      { numRuns: 500 },
    );
  });
});
