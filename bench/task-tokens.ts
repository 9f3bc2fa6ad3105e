import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { buildGateway } from '../scripts/build-gateway.ts';
import { type RunningLuigid, startLuigid } from '../scripts/start-luigid.ts';
import { luigiPython } from '../test/support/luigi-scenario.ts';
import { TaskIdentityGateway } from '../test/support/task-identity-gateway.ts';
import { type Figure, figure, median } from './figure.ts';

/** `PLUMBLINE_BENCH_SCALE=0.05` makes a quick look of it. */
const SCALE = Number(process.env['PLUMBLINE_BENCH_SCALE'] || 1);
const RUNS = Math.max(1, Math.round(10 * SCALE));
const TASKS = Math.max(20, Math.round(1_000 * Math.min(1, SCALE * 2)));
const WORKERS = 8;
const EXCHANGE_MS = 10_000 * Math.min(1, SCALE * 2);
const AT_ONCE = 8;
const GOALS = { taskMs: 5 } as const;
const TICKS_PER_SECOND = 100;

/**
 * What a token for each task and the guarded luigid cost: runs of 1,000 tasks through a gateway that issues tokens, with a luigid on a Unix socket
 * behind it, against the same runs with the same worker at an open luigid. Ten runs of each kind, interleaved, on one luigid of each kind:
 * one run of 10,000 tasks would measure luigid, whose get_work sorts all pending tasks at each call.
 */
export async function taskTokens(): Promise<readonly Figure[]> {
  const { program } = await buildGateway();
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-luigid-'));
  const open = await startLuigid(folder, luigiPython());
  const guarded = await gatewayOf(program, { luigid: true });
  const direct = await gatewayOf(program, { config: { luigid: open.url } });
  try {
    return [...(await runs(guarded, direct, open)), ...(await exchanges(guarded))];
  } finally {
    await guarded.close();
    await direct.close();
    await open.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function gatewayOf(program: string, more: { luigid?: boolean; config?: object }): Promise<TaskIdentityGateway> {
  return TaskIdentityGateway.start({
    program,
    ...(more.luigid && { luigid: true }),
    config: { logging: { level: 'warn' }, ...more.config },
    policy: (usual) => {
      const { etl = {} } = usual.roles;
      const { taskIdentities: _, ...plain } = etl;
      const families = [
        { tasks: ['Item', 'First'], identity: 'sales' },
        { tasks: ['Many'], identity: 'stock' },
      ];
      const variables = { ...(etl['variables'] as object), KEEP_TOKENS: '1' };
      const role = more.luigid ? { ...plain, variables, taskIdentities: families } : plain;
      return { ...usual, roles: { etl: role } };
    },
  });
}

/** One run, from its creation until its end is known. */
interface Measured {
  readonly wallMs: number;
  readonly gatewayCpuMs: number;
  readonly luigidCpuMs: number;
  /** Of supervisor, worker and all of its tasks. */
  readonly workerCpuMs: number;
}

async function runs(guarded: TaskIdentityGateway, direct: TaskIdentityGateway, open: RunningLuigid): Promise<Figure[]> {
  const ours: Measured[] = [];
  const plain: Measured[] = [];
  for (let round = 0; round < RUNS; round++) {
    plain.push(await measured(direct, round, open.pid));
    ours.push(await measured(guarded, round, guarded.luigid?.pid ?? 0));
  }
  const issued = guarded.issued().length;
  if (issued !== RUNS * TASKS) throw new Error(`${issued} tokens for ${RUNS * TASKS} tasks.`);
  const each = (kind: keyof Measured, of: readonly Measured[]) => sum(of.map((one) => one[kind])) / (RUNS * TASKS);
  const what = `${RUNS} runs of ${TASKS} tasks, ${WORKERS} workers`;
  const added = median(ours.map(({ wallMs }, i) => (wallMs - (plain[i]?.wallMs ?? 0)) / TASKS));
  return [
    figure(
      'task-tokens',
      `${what}: wall of a task, against an open luigid`,
      each('wallMs', ours),
      each('wallMs', plain),
      'ms',
    ),
    figure(
      'task-tokens',
      `${what}: wall that a task costs more (median of pairs), against the goal`,
      added,
      GOALS.taskMs,
      'ms',
    ),
    figure(
      'task-tokens',
      `${what}: CPU of the gateway for a task`,
      each('gatewayCpuMs', ours),
      each('gatewayCpuMs', plain),
      'ms',
    ),
    figure(
      'task-tokens',
      `${what}: CPU of supervisor, worker and task for a task`,
      each('workerCpuMs', ours),
      each('workerCpuMs', plain),
      'ms',
    ),
    figure(
      'task-tokens',
      `${what}: CPU of luigid for a task`,
      each('luigidCpuMs', ours),
      each('luigidCpuMs', plain),
      'ms',
    ),
  ];
}

async function measured(gateway: TaskIdentityGateway, round: number, luigid: number): Promise<Measured> {
  const own = gateway.served.child?.pid ?? 0;
  const before = [cpuMs(own), cpuMs(luigid), childrenCpuMs(own)] as const;
  const began = performance.now();
  const parameters = { name: `bench-${round}`, count: String(TASKS - 1) };
  const run = await gateway.create('Many', parameters, { workers: WORKERS });
  const { state, findings } = await gateway.outcomeOf(run, 600_000);
  const wallMs = performance.now() - began;
  if (state !== 'succeeded') throw new Error(`A run ended as ${state}: ${JSON.stringify(findings).slice(0, 500)}`);
  // The system counts the time of a child when it is gone.
  await gateway.served.until(() => readFileSync(`/proc/${own}/task/${own}/children`, 'utf8') === '');
  return {
    wallMs,
    gatewayCpuMs: cpuMs(own) - before[0],
    luigidCpuMs: cpuMs(luigid) - before[1],
    workerCpuMs: childrenCpuMs(own) - before[2],
  };
}

/** User and system time of a process, without that of its children. */
function cpuMs(pid: number): number {
  return timesOf(pid, 11);
}

/** Of the children that are gone, and of theirs. */
function childrenCpuMs(pid: number): number {
  return timesOf(pid, 13);
}

/** @param first index of one of two fields of proc(5), counted from the state of the process */
function timesOf(pid: number, first: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return ((Number(fields[first]) + Number(fields[first + 1])) / TICKS_PER_SECOND) * 1_000;
}

/** Tokens one after another over the workers' socket by eight at once; the work that cannot be less is the signature. */
async function exchanges(gateway: TaskIdentityGateway): Promise<Figure[]> {
  const run = await gateway.create('First', { name: 'exchange' });
  const { held } = await gateway.told('began-First-exchange');
  const pool = new Pool('http://gateway', {
    socketPath: gateway.workerSocket(),
    connections: AT_ONCE,
  });
  const own = gateway.served.child?.pid ?? 0;
  const times: number[] = [];
  const cpu = cpuMs(own);
  const began = performance.now();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, lane) => {
      for (let i = 0; performance.now() - began < EXCHANGE_MS; i++)
        times.push(await exchange(pool, held?.worker ?? '', `First_${lane}_${i}`));
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  const used = cpuMs(own) - cpu;
  await pool.close();
  gateway.open('exchange');
  await gateway.outcomeOf(run);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.ceil(times.length * share) - 1] ?? 0;
  const what = `exchange alone, ${AT_ONCE} at once, each on record`;
  const signature = signatureMs();
  return [
    figure(
      'task-tokens',
      `${what}: tokens, against bare RS256 signatures of one thread`,
      times.length / seconds,
      1_000 / signature,
      '1/s',
    ),
    figure('task-tokens', `${what}: p50, against the time of a bare signature`, at(0.5), signature, 'ms'),
    figure('task-tokens', `${what}: p99, against the time of a bare signature`, at(0.99), signature, 'ms'),
    figure('task-tokens', `${what}: CPU of a token, against a bare signature`, used / times.length, signature, 'ms'),
  ];
}

async function exchange(pool: Pool, worker: string, taskId: string): Promise<number> {
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: worker,
    subject_token_type: 'https://plumbline.dev/token-type/worker',
    task_family: 'First',
    task_id: taskId,
  });
  const began = performance.now();
  const answer = await pool.request({
    method: 'POST',
    path: '/v1/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: String(body),
  });
  const text = await answer.body.text();
  const took = performance.now() - began;
  if (answer.statusCode !== 200) throw new Error(`An exchange was answered with ${answer.statusCode}: ${text}`);
  return took;
}

function signatureMs(): number {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const key = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const data = Buffer.alloc(1_000, 'x');
  const began = performance.now();
  for (let i = 0; i < 1_000; i++) sign('sha256', data, key);
  return (performance.now() - began) / 1_000;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
