import fc from 'fast-check';
import type { Provenance } from '#core/provenance.ts';
import type { RunOutcome } from '#core/run.ts';
import { buildReport } from '#report/build-report.ts';
import { parseReport } from '#report/parse-report.ts';
import { renderSummary } from '#report/render-summary.ts';
import { arbitraryOutcome, arbitraryProvenance } from '../support/arbitrary-run.ts';
import { HostileRunReader, hostileRun } from '../support/hostile-events.ts';
import { checkInputs, checkMapping, hostileInputs, hostileMapping } from '../support/hostile-inputs.ts';
import { checkNeutralised, hostileBytes } from '../support/hostile-output.ts';
import { checkProvenance, hostileVariables } from '../support/hostile-variables.ts';
import { sampleFacts } from '../support/sample-report.ts';
import { fuzz } from '../support/soak.ts';
import { checkSummaryShape } from '../support/summary-shape.ts';
import { checkTaskLibCommand, taskLibCommand } from '../support/task-lib-commands.ts';

/** The same properties as in test/unit, for minutes. */
describe('text that is hostile or broken, for minutes', () => {
  const { stackTraceLimit } = Error;
  const reader = new HostileRunReader();
  // Mocha keeps whole stacks, which takes long for what is nested a thousand times.
  before(() => {
    Error.stackTraceLimit = 10;
  });
  after(() => {
    Error.stackTraceLimit = stackTraceLimit;
    reader.remove();
  });

  it('output of user code: no reader finds a command, and nothing but spaces is added', () =>
    fuzz(
      { name: 'output' },
      fc.property(hostileBytes, fc.array(fc.nat(200)), (bytes, cuts) => checkNeutralised(bytes, cuts)),
    ));

  it('event files: from the file to issues, report, summary and lineage, never green without evidence', () =>
    fuzz(
      { name: 'event files' },
      fc.property(hostileRun, (run) => reader.check(run)),
    ));

  it('maps in inputs', () => fuzz({ name: 'maps' }, fc.asyncProperty(hostileMapping, checkMapping)));

  it('all inputs of a step', () =>
    fuzz({ name: 'inputs' }, fc.asyncProperty(hostileInputs, fc.boolean(), checkInputs)));

  it("logging commands as task-lib writes them, read by the local pipeline's parser", () =>
    fuzz({ name: 'logging commands' }, fc.property(taskLibCommand, checkTaskLibCommand)));

  it('reports and summaries of any outcome', () =>
    fuzz({ name: 'summaries' }, fc.property(arbitraryOutcome, arbitraryProvenance, checkReport)));

  it('variables of the agent', () => fuzz({ name: 'variables' }, fc.property(hostileVariables, checkProvenance)));
});

function checkReport(outcome: RunOutcome, provenance: Provenance): void {
  const report = buildReport(outcome, provenance, sampleFacts());
  const read = parseReport(JSON.stringify(report));
  if (!read.ok) throw new Error(read.problem);
  checkSummaryShape(renderSummary(read.report));
}
