import assert from 'node:assert/strict';
import type { Provenance } from '#core/provenance.ts';
import { attemptOf, numberedId, runKey } from '#run/run-key.ts';

const BASE: Provenance = {
  organizationUrl: 'https://dev.azure.com/fabrikam',
  organization: 'fabrikam',
  project: { id: 'p1', name: 'Sales' },
  kind: 'build',
  pipeline: { id: '3', name: 'nightly' },
  run: { id: '17', name: '20261120.1', url: '' },
  stage: { name: 'Build', attempt: 1 },
  job: { name: 'Test', id: 'j1', attempt: 1 },
  step: { name: 'RunLuigi', id: 's1' },
  source: {},
};
const leg =
  (name: string, step = 'RunLuigi') =>
  (variable: string) =>
    ({ 'System.JobIdentifier': `Build.Test.${name}`, 'System.TaskInstanceName': step })[variable];

describe('the run key', () => {
  it('is safe in file names and reads well', () => {
    const { id, readable } = runKey(BASE, leg('linux'));
    assert.match(id, /^plumbline-[0-9a-f]{20}$/);
    assert.equal(readable, 'fabrikam/Sales/run 17/Build/Test/Build.Test.linux/RunLuigi');
  });

  it('is the same in every attempt', () => {
    const again: Provenance = {
      ...BASE,
      stage: { name: 'Build', attempt: 2 },
      job: { ...BASE.job, id: 'j2', attempt: 3 },
      step: { ...BASE.step, id: 's2' },
    };
    assert.deepEqual(runKey(again, leg('linux')), runKey(BASE, leg('linux')));
    assert.notEqual(attemptOf(again), attemptOf(BASE));
  });

  for (const [what, other] of [
    ['organisation', { organizationUrl: 'https://dev.azure.com/contoso' }],
    ['project', { project: { id: 'p2', name: 'Sales' } }],
    ['kind of pipeline', { kind: 'release' }],
    ['pipeline run', { run: { ...BASE.run, id: '18' } }],
    ['stage', { stage: { name: 'Deploy', attempt: 1 } }],
    ['job', { job: { ...BASE.job, name: 'Other' } }],
  ] as const) {
    it(`differs by ${what}`, () => {
      assert.notEqual(runKey({ ...BASE, ...other }, leg('linux')).id, runKey(BASE, leg('linux')).id);
    });
  }

  it('differs by matrix leg and by step', () => {
    const ids = [leg('linux'), leg('mac'), leg('linux', 'RunLuigi1')].map((variable) => runKey(BASE, variable).id);
    assert.equal(new Set(ids).size, 3);
  });

  it('tells steps without a reference name apart by their instance', () => {
    const unnamed = () => undefined;
    const other = { ...BASE, step: { ...BASE.step, id: 's2' } };
    assert.notEqual(runKey(other, unnamed).id, runKey(BASE, unnamed).id);
  });

  it('numbers the runs of a key', () => {
    assert.deepEqual(
      [1, 2, 3].map((n) => numberedId('key', n)),
      ['key', 'key~2', 'key~3'],
    );
  });
});
