import assert from 'node:assert/strict';

/** Every line of a summary is one that we write: only inside a fence, where nothing acts, is it free. */
export function checkSummaryShape(summary: string): void {
  let fence: string | undefined;
  let columns = 0;
  for (const line of summary.trimEnd().split('\n')) {
    if (fence) {
      if (line === fence) fence = undefined;
      continue;
    }
    fence = /^(`{3,})text$/.exec(line)?.[1];
    assert.match(
      line,
      /^($|## |### |\| .*\|$|\|( --- \|)+$|\*\*|at |after |attempt |`{3,}text$|Verified: |Refuted: |Not verif|No identity|Plumbline|… |⚠️ )/u,
    );
    const cells = line.startsWith('|') ? line.replace(/\\[!-~]/g, '').split('|').length : 0;
    if (columns > 0 && cells > 0) assert.equal(cells, columns, line);
    columns = cells;
    assert.doesNotMatch(line, /<(?!br>)/);
  }
  assert.equal(fence, undefined);
}
