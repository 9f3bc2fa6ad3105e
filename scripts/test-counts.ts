/** What a test runner said at its end. `skips` are the titles or reasons of what it left out. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly string[];
}

/** The one thing that may be left out: specifications that lie beside the checkout, or do not. */
const SPECS = 'needs ../shared/specs';

/** Mocha's `spec` reporter: `12 passing (3s)`, `1 failing`, and `- title` for each test that was skipped. */
export function mochaCounts(output: string): TestCounts {
  return {
    passed: numberBefore(output, /^\s*(\d+) passing\b/m),
    failed: numberBefore(output, /^\s*(\d+) failing\b/m),
    skips: [...output.matchAll(/^\s+- (.+)$/gm)]
      .map(([, title = '']) => title)
      .slice(0, numberBefore(output, /^\s*(\d+) pending\b/m)),
  };
}

/** pytest with `-q -rs`: `12 passed, 1 failed, 2 skipped in 3.21s`, and `SKIPPED [1] file:line: reason`. */
export function pytestCounts(output: string): TestCounts {
  const last =
    output
      .trimEnd()
      .split('\n')
      .findLast((line) => / in \d+(\.\d+)?s\b/.test(line)) ?? '';
  return {
    passed: numberBefore(last, /(\d+) passed/),
    failed: numberBefore(last, /(\d+) failed/) + numberBefore(last, /(\d+) errors?\b/),
    skips: [...output.matchAll(/^SKIPPED \[\d+\] (.+)$/gm)].map(([, reason = '']) => reason),
  };
}

/**
 * The verdict on one runner: one that ends with an error counts as a failure even when it named none, and so does one
 * that ran nothing. In continuous integration every skip is a failure but those that need `../shared/specs`.
 */
export function judged(counts: TestCounts, exitCode: number | null, inCi: boolean): TestCounts {
  const { passed, skips } = counts;
  const silent = exitCode !== 0 || passed + counts.failed + skips.length === 0;
  const failed = counts.failed === 0 && silent ? 1 : counts.failed;
  const forbidden = inCi ? skips.filter((skip) => !skip.includes(SPECS)) : [];
  return { passed, failed: failed + forbidden.length, skips };
}

/** What a person needs of a runner's output: from its report of failures on, or all of it when it wrote none. */
export function failureReport(output: string): string {
  const start = output.search(/^(?=\s*\d+ passing\b)|^=+ (?:ERRORS|FAILURES) =+$/m);
  return (start < 0 ? output : output.slice(start)).trim();
}

function numberBefore(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}
