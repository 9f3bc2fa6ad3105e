import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditReport } from '#gateway/audit/audit-report.ts';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { CANARIES, GatewayStory, type PipelineRun } from '../support/gateway-story.ts';
import { leaksOf, type Place, textsBelow } from '../support/leaks.ts';

/** A token of an issuer, or one that the gateway issued. */
const TOKEN = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}|plr_[0-9a-f-]{36}\.\d+\.[\w-]{20,}/g;

describe('RunLuigi at a gateway, from the policy in version control to the verified audit', function () {
  this.timeout(120_000);
  let program: string;
  let story: GatewayStory;

  before(async () => {
    ({ program } = await buildGateway());
    story = await GatewayStory.start(program);
  });
  after(() => story?.close());

  const step = ({ report, log }: PipelineRun) => {
    const found = report.steps.find(({ task }) => task === 'RunLuigi@1');
    assert.ok(found, log);
    return found;
  };
  const attachment = ({ report, log }: PipelineRun, type: string) => {
    const found = report.attachments.find((one) => one.type === type);
    assert.ok(found, log);
    return readFileSync(found.path, 'utf8');
  };
  const plumbline = (...args: string[]) => spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  const audit = () => join(story.gateway.files.state, 'audit');
  const vaultReads = () =>
    story.gateway.azure
      .exchanges()
      .filter(({ host, path }) => host.includes('.vault.') && path.startsWith('/secrets/'));

  it('runs the report of the quickstart, which publishes what it publishes on an agent', async () => {
    const run = await story.run('azure-pipelines.yml');
    assert.equal(run.report.result, 'Succeeded', run.log + story.gateway.log());
    const { outputs, issues } = step(run);
    assert.deepEqual(issues, []);
    assert.equal(outputs['runState'], 'succeeded');
    assert.match(outputs['gatewayRunId'] ?? '', /^[0-9a-f-]{36}$/);
    assert.ok(Number(outputs['tasksTotal']) >= 10, outputs['tasksTotal']);
    assert.match(attachment(run, 'Distributedtask.Core.Summary'), /SalesReport/);
    assert.match(attachment(run, 'plumbline-lineage'), /orders-2026-11-20\.csv/);
    assert.ok(readFileSync(join(story.gateway.files.reports, 'report.md'), 'utf8').length > 0);
    assert.ok(vaultReads().length >= 2, 'the gateway read the secrets itself');
  });

  it('runs nothing from another branch, and says which rule it was', async () => {
    const before = vaultReads().length;
    const run = await story.run('azure-pipelines.yml', { 'Build.SourceBranch': 'refs/heads/feature' });
    assert.equal(run.report.result, 'Failed');
    assert.equal(step(run).outputs['runState'], undefined);
    assert.match(
      step(run)
        .issues.map(({ message }) => message)
        .join('\n'),
      /ERR_RUN_DENIED|denied/i,
    );
    assert.equal(vaultReads().length, before);
  });

  it('keeps the secrets of a task that shows them wherever it can', async () => {
    const run = await story.run('leaky.yml');
    assert.equal(run.report.result, 'Failed', run.log);
    assert.equal(step(run).outputs['runState'], 'failed');
    const seen = JSON.parse(readFileSync(join(story.folder, 'code/seen.json'), 'utf8'));
    const { plain, quoted, lines, parameter } = CANARIES;
    assert.deepEqual(
      seen.lengths,
      [plain, quoted, lines, parameter].map((value) => [...value].length),
    );
    assert.equal(seen.mode, '0o600');
    assert.equal(seen.argv, 0);
  });

  it('afterwards the audit is intact and names who ran what, on which secrets, under which policy', async () => {
    assert.equal(await story.gateway.stop(), 0);
    const verified = plumbline('audit', 'verify', audit(), '--checkpoints', story.gateway.files.checkpoints, '--json');
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    const report = JSON.parse(plumbline('audit', 'report', audit(), '--json').stdout) as AuditReport;
    const [good, denied, leaky] = report.rows;
    assert.equal(report.rows.length, 3);
    assert.equal(good?.decision, 'allowed');
    assert.equal(good?.state, 'succeeded');
    assert.equal(good?.issuer, 'entra');
    assert.equal(good?.subject, '3d7b2f90-1e4c-4a8b-9c6d-5f0e8a1b7c42');
    assert.deepEqual(
      [good?.project, good?.pipeline, good?.ref],
      ['9c4e1f7a-2d3b-4a58-8e6f-7b0c5d1a2e93', '7', 'refs/heads/main'],
    );
    assert.deepEqual([good?.role, good?.task, good?.binding], ['sales-report', 'SalesReport', 'retail-pipeline-main']);
    assert.equal(good?.policy, story.policyHash());
    assert.deepEqual(
      good?.secrets.map((secret) => secret.replace(/@[0-9a-f]{32}$/, '@version')),
      ['contoso-retail/customer-pseudonym-key@version', 'contoso-retail/report-signing-key@version'],
    );
    assert.ok(good?.outputs.some((name) => name.endsWith('/report.md')));
    assert.equal(denied?.decision, 'denied');
    assert.ok(
      denied?.reasons.some((reason) => reason.includes('rpo_ref')),
      denied?.reasons.join(),
    );
    assert.deepEqual([leaky?.role, leaky?.state], ['leaky', 'failed']);
  });

  it('no secret and no token is left anywhere: log, store, audit, reports, arguments, files', () => {
    const files = textsBelow(story.folder);
    const argv: Place[] = [{ place: 'arguments of processes', text: [...story.seenArguments].join('\n') }];
    assert.ok(files.length > 50);
    assert.ok(story.seenArguments.size > 10);
    const places = [...files, ...argv];
    assert.deepEqual(leaksOf(Object.values(CANARIES), places), []);
    assert.equal(leaksOf([CANARIES.plain], [{ place: 'planted', text: `x${CANARIES.plain}` }]).length, 1);
    const tokens = places.flatMap(({ place, text }) => [...text.matchAll(TOKEN)].map(() => place));
    assert.deepEqual([...new Set(tokens)], []);
  });
});
