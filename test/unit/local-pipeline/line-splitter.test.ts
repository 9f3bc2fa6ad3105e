import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LineSplitter } from '#local-pipeline/line-splitter.ts';

function split(chunks: readonly Uint8Array[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

describe('the lines of a process', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['a\nb\n', ['a', 'b']],
    ['a\r\nb', ['a', 'b']],
    ['10 %\r20 %\r##vso[task.debug]x\r', ['10 %', '20 %', '##vso[task.debug]x']],
    ['a\n\nb', ['a', '', 'b']],
    ['\r\n', ['']],
    ['a\n\r\nb', ['a', '', 'b']],
    ['', []],
  ];
  for (const [text, lines] of cases)
    it(`${JSON.stringify(text)}`, () => assert.deepEqual(split([Buffer.from(text)]), lines));

  it('do not depend on how the bytes arrive', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '\r\n', 'ü', '😀', '##vso['), maxLength: 40 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(12)), (whole, sizes) => {
        const bytes = Buffer.from(whole);
        const chunks: Uint8Array[] = [];
        let from = 0;
        for (const size of sizes) {
          chunks.push(bytes.subarray(from, from + size));
          from += size;
        }
        chunks.push(bytes.subarray(from));
        assert.deepEqual(split(chunks), split([bytes]));
      }),
    );
  });

  it('a line of ten megabytes in pieces stays one line', () => {
    const piece = Buffer.alloc(65_536, 'x');
    const lines = split([...Array.from({ length: 160 }, () => piece), Buffer.from('\n')]);
    assert.deepEqual(
      lines.map((line) => line.length),
      [160 * 65_536],
    );
  });
});
