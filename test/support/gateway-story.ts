import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { installedNodeBinaries } from '#local-pipeline/node-handlers.ts';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { runPipeline } from '#local-pipeline/run-pipeline.ts';
import { packageExtension } from '../../scripts/package-extension.ts';
import { ROOT } from '../../scripts/repository.ts';
import { type LocalGateway, startLocalGateway } from '../../scripts/start-local-gateway.ts';
import { luigiPython } from './luigi-scenario.ts';
import { commandLines } from './run-processes.ts';

const EXAMPLE = resolve(ROOT, 'examples/gateway');

/** Values that no place may show but the process that needs them. */
export const CANARIES = {
  'customer-pseudonym-key': 'canary-pseudonym-7Hq2vX9pLm4Z',
  'report-signing-key': 'canary-signing-3Kd8wN6rTy1Q',
  plain: 'canary-plain-5Yq8Lw2ZtR',
  quoted: 'canary "quoted" \\ & <b>/ü 7Hd',
  lines: 'canaryLineOne4kQzV8nB2mX6sT1wE5rY7uI3\ncanaryLineTwo8jHgF5dSaQwErTyUiOpLkJh',
  parameter: 'canary-parameter-Kd93mXq7',
} as const;

export interface PipelineRun {
  readonly report: PipelineReport;
  /** The whole log, masked. */
  readonly log: string;
}

/**
 * A repository with a pipeline and the gateway's policy, a gateway that has this policy, and an agent without Python. Everything
 * lies below one folder.
 */
export class GatewayStory {
  readonly folder: string;
  readonly gateway: LocalGateway;
  /** Arguments of every process of this machine, as often as one could look. */
  readonly seenArguments = new Set<string>();
  #runs = 0;

  private constructor(folder: string, gateway: LocalGateway) {
    this.folder = folder;
    this.gateway = gateway;
  }

  static async start(program: string): Promise<GatewayStory> {
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-story-'));
    try {
      makeRepository(folder);
      const gateway = await startLocalGateway({
        folder: join(folder, 'gateway'),
        python: luigiPython(),
        program,
        isolation: 'none',
        policy: committed(folder, 'policy.yaml'),
        azure: azure(),
        settings: { 'logging.level': 'trace' },
      });
      return new GatewayStory(folder, gateway);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** SHA-256 of the policy that the gateway has. */
  policyHash(): string {
    return execFileSync('sha256sum', [this.gateway.files.policy], { encoding: 'utf8' }).split(' ')[0] ?? '';
  }

  /** Runs a pipeline of the repository with the built VSIX, on an agent that has Node and git and nothing of Luigi. */
  async run(file: string, variables: Readonly<Record<string, string>> = {}): Promise<PipelineRun> {
    this.#runs += 1;
    const at = (name: string) => {
      const path = join(this.folder, `${name}-${this.#runs}`);
      mkdirSync(path, { recursive: true });
      return path;
    };
    const look = setInterval(() => {
      for (const line of commandLines()) this.seenArguments.add(line);
    }, 15);
    try {
      const report = await runPipeline({
        file: join(this.folder, 'repository', file),
        vsix: await packageExtension(),
        out: at('out'),
        nodes: installedNodeBinaries(join(ROOT, 'node_modules')),
        node: 24,
        services: this.gateway.azure,
        variables: { 'System.DefinitionId': '7', ...variables },
        environment: {
          PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
          HOME: at('home'),
          TMPDIR: at('tmp'),
          LANG: 'C.UTF-8',
        },
      });
      return { report, log: readFileSync(report.log, 'utf8') };
    } finally {
      clearInterval(look);
    }
  }

  async close(): Promise<void> {
    await this.gateway.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The declaration of the example, with canaries as secrets. */
function azure(): AzureDeclaration {
  const declared = parse(readFileSync(join(EXAMPLE, 'azure.yml'), 'utf8'));
  declared.vaults[0].secrets = CANARIES;
  return declared;
}

/** `policy.yaml`, `azure-pipelines.yml` and one that leaks, on the branch main. */
function makeRepository(folder: string): void {
  const repository = join(folder, 'repository');
  mkdirSync(repository);
  mkdirSync(join(folder, 'code'));
  cpSync(resolve(ROOT, 'test/fixtures/luigi/leaky.py'), join(folder, 'code/leaky.py'));
  const pipeline = readFileSync(join(EXAMPLE, 'azure-pipelines.yml'), 'utf8');
  writeFileSync(join(repository, 'azure-pipelines.yml'), pipeline);
  const leaky = pipeline
    .replace('role: sales-report', 'role: leaky')
    .replace('retail.orders_pipeline', 'leaky')
    .replace('task: SalesReport', 'task: Leaky')
    .replace(/ {10}parameters: \|\n.*\n/, '');
  writeFileSync(join(repository, 'leaky.yml'), leaky);
  writeFileSync(join(repository, 'policy.yaml'), policy(folder));
  const git = (...args: string[]) => execFileSync('git', args, { cwd: repository, stdio: 'ignore' });
  git('init', '--initial-branch=main');
  git('add', '.');
  git('-c', 'user.name=Robin', '-c', 'user.email=robin@contoso.example', 'commit', '-m', 'Who may run what');
  assert.ok(readdirSync(repository).includes('.git'));
}

function committed(folder: string, file: string): string {
  return execFileSync('git', ['show', `HEAD:${file}`], { cwd: join(folder, 'repository'), encoding: 'utf8' });
}

/** The example's policy and a role whose task shows its secrets wherever it can. */
function policy(folder: string): string {
  const document = parse(readFileSync(join(EXAMPLE, 'policy.yaml'), 'utf8'));
  const grant = (secret: string, target: string, name: string) => ({ vault: 'contoso-retail', secret, target, name });
  document.roles.leaky = {
    ...document.roles['sales-report'],
    modules: ['leaky'],
    tasks: ['Leaky'],
    parameters: {},
    variables: {},
    // Two roles share neither identities nor namespaces.
    taskIdentities: undefined,
    namespaces: undefined,
    code: { ...document.roles['sales-report'].code, path: join(folder, 'code') },
    secrets: [
      grant('plain', 'environment', 'PLAIN'),
      grant('quoted', 'environment', 'QUOTED'),
      grant('lines', 'file', 'LINES'),
      grant('parameter', 'parameter', 'password'),
    ],
  };
  document.roles.leaky.attempts = 1;
  const [binding] = document.bindings;
  binding.roles.push('leaky');
  for (const example of binding.examples.deny) example.role = 'sales-report';
  return stringify(document);
}
