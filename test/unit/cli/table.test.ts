import assert from 'node:assert/strict';
import { printable } from '#cli/printable.ts';
import { table } from '#cli/table.ts';

describe('tables', () => {
  it('have columns as wide as their longest cell and no blanks at the end', () => {
    assert.deepEqual(
      table(
        ['who', 'what'],
        [
          ['a', 'b'],
          ['longer', ''],
        ],
      ),
      ['who     what', 'a       b', 'longer'],
    );
  });

  it('show what would move the cursor or turn the line', () => {
    assert.deepEqual(table(['a'], [['\u001b[2J\n\u202e\u0085']]), ['a', '\\u{1b}[2J\\u{a}\\u{202e}\\u{85}']);
    assert.equal(printable('a\nb\r', { lines: true }), 'a\nb\\u{d}');
  });
});
