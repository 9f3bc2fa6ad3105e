import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunOutcome } from '#core/run.ts';
import { identitiesOfTasks, luigidAsWorker, luigidWithoutCredential } from './check-guarded-luigid.ts';
import type { ProofHeaders } from './gateway-callers.ts';
import { ROOT } from './repository.ts';
import type { LocalGateway } from './start-local-gateway.ts';

export interface GatewayCheck {
  readonly gateway: LocalGateway;
  /** New headers of the pipeline. */
  readonly proof: () => Promise<ProofHeaders>;
  /** The built `plumbline`. */
  readonly program: string;
  /** What workers run. */
  readonly python: string;
  /** The printed commands. */
  readonly curl: {
    readonly start: readonly string[];
    /** With the id of the run it follows. */
    readonly follow: (run: string) => readonly string[];
    readonly list: readonly string[];
  };
}

/** What came of one call. */
export interface Seen {
  readonly ok: boolean;
  /** This machine cannot try it: neither good nor bad. */
  readonly isUntried?: boolean;
  readonly what: string;
  readonly saw: string;
}

const REPORT = { role: 'sales-report', module: 'retail.orders_pipeline', task: 'SalesReport' };
const RUN_LIMIT_MS = 120_000;
/** Of the output of a run that failed. */
const OUTPUT_LINES = 20;

/** Makes the printed call, refused ones and a run of the pipeline, and reads the audit; prints what came of each. */
export async function checkGateway(check: GatewayCheck): Promise<boolean> {
  const { gateway, proof, program } = check;
  const steps = [
    () => printedCommands(check),
    () => printedList(check),
    () => forged(gateway),
    async () => denied(gateway, await proof()),
    async () => pipelineRun(gateway, await proof()),
    () => luigidWithoutCredential(gateway),
    () => luigidAsWorker(gateway, check.python),
    () => stopped(gateway),
    () => identitiesOfTasks(gateway),
    () =>
      plumbline(
        program,
        'audit',
        'verify',
        join(gateway.files.state, 'audit'),
        '--checkpoints',
        gateway.files.checkpoints,
      ),
    () => plumbline(program, 'audit', 'report', join(gateway.files.state, 'audit')),
    () => withoutSecrets(gateway),
  ];
  const results: Seen[] = [];
  for (const step of steps) {
    const seen: Seen = await step().catch((error: Error) => ({ ok: false, what: 'a call', saw: error.message }));
    console.log(`${seen.isUntried ? '–' : seen.ok ? '✔' : '✘'} ${seen.what}: ${seen.saw}`);
    results.push(seen);
  }
  return results.every(({ ok }) => ok);
}

async function printedCommands({ curl }: GatewayCheck): Promise<Seen> {
  const what = 'the printed commands start a run and follow it';
  const { status, output } = await execute(curl.start);
  if (status !== 0) return { ok: false, what, saw: output };
  const { id } = JSON.parse(output) as { id: string };
  const end = endIn((await execute(curl.follow(id))).output) ?? { state: 'without an outcome', why: '' };
  return { ok: end.state === 'succeeded', what, saw: `run ${id} ${end.state}${end.why}` };
}

async function printedList({ curl }: GatewayCheck): Promise<Seen> {
  const what = 'the printed command shows it';
  const { status, output } = await execute(curl.list);
  if (status !== 0) return { ok: false, what, saw: output };
  const { runs } = JSON.parse(output) as { runs: readonly unknown[] };
  return { ok: runs.length === 1, what, saw: `${runs.length} run` };
}

async function forged({ url }: LocalGateway): Promise<Seen> {
  const token = ['{"alg":"none"}', '{"sub":"somebody"}', ''].map((part) => Buffer.from(part).toString('base64url'));
  const answer = await fetch(`${url}/v1/runs`, { headers: { authorization: `Bearer ${token.join('.')}` } });
  const asks = answer.headers.get('www-authenticate') ?? '';
  const saw = `${answer.status} ${await codeOf(answer)}`;
  return { ok: answer.status === 401 && asks.startsWith('Bearer'), what: 'a forged token is refused', saw };
}

async function denied(gateway: LocalGateway, proof: ProofHeaders): Promise<Seen> {
  const answer = await create(gateway, proof, 'denied', { ...REPORT, task: 'PriceList', parameters: {} });
  return {
    ok: answer.status === 403,
    what: 'a task that the role does not have is refused',
    saw: `${answer.status} ${await codeOf(answer)}`,
  };
}

async function pipelineRun(gateway: LocalGateway, proof: ProofHeaders): Promise<Seen> {
  const what = 'a further run, followed with the token that belongs to it';
  const body = { ...REPORT, parameters: { date: '2026-11-20', days: '2' }, workers: 2 };
  const answer = await create(gateway, proof, 'sales/4711', body);
  const run = (await answer.json()) as { id: string; runToken: string; detail?: string };
  if (answer.status !== 201) return { ok: false, what, saw: `${answer.status} ${run.detail}` };
  const { state, why } = await endOf(gateway, run.id, { authorization: `Bearer ${run.runToken}` });
  return { ok: state === 'succeeded', what, saw: `run ${run.id} ${state}${why}` };
}

function create({ url }: LocalGateway, proof: ProofHeaders, key: string, body: object): Promise<Response> {
  const headers = { ...proof, 'idempotency-key': key, 'content-type': 'application/json' };
  return fetch(`${url}/v1/runs`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function codeOf(answer: Response): Promise<string> {
  return ((await answer.json()) as { code?: string }).code ?? 'without a code';
}

/** How a run ended, and what is told of it when it did not end well. */
interface RunEnd {
  readonly state: string;
  readonly why: string;
}

/** Follows the events of a run to the last one; one that failed has its output beside it. */
async function endOf({ url }: LocalGateway, id: string, proof: ProofHeaders): Promise<RunEnd> {
  const signal = AbortSignal.timeout(RUN_LIMIT_MS);
  const ask = (part: string) => fetch(`${url}/v1/runs/${id}/${part}`, { headers: { ...proof }, signal });
  const stream = await ask('events');
  const end = endIn(await stream.text());
  if (end === undefined) return { state: `left ${stream.status} without an outcome`, why: '' };
  if (end.state === 'succeeded') return end;
  const output = (await (await ask('logs')).text()).trimEnd().split('\n').slice(-OUTPUT_LINES).join('\n');
  return { ...end, why: `${end.why}\n${indented(output)}` };
}

function endIn(events: string): RunEnd | undefined {
  const told = /^data: (.*"kind":"outcome".*)$/m.exec(events)?.[1];
  if (told === undefined) return undefined;
  const { outcome } = JSON.parse(told) as { outcome: Pick<RunOutcome, 'state' | 'findings'> };
  return {
    state: outcome.state,
    why: outcome.findings.map(({ code, message }) => `\n    ${code}: ${message}`).join(''),
  };
}

/** With its end it vouches for the whole log: verified is what nothing is added to. */
async function stopped(gateway: LocalGateway): Promise<Seen> {
  const status = await gateway.stop();
  return { ok: status === 0, what: 'the gateway stops', saw: `exit status ${status}` };
}

async function plumbline(program: string, ...args: readonly string[]): Promise<Seen> {
  const { status, output } = await execute([process.execPath, program, ...args]);
  return { ok: status === 0, what: `plumbline ${args.slice(0, 2).join(' ')}`, saw: `\n${indented(output)}` };
}

async function withoutSecrets({ files, azure }: LocalGateway): Promise<Seen> {
  const log = readFileSync(files.log, 'utf8');
  const secrets = [...log.matchAll(/only-on-this-machine-\w+|ey[\w-]{20,}\.[\w-]{20,}\.[\w-]+|pl[rsw]_[\w.-]{40,}/g)];
  const reads = azure.exchanges().filter(({ host, path }) => host.includes('.vault.') && path.startsWith('/secrets/'));
  const saw = `${secrets.length} in ${log.split('\n').length - 1} lines; Key Vault was asked ${reads.length} times by the gateway`;
  return { ok: secrets.length === 0 && reads.length > 0, what: 'no token and no secret in the log', saw };
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

function execute([command = '', ...args]: readonly string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', fail);
    child.on('close', (status) => done({ status, output: Buffer.concat(chunks).toString('utf8') }));
  });
}
