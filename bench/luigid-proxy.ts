import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGateway } from '../scripts/build-gateway.ts';
import { freePort, startLuigid } from '../scripts/start-luigid.ts';
import { luigiPython } from '../test/support/luigi-scenario.ts';
import { ServedGateway } from '../test/support/served-gateway.ts';
import { type Figure, figure, median } from './figure.ts';
import { hasOAuth2Apache, startOAuth2Apache } from './oauth2-apache.ts';
import { cpuMicroseconds, pin } from './process-cpu.ts';

/** The goals of the way to luigid; each stands where a peer would, when there is none. */
const GOALS = { cpuMicroseconds: 150, addedP99Ms: 3 } as const;
/** Of 2026-11-21, with logging off; it is not to be had from any registry of this project. Its own measurement, not this run's. */
const OAUTH2_PROXY_MICROSECONDS = 400;
/** `PLUMBLINE_BENCH_SCALE=0.05` makes a quick look of it. */
const SCALE = Number(process.env['PLUMBLINE_BENCH_SCALE'] || 1);
const ROUNDS = Math.max(1, Math.round(3 * SCALE));
const LOAD_SECONDS = Math.max(2, Math.round(8 * SCALE));
const LATENCIES = Math.max(200, Math.round(4_000 * SCALE));
const WATCH_SECONDS = Math.max(4, Math.round(20 * SCALE));
/** Each list looks at all of them and shows none, so that it is luigid's time that is measured. */
const WATCHED_TASKS = 2_000;
const CONNECTIONS = 32;
const BENCH = 'luigid-proxy';

/**
 * What a worker's call through the gateway costs beside Apache with mod_oauth2, how much later luigid answers, and what people
 * who watch cost luigid. The gateway verifies its own worker's token, decides, reads and writes anew; Apache verifies an RS256
 * token and hands bytes on. Both have the same calls, connections and upstream, each on the same core.
 */
export async function luigidProxy(): Promise<readonly Figure[]> {
  const { program } = await buildGateway();
  return [...(await costs(program)), ...(await waits(program))];
}

/** A gateway in front of something that is or stands for a luigid, with a worker and with people who bring nothing. */
class ProxyScenario {
  readonly served: ServedGateway;
  authorization = '';
  workerId = '';

  constructor(program: string, luigid: string) {
    const limits = { requestsPerCaller: 10_000_000, requestsPerAddress: 10_000_000 };
    const config = { limits, logging: { level: 'warn' }, luigid: { url: luigid } };
    const anonymous = {
      name: 'watchers',
      issuer: 'anonymous',
      match: { all: [{ claim: 'address', equals: '127.0.0.1' }] },
      roles: ['etl'],
      mode: 'report',
      examples: { allow: [{ claims: { address: '127.0.0.1' } }], deny: [{ claims: { address: '127.0.0.2' } }] },
    };
    const role = { scheduler: undefined, stockLuigi: true, namespaces: ['bench'] };
    const base = new ServedGateway({ program, config, role });
    const bindings = [...(base.policy() as { bindings: object[] }).bindings, anonymous];
    Object.assign(base.options, { policy: { bindings } });
    this.served = base;
  }

  async start(): Promise<void> {
    const { served } = this;
    served.writePolicy(served.policy());
    await served.start();
    const answer = await served.request('/v1/luigid/workers', served.token(), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'bench' },
      body: JSON.stringify({ role: 'etl', module: 'tasks_here', task: 'Load' }),
    });
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    const { workerId, schedulerUrl } = (await answer.json()) as { workerId: string; schedulerUrl: string };
    const { username, password } = new URL(schedulerUrl);
    this.workerId = workerId;
    this.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  get pid(): number {
    return this.served.child?.pid ?? 0;
  }

  /** As Luigi sends a task that it schedules: about one kilobyte. */
  get task(): string {
    const name = 'bench.Load_2026_11_21_eu_west_0123456789';
    const given = {
      task_id: name,
      status: 'PENDING',
      runnable: true,
      deps: Array.from({ length: 6 }, (_, i) => `bench.Get_2026_11_21_eu_west_012345678${i}`),
      new_deps: null,
      expl: null,
      resources: { desks: 1 },
      priority: 0,
      family: 'bench.Load',
      module: 'tasks_here',
      params: { day: '2026-11-21', region: 'eu-west', source: 'orders', limit: '1000' },
      param_visibilities: { day: 0, region: 0, source: 0, limit: 0 },
      accepts_messages: false,
      assistant: false,
      tracking_url: null,
      worker: this.workerId,
      batchable: false,
      batch_id: null,
      retry_policy_dict: { retry_count: null, disable_hard_timeout: null, disable_window: null },
      owners: [],
    };
    return `data=${encodeURIComponent(JSON.stringify(given)).replaceAll('%20', '+')}`;
  }

  get ping(): string {
    return `data=${encodeURIComponent(JSON.stringify({ worker: this.workerId }))}`;
  }
}

async function costs(program: string): Promise<Figure[]> {
  const upstream = await standIn();
  const scenario = new ProxyScenario(program, upstream.url);
  const apache = hasOAuth2Apache() ? await startOAuth2Apache(upstream.url) : undefined;
  if (apache === undefined) console.error(`${BENCH}: Apache with mod_oauth2: not measured: no Apache on this machine`);
  try {
    await scenario.start();
    pin(upstream.child.pid, 'last');
    const figures: Figure[] = [];
    for (const [what, method, body] of [
      ['a ping', 'ping', scenario.ping],
      ['a task of 1 kB', 'add_task', scenario.task],
    ] as const) {
      const { served, pid, authorization } = scenario;
      const ours = { url: `${served.url}/luigid/api/${method}`, pid, authorization, body };
      const peer = apache && { ...apache, url: `${apache.url}/api/${method}`, body };
      figures.push(...(await compared(what, ours, peer)));
    }
    return figures;
  } finally {
    await apache?.close();
    await scenario.served.close();
    upstream.child.kill();
  }
}

interface Loaded {
  readonly url: string;
  readonly pid: number;
  readonly authorization: string;
  readonly body: string;
}

async function compared(what: string, ours: Loaded, peer: Loaded | undefined): Promise<Figure[]> {
  const own: number[] = [];
  const others: number[] = [];
  await costOf(ours);
  if (peer !== undefined) await costOf(peer);
  for (let round = 0; round < ROUNDS; round++) {
    own.push(await costOf(ours));
    if (peer !== undefined) others.push(await costOf(peer));
  }
  const cpu = `CPU of ${what} through the gateway`;
  return [
    figure(BENCH, `${cpu}, against the goal`, median(own), GOALS.cpuMicroseconds, 'µs'),
    ...(peer ? [figure(BENCH, `${cpu}, against Apache with mod_oauth2`, median(own), median(others), 'µs')] : []),
    figure(BENCH, `${cpu}, against oauth2-proxy as of 2026-11-21`, median(own), OAUTH2_PROXY_MICROSECONDS, 'µs'),
  ];
}

/** Microseconds of the process for each request, under load from another core. */
async function costOf({ url, pid, authorization, body }: Loaded): Promise<number> {
  pin(pid, 'first');
  const before = cpuMicroseconds(pid);
  const requests = await load({
    url,
    method: 'POST',
    body,
    connections: CONNECTIONS,
    seconds: LOAD_SECONDS,
    authorization,
  });
  return (cpuMicroseconds(pid) - before) / requests;
}

interface Load {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly connections: number;
  readonly seconds: number;
  readonly authorization?: string;
  readonly body?: string;
  /** Requests a second of all connections together. */
  readonly rate?: number;
  /** Instead of that of the URL, one after the other. */
  readonly paths?: readonly string[];
}

/** How many requests were answered, all of them well; sent by a process of its own on the last core. */
async function load(wanted: Load): Promise<number> {
  const autocannon = createRequire(import.meta.url).resolve('autocannon');
  const code = `
    const { url, method, body, connections, seconds, authorization, rate, paths } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
    const headers = { ...(authorization && { authorization }), ...(body && { 'content-type': 'application/x-www-form-urlencoded' }) };
    require(${JSON.stringify(autocannon)})({
      url, method, headers, connections, duration: seconds, ...(body && { body }), ...(rate && { overallRate: rate }),
      ...(paths && { requests: paths.map((path) => ({ path })) }),
    }).then(({ requests, non2xx, errors }) => console.log(JSON.stringify({ total: requests.total, bad: non2xx + errors })));`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'ignore'] });
  pin(child.pid, 'last');
  let output = '';
  child.stdout.on('data', (part) => {
    output += part;
  });
  child.stdin.end(JSON.stringify(wanted));
  await once(child, 'close');
  const { total, bad } = JSON.parse(output) as { total: number; bad: number };
  if (bad > 0) throw new Error(`${bad} answers of ${wanted.url} were no success.`);
  return total;
}

/** Answers every call at once, as luigid would answer one of a worker. */
async function standIn(): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const port = await freePort();
  const code = `
    require('node:http').createServer((request, response) => {
      request.resume().on('end', () => {
        const text = request.url.endsWith('/ping') ? '{"response": {"rpc_messages": []}}' : '{"response": null}';
        response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8', 'content-length': text.length }).end(text);
      });
    }).listen(${port}, '127.0.0.1');`;
  const child = spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(url).catch(() => undefined))?.ok) await sleep(20);
  return { url, child };
}

async function waits(program: string): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-luigid-bench-'));
  const luigid = await startLuigid(folder, luigiPython());
  const scenario = new ProxyScenario(program, luigid.url);
  try {
    await scenario.start();
    return [...(await added(scenario, luigid.url)), await watched(scenario, luigid.pid, luigid.url)];
  } finally {
    await scenario.served.close();
    await luigid.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One call after the other, in turns: to luigid itself, through the gateway, and through Apache. */
async function added({ served, authorization, ping }: ProxyScenario, luigid: string): Promise<Figure[]> {
  const apache = hasOAuth2Apache() ? await startOAuth2Apache(luigid) : undefined;
  const agent = new Agent({ keepAlive: true });
  const ways = [
    { url: `${luigid}/api/ping`, authorization: undefined },
    { url: `${served.url}/luigid/api/ping`, authorization },
    ...(apache ? [{ url: `${apache.url}/api/ping`, authorization: apache.authorization }] : []),
  ].map((way) => ({ ...way, times: [] as number[] }));
  for (let i = -200; i < LATENCIES; i++) {
    for (const { url, authorization: by, times } of ways) {
      const ms = await timed(agent, url, ping, by);
      if (i >= 0) times.push(ms);
    }
  }
  agent.destroy();
  await apache?.close();
  const at = (part: number) =>
    ways.map(({ times }) => times.sort((a, b) => a - b)[Math.ceil(times.length * part) - 1] ?? 0);
  return [...differences('p99', at(0.99), GOALS.addedP99Ms), ...differences('the median', at(0.5), undefined)];
}

function differences(
  what: string,
  [direct = 0, ours = 0, peer]: readonly number[],
  goal: number | undefined,
): Figure[] {
  const metric = `what the gateway adds to ${what} of a ping of luigid`;
  return [
    ...(goal === undefined ? [] : [figure(BENCH, `${metric}, against the goal`, ours - direct, goal, 'ms')]),
    ...(peer === undefined
      ? []
      : [figure(BENCH, `${metric}, against Apache with mod_oauth2`, ours - direct, peer - direct, 'ms')]),
  ];
}

function timed(agent: Agent, url: string, body: string, authorization: string | undefined): Promise<number> {
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
    ...(authorization !== undefined && { authorization }),
  };
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const sent = request(url, { agent, method: 'POST', headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}.`));
      response.resume().on('end', () => resolve(performance.now() - began));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Milliseconds of luigid's time a second while one person looks at four lists every second, and while a thousand do. */
async function watched({ served }: ProxyScenario, luigidPid: number, luigid: string): Promise<Figure> {
  for (let i = 0; i < WATCHED_TASKS; i++) {
    const task = { task_id: `bench.Load_${i}`, family: 'bench.Load', worker: 'w', params: { day: String(i) } };
    await fetch(`${luigid}/api/add_task`, {
      method: 'POST',
      body: new URLSearchParams({ data: JSON.stringify(task) }),
    });
  }
  const paths = ['north', 'south', 'east', 'west'].map(
    (search) => `/luigid/api/task_list?data=${encodeURIComponent(JSON.stringify({ status: '', search }))}`,
  );
  const cost = async (connections: number, rate: number) => {
    const before = cpuMicroseconds(luigidPid);
    const url = served.url;
    await load({ url, method: 'GET', connections, seconds: WATCH_SECONDS, rate, paths });
    return (cpuMicroseconds(luigidPid) - before) / 1_000 / WATCH_SECONDS;
  };
  // Ten times a second each list: what was read a second ago is read anew at once, for one as for many.
  const one = await cost(1, 40);
  const thousand = await cost(250, 1_000);
  return figure(BENCH, 'luigid’s time a second for 1,000 people who watch, against one', thousand, one, 'ms');
}
