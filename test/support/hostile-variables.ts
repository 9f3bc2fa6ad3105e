import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import type { Provenance } from '#core/provenance.ts';
import { readProvenance } from '#core/read-provenance.ts';
import { describeLineage } from '#lineage/describe-lineage.ts';
import { buildReport } from '#report/build-report.ts';
import { parseReport } from '#report/parse-report.ts';
import { renderSummary } from '#report/render-summary.ts';
import { hostileText } from './arbitrary-run.ts';
import { sampleFacts } from './sample-report.ts';
import { succeededRun } from './sample-run.ts';
import { checkSummaryShape } from './summary-shape.ts';

type Variables = Readonly<Record<string, string | undefined>>;

const folder = new URL('../fixtures/provenance/', import.meta.url);
const recorded = readdirSync(folder).map(
  (file) => (JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { variables: Variables }).variables,
);
const names = [...new Set(recorded.flatMap((variables) => Object.keys(variables)))];
/** Stands for a password or a token in an address. */
const PASSWORD = 'hunter2-of-the-address';
const ADDRESSES = [
  `https://user:${PASSWORD}@dev.azure.com/fabrikam/_git/x`,
  `https://${PASSWORD}@github.com/a/b`,
  `http://user:${PASSWORD}@[::1]:99999/a`,
  `ssh://git:${PASSWORD}@host/a.git?token=${PASSWORD}#${PASSWORD}`,
  'git@ssh.dev.azure.com:v3/a/b/c',
  'https://',
  '//x',
];
const value = fc.oneof(
  hostileText,
  fc.constantFrom(undefined, '', ' ', '$(Build.BuildId)', '-1', '1e400', '0x1', 'NaN', 'refs/pull/x/merge', 'release'),
  fc.constantFrom('refs/heads/', 'refs/tags/%', '2026-99-99 00:00:00', '+275760-09-13T00:00:00.001Z', ...ADDRESSES),
);

/** The variables of a recorded run in which some were replaced by whatever somebody can set them to. */
export const hostileVariables: fc.Arbitrary<Variables> = fc
  .tuple(
    fc.constantFrom(...recorded),
    fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 8 }),
    fc.array(fc.constantFrom(...ADDRESSES), { maxLength: 1 }),
  )
  .map(([variables, changes, [address]]) => ({
    ...variables,
    ...Object.fromEntries(changes),
    ...(address && { 'Build.Repository.Uri': address }),
  }));

/** Either a provenance that report, summary and lineage can tell, without a password in it, or the one documented error. */
export function checkProvenance(variables: Variables): void {
  const provenance = provenanceOf(variables);
  if (provenance === undefined) return;
  assert.ok(!provenance.requestedFor?.name?.includes('@'));
  const { repositoryUrl = '' } = provenance.source;
  assert.ok(!repositoryUrl.includes(PASSWORD), repositoryUrl);
  const report = buildReport(succeededRun(), provenance, sampleFacts());
  assert.ok(parseReport(JSON.stringify(report)).ok);
  checkSummaryShape(renderSummary(report));
  const lineage = describeLineage(succeededRun(), provenance, { runId: 'r', workflow: 'x', producerVersion: '1' });
  for (const event of lineage.events) assert.ok(!Number.isNaN(Date.parse(event.eventTime)));
}

function provenanceOf(variables: Variables): Provenance | undefined {
  try {
    return readProvenance((name) => variables[name]);
  } catch (error) {
    if (error instanceof PlumblineError && error.code === 'ERR_PLATFORM_UNSUPPORTED') return undefined;
    throw error;
  }
}
