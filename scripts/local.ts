// npm run -s local -- FILE: runs a pipeline file on this machine; see --help.
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { PlumblineError } from '#core/errors.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { type LocalAzure, startLocalAzure } from '#local-azure/local-azure.ts';
import { type LocalArguments, parseLocalArguments, USAGE, UsageError } from '#local-pipeline/local-arguments.ts';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { PipelineFileError } from '#local-pipeline/position.ts';
import { packageExtension } from './package-extension.ts';
import { ROOT } from './repository.ts';
import { runHere } from './run-here.ts';
import { queuedPipelineRunner } from './run-queued-pipeline.ts';

const NOTHING_RAN = 64;
const AZURE_OF_NOBODY = {
  organization: { name: 'local' },
  project: { name: 'local' },
  tenants: [{ id: '00000000-0000-4000-8000-000000000000' }],
};

const EXIT = { Succeeded: 0, SucceededWithIssues: 0, Skipped: 0, Failed: 1, Canceled: 2 } as const;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  try {
    return await run(parseLocalArguments(argv));
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n\n${USAGE}`);
    else if (error instanceof PipelineFileError) console.error(error.message);
    else if (error instanceof PlumblineError) console.error([error.message, error.remedy].filter(Boolean).join(' '));
    else throw error;
    return NOTHING_RAN;
  }
}

async function run(args: LocalArguments): Promise<number> {
  const out = args.out === undefined ? mkdtempSync(join(tmpdir(), 'plumbline-local-')) : resolve(args.out);
  const azure = await openAzure(args, out);
  try {
    const report = await runWith(args, azure, out);
    await azure.settled();
    if (args.json !== undefined) writeFileSync(args.json, `${JSON.stringify(report, null, 2)}\n`);
    console.log(`${report.result}; log: ${report.log}`);
    return EXIT[report.result];
  } finally {
    await azure.close();
  }
}

/** Without a declaration an Azure of nobody: the step can publish, and nothing can leave this machine. */
async function openAzure({ azure: file, node }: LocalArguments, out: string): Promise<LocalAzure> {
  if (file === undefined) return startLocalAzure(AZURE_OF_NOBODY);
  if (!existsSync(file)) throw new UsageError(`The file ${file} does not exist.`);
  const declaration: AzureDeclaration = parse(readFileSync(file, 'utf8'));
  if (!Array.isArray(declaration?.pipelines)) return startLocalAzure(declaration);
  // What a step queues by REST runs beside it, quietly.
  const runQueued = queuedPipelineRunner({
    vsix: await packageExtension(),
    nodes: installedNodeBinaries(join(ROOT, 'node_modules')),
    node,
    out: join(out, 'queued'),
    ended: (buildId, { result, log }) => console.log(`Queued run ${buildId}: ${result}; log: ${log}`),
  });
  return startLocalAzure(declaration, { runQueued, directory: dirname(resolve(file)) });
}

function runWith(args: LocalArguments, services: LocalAzure, out: string): Promise<PipelineReport> {
  return runHere({
    file: args.file,
    out,
    node: args.node,
    services,
    variables: args.variables,
    secretVariables: secretsFromEnvironment(args.secrets),
    parameters: args.parameters,
  });
}

function secretsFromEnvironment(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const value = process.env[name];
      if (value === undefined) throw new UsageError(`--secret ${name}: there is no environment variable of that name.`);
      return [name, value];
    }),
  );
}
