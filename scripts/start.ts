// npm start: runs examples/quickstart on this machine as an agent would, and says what came of it.
// npm start -- gateway: scripts/start-gateway.ts
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { parseReport } from '#report/parse-report.ts';
import { packageExtension } from './package-extension.ts';
import { ROOT } from './repository.ts';
import { showReport } from './show-report.ts';

const EXAMPLE = 'examples/quickstart';
const OUT = resolve(ROOT, 'out/quickstart');
const RESULT = resolve(OUT, 'result.json');

/** The pipeline in a process of its own: its live table has the terminal to itself, and Ctrl-C cancels it as a person would. */
function runQuickstart(): Promise<number> {
  const options = ['--azure', `${EXAMPLE}/azure.yml`, '--json', RESULT, '--out', OUT];
  const args = [resolve(ROOT, 'scripts/local.ts'), `${EXAMPLE}/azure-pipelines.yml`, ...options];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  process.on('SIGINT', () => undefined).on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((done, fail) => child.on('error', fail).on('exit', (code) => done(code ?? 1)));
}

function tell({ attachments, tags, result }: PipelineReport): void {
  const path = (type: string) => attachments.find((attachment) => attachment.type === type)?.path;
  const report = path('plumbline-report');
  const parsed = report === undefined ? undefined : parseReport(readFileSync(report, 'utf8'));
  if (parsed === undefined) console.log('\nThe run published no report; its log says why.');
  else if (parsed.ok) showReport(parsed.report);
  else console.log(`\n${parsed.problem}`);
  console.log(`\nThe pipeline run ended as ${result}. What it published, here and in Azure DevOps alike:`);
  for (const { type, path } of attachments) console.log(`  ${titleOf(type).padEnd(8)} ${relative(ROOT, path)}`);
  if (tags.length > 0) console.log(`  tags     ${tags.join(', ')}`);
}

function titleOf(attachmentType: string): string {
  if (attachmentType === 'Distributedtask.Core.Summary') return 'summary';
  return attachmentType.replace(/^plumbline-/, '');
}

async function startQuickstart(): Promise<void> {
  rmSync(OUT, { recursive: true, force: true });
  await packageExtension();
  process.exitCode = await runQuickstart();
  if (existsSync(RESULT)) tell(JSON.parse(readFileSync(RESULT, 'utf8')) as PipelineReport);
}

const [what, ...args] = process.argv.slice(2);
if (what === undefined) await startQuickstart();
else if (what === 'gateway') await (await import('./start-gateway.ts')).startGateway(args);
else {
  console.error('usage: npm start, or npm start -- gateway [--check]');
  process.exitCode = 64;
}
