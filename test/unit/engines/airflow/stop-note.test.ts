import assert from 'node:assert/strict';
import fc from 'fast-check';
import { wellFormed } from '#core/well-formed.ts';
import { cut, LONGEST_NOTE, resumedBy, stopNoted, withResumption, withStop } from '#engines/airflow/stop-note.ts';

const REASON = fc.constantFrom('cancelled' as const, 'deadline' as const);
const ATTEMPT = fc.tuple(fc.nat(999), fc.nat(999)).map((numbers) => numbers.join('.'));
const NOTE = fc.option(fc.string({ unit: 'grapheme', maxLength: 1_500 }), { nil: undefined });

describe('the last line of a note', () => {
  it('is read back as it was written, whatever the note says before it', () => {
    fc.assert(
      fc.property(NOTE, REASON, ATTEMPT, (note, reason, attempt) => {
        const stopped = withStop(note, reason);
        assert.equal(stopNoted(stopped), reason);
        assert.equal(resumedBy(stopped), undefined);
        const resumed = withResumption(stopped, attempt);
        assert.equal(stopNoted(resumed), undefined);
        assert.equal(resumedBy(resumed), attempt);
        assert.ok([...stopped].length <= LONGEST_NOTE && [...resumed].length <= LONGEST_NOTE);
      }),
    );
  });

  it('takes the place of the one before, and leaves the rest of the note', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.array(REASON, { minLength: 1, maxLength: 5 }), (text, reasons) => {
        const own = `text ${text}.`;
        const note = reasons.reduce((before, reason) => withStop(before, reason), own);
        assert.equal(note, `${own}\nplumbline: ${reasons.at(-1)}`);
      }),
    );
  });

  it('is nothing that people or a longer line say', () => {
    for (const note of [
      undefined,
      '',
      'cancelled',
      'plumbline: cancelled by Ada',
      'not plumbline: cancelled',
      'plumbline: paused',
    ]) {
      assert.equal(stopNoted(note), undefined, note);
    }
    assert.equal(stopNoted('plumbline: cancelled'), 'cancelled');
  });

  it('is never bought with half a character', () => {
    assert.equal(cut('🙂🙂🙂', 2), '🙂…');
    assert.equal(cut('🙂🙂', 2), '🙂🙂');
    const note = withStop('🙂'.repeat(1_000), 'deadline');
    assert.equal(wellFormed(note), note);
  });
});
