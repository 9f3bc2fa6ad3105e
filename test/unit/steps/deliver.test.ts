import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deliver } from '#steps/deliver.ts';
import { recordingHost } from '../../support/recording-host.ts';
import { failedRun, sampleProvenance } from '../../support/sample-run.ts';

const REF = { id: 'plumbline-1', engine: 'luigi', handle: '/runs/plumbline-1' };

describe('what is kept of a run', () => {
  let temp: string;
  beforeEach(() => {
    temp = mkdtempSync(join(tmpdir(), 'plumbline-deliver-'));
  });
  afterEach(() => rmSync(temp, { recursive: true, force: true }));

  async function delivered() {
    const host = recordingHost({ variables: { 'Agent.TempDirectory': temp } });
    const findings = await deliver(REF, failedRun(), {
      workflow: 'DailyReport',
      lineage: 'file',
      grants: { identity: undefined, uses: [] },
      provenance: sampleProvenance(),
      host,
      signal: new AbortController().signal,
    });
    return { findings, outputs: Object.fromEntries(host.outputs) };
  }

  it('is in files of its owner, named by output variables', async () => {
    const { findings, outputs } = await delivered();
    assert.deepEqual(findings, []);
    for (const path of [outputs['reportFile'], outputs['lineageFile']]) {
      assert.ok(path);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.notEqual(readFileSync(path, 'utf8'), '');
    }
  });

  it('is not less because files cannot be written: each is told, the output variables are set', async () => {
    mkdirSync(join(temp, 'plumbline'));
    writeFileSync(join(temp, 'plumbline/reports'), 'no folder');
    const { findings, outputs } = await delivered();
    assert.deepEqual(
      findings.map(({ severity, code }) => `${severity} ${code}`),
      Array(3).fill('warning ERR_PUBLISH_FAILED'),
    );
    for (const name of ['lineage.jsonl', 'report.json', 'summary.md']) {
      assert.ok(findings.some(({ message, remedy }) => message.includes(name) && remedy));
    }
    assert.deepEqual([outputs['reportFile'], outputs['lineageFile']], ['', '']);
    assert.deepEqual([outputs['runState'], outputs['tasksTotal'], outputs['tasksFailed']], ['failed', '5', '1']);
  });

  it('is named only where it is whole', async () => {
    const folder = join(temp, 'plumbline/reports', REF.id);
    mkdirSync(join(folder, 'report.json'), { recursive: true });
    const { findings, outputs } = await delivered();
    assert.equal(findings.length, 1);
    assert.equal(outputs['reportFile'], '');
    assert.ok(existsSync(outputs['lineageFile'] ?? ''));
  });
});
