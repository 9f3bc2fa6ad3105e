import fc from 'fast-check';
import { checkInputs, checkMapping, hostileInputs, hostileMapping } from '../../support/hostile-inputs.ts';

describe('inputs that were mistyped or are hostile', () => {
  const { stackTraceLimit } = Error;
  // Mocha keeps whole stacks, which takes long for what is nested a thousand times.
  before(() => {
    Error.stackTraceLimit = 10;
  });
  after(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  it('are a map, or one error without a value', () =>
    fc.assert(fc.asyncProperty(hostileMapping, checkMapping), { numRuns: 300 }));

  it('are inputs that can be trusted, or one ERR_INPUT_INVALID', () =>
    fc.assert(fc.asyncProperty(hostileInputs, fc.boolean(), checkInputs), { numRuns: 300 }));
});
