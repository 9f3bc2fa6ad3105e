import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGateway } from '../scripts/build-gateway.ts';
import { ROOT } from '../scripts/repository.ts';
import { freePort } from '../scripts/start-luigid.ts';
import { luigiPython } from '../test/support/luigi-scenario.ts';
import { eventsOf, ServedGateway, type ServedGatewayOptions } from '../test/support/served-gateway.ts';
import { type Figure, figure, median } from './figure.ts';

/** The goals of the gateway; each stands where a peer would, when there is none. */
const GOALS = { endMs: 200, readsPerSecond: 3_000, rejectionP99Ms: 5, rssMb: 250 } as const;
/** `PLUMBLINE_BENCH_SCALE=0.05` makes a quick look of it. */
const SCALE = Number(process.env['PLUMBLINE_BENCH_SCALE'] || 1);
const ROUNDS = scaled(11);
const READS_SECONDS = scaled(10);
const REJECTIONS = scaled(3_000);
const QUEUED_RUNS = scaled(200);
const CONNECTIONS = 32;

/** A gateway as a process of its own with real Luigi: how soon it tells, how much it serves, what it takes. */
export async function gateway(): Promise<readonly Figure[]> {
  const limits = { runs: 2, queued: 10_000, requestsPerCaller: 10_000_000, requestsPerAddress: 10_000_000 };
  const { program } = await buildGateway();
  const options = { program, config: { limits, logging: { level: 'warn' } }, role: { concurrency: 2 } };
  const figures = await on(options, async (served) => [
    ...(await starts(served)),
    await ends(served),
    ...(await reads(served)),
    await rejections(served),
  ]);
  // A process of its own: its memory is that of the queue, not of the load before.
  return [...figures, ...(await on(options, queue))];
}

async function on(options: ServedGatewayOptions, measure: (served: ServedGateway) => Promise<Figure[]>) {
  const served = new ServedGateway(options);
  try {
    await served.start();
    return await measure(served);
  } finally {
    await served.close();
  }
}

function scaled(count: number): number {
  return Math.max(1, Math.round(count * SCALE));
}

interface Created {
  readonly id: string;
  readonly runToken: string;
}

async function create(served: ServedGateway, key: string, body: object): Promise<Created> {
  const answer = await served.create(served.token(), key, body);
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Created;
}

/** From the request until the task's own code runs, against the same from the command line. */
async function starts(served: ServedGateway): Promise<Figure[]> {
  const ours: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await byHand(served, `hand-${round}`));
    ours.push(await bySubmission(served, `start-${round}`));
  }
  return [figure('gateway', 'submit until the task runs, against luigi by hand', median(ours), median(plain), 'ms')];
}

async function bySubmission(served: ServedGateway, name: string): Promise<number> {
  const began = Date.now();
  const { id, runToken } = await create(served, name, { task: 'Gate', parameters: { name } });
  const at = await beginOf(served, name);
  open(served, name);
  await outcomeOf(served, id, runToken);
  return at - began;
}

async function byHand(served: ServedGateway, name: string): Promise<number> {
  const began = Date.now();
  const args = ['-m', 'luigi', '--module', 'tasks_here', 'Gate', '--name', name, '--local-scheduler', '--no-lock'];
  const env = { PATH: process.env['PATH'], OUT: served.out, PYTHONPATH: served.folder };
  const child = spawn(luigiPython(), args, { cwd: served.folder, env, stdio: 'ignore' });
  const at = await beginOf(served, name);
  const ended = once(child, 'exit');
  open(served, name);
  await ended;
  return at - began;
}

async function beginOf(served: ServedGateway, name: string): Promise<number> {
  const path = join(served.out, `waiting-${name}`);
  await served.until(() => existsSync(path), 60_000);
  return statSync(path).mtimeMs;
}

function open(served: ServedGateway, name: string): void {
  writeFileSync(join(served.out, `open-${name}`), '');
}

/** Resolves at the event of the outcome. */
async function outcomeOf(served: ServedGateway, id: string, token: string): Promise<number> {
  const stream = await served.request(`/v1/runs/${id}/events`, token);
  const isOutcome = ({ data }: { data: unknown }) => (data as { kind?: string } | null)?.kind === 'outcome';
  const events = await eventsOf(stream, (seen) => seen.some(isOutcome));
  const known = Date.now();
  const last = events.find(isOutcome)?.data as { outcome: { state: string } } | undefined;
  if (last?.outcome.state !== 'succeeded') throw new Error(`The run ${id} ended as ${last?.outcome.state}.`);
  return known;
}

/** From the moment at which the supervisor writes how it ended until a follower has the outcome. */
async function ends(served: ServedGateway): Promise<Figure> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { id, runToken } = await create(served, `end-${round}`, {
      task: 'Load',
      parameters: { date: `end-${round}` },
    });
    const known = await outcomeOf(served, id, runToken);
    times.push(known - exitedAt(join(served.folder, 'runs', `${id}.1`)));
  }
  return figure('gateway', 'end of the run until the step knows, against the goal', median(times), GOALS.endMs, 'ms');
}

/** Milliseconds since the epoch, from the record that the supervisor leaves. */
function exitedAt(folder: string): number {
  const name = readdirSync(folder).find((one) => one.startsWith('exit'));
  if (name === undefined) throw new Error(`There is no record of an end in ${folder}.`);
  return (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { at: number }).at * 1_000;
}

/** One run read over and over with an access token, against a route of plain fastify; each server on one core of its own. */
async function reads(served: ServedGateway): Promise<Figure[]> {
  const token = served.token();
  const { id } = (await (
    await served.create(token, 'read', { task: 'Load', parameters: { date: 'read' } })
  ).json()) as Created;
  pin(served.child?.pid, 0);
  const ours = await load(`${served.url}/v1/runs/${id}`, token);
  pin(served.child?.pid, undefined);
  const plain = await plainFastify();
  try {
    pin(plain.pid, 0);
    const peer = await load(plain.url, token);
    return [
      figure('gateway', 'authenticated reads on one core, against a plain fastify route', ours, peer, '1/s'),
      figure('gateway', 'authenticated reads on one core, against the goal', ours, GOALS.readsPerSecond, '1/s'),
    ];
  } finally {
    plain.close();
  }
}

/** Keeps a process on one core, or lets it go again; where the system cannot, it stays where it is. */
function pin(pid: number | undefined, core: number | undefined): void {
  const cores = core === undefined ? `0-${availableParallelism() - 1}` : String(core);
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(pid)], { stdio: 'ignore' });
}

/** Requests a second, from a process of its own on another core. */
async function load(url: string, token: string): Promise<number> {
  const autocannon = createRequire(import.meta.url).resolve('autocannon');
  const code = `
    const [url, token] = require('node:fs').readFileSync(0, 'utf8').split('\\n');
    require(${JSON.stringify(autocannon)})({ url, connections: ${CONNECTIONS}, duration: ${READS_SECONDS}, headers: { authorization: 'Bearer ' + token } })
      .then(({ requests, non2xx }) => console.log(JSON.stringify({ average: requests.average, non2xx })));`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'ignore'] });
  pin(child.pid, availableParallelism() - 1);
  let output = '';
  child.stdout.on('data', (part) => {
    output += part;
  });
  child.stdin.end(`${url}\n${token}`);
  await once(child, 'close');
  const { average, non2xx } = JSON.parse(output) as { average: number; non2xx: number };
  if (non2xx > 0) throw new Error(`${non2xx} answers of ${url} were no success.`);
  return average;
}

async function plainFastify(): Promise<{ url: string; pid: number | undefined; close(): void }> {
  const port = await freePort();
  const fastify = createRequire(import.meta.url).resolve('fastify');
  const code = `
    const app = require(${JSON.stringify(fastify)})();
    const run = ${JSON.stringify({ id: 'a'.repeat(36), state: 'succeeded', specification: { role: 'etl', task: 'Load' } })};
    app.get('/run', async () => run);
    app.listen({ port: ${port} });`;
  const child = spawn(process.execPath, ['-e', code], { cwd: resolve(ROOT), stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}/run`;
  while (!(await fetch(url).catch(() => undefined))?.ok) await sleep(20);
  return { url, pid: child.pid, close: () => void child.kill() };
}

/** One after the other over one connection, each with another token that is forged; each refusal is on record before it is told. */
async function rejections(served: ServedGateway): Promise<Figure> {
  const times: number[] = [];
  for (let i = 0; i < REJECTIONS; i++) {
    const token = served.token('mallory', 'app', { aud: 'somebody-else' });
    const began = performance.now();
    const answer = await served.request('/v1/runs', token);
    await answer.arrayBuffer();
    times.push(performance.now() - began);
    if (answer.status !== 401) throw new Error(`A token for somebody else got ${answer.status}.`);
  }
  const p99 = times.sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1] ?? 0;
  return figure('gateway', 'p99 of a rejection, against the goal', p99, GOALS.rejectionP99Ms, 'ms');
}

/** Many runs at once, two at a time: how long until the last one ended, and the gateway's memory at its highest. */
async function queue(served: ServedGateway): Promise<Figure[]> {
  const began = performance.now();
  const runs: Created[] = [];
  for (let i = 0; i < QUEUED_RUNS; i++)
    runs.push(await create(served, `queued-${i}`, { task: 'Load', parameters: { date: `queued-${i}` } }));
  await Promise.all(runs.map(({ id, runToken }) => outcomeOf(served, id, runToken)));
  const seconds = (performance.now() - began) / 1_000;
  const single = await oneByHand(served);
  const rssMb = Number(/VmHWM:\s+(\d+) kB/.exec(statusOf(served.child?.pid))?.[1] ?? 0) / 1_024;
  return [
    figure(
      'gateway',
      `${QUEUED_RUNS} runs queued and run, against luigi by hand on two cores`,
      seconds,
      (single * QUEUED_RUNS) / 2,
      's',
    ),
    figure('gateway', `its memory after ${QUEUED_RUNS} runs, against the goal`, rssMb, GOALS.rssMb, 'MB'),
  ];
}

/** Seconds of one such run from the command line. */
async function oneByHand(served: ServedGateway): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const args = ['-m', 'luigi', '--module', 'tasks_here', 'Load', '--date', `by-hand-${round}`];
    const began = performance.now();
    const options = {
      cwd: served.folder,
      env: { PATH: process.env['PATH'], OUT: served.out, PYTHONPATH: served.folder },
    };
    const child = spawn(luigiPython(), [...args, '--local-scheduler', '--no-lock'], { ...options, stdio: 'ignore' });
    await once(child, 'exit');
    times.push((performance.now() - began) / 1_000);
  }
  return median(times);
}

function statusOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/status`, 'utf8');
}
