import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { ROOT } from '../../scripts/repository.ts';
import { freePort } from '../../scripts/start-luigid.ts';
import { luigiPython } from './luigi-scenario.ts';
import { signed, type TestKey, testKey } from './test-issuer.ts';

const STARTS_WITHIN_MS = 60_000;

/** What the roles of a served gateway run: one that ends at once, one that waits for a file, one that fails. */
const TASKS = `
import os, sys, time
import luigi

class Get(luigi.Task):
    date = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(os.path.join(os.environ['OUT'], 'get-' + self.date))
    def run(self):
        print('##vso[task.setvariable variable=a]from the task')
        with self.output().open('w') as f:
            f.write('x')

class Load(luigi.Task):
    date = luigi.Parameter()
    def requires(self):
        return Get(date=self.date)
    def output(self):
        return luigi.LocalTarget(os.path.join(os.environ['OUT'], 'load-' + self.date))
    def run(self):
        with self.output().open('w') as f:
            f.write('x')

class Gate(luigi.Task):
    name = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(os.path.join(os.environ['OUT'], 'gate-' + self.name))
    def run(self):
        with open(os.path.join(os.environ['OUT'], 'waiting-' + self.name), 'w') as f:
            f.write(str(os.getpid()))
        while not os.path.exists(os.path.join(os.environ['OUT'], 'open-' + self.name)):
            time.sleep(0.02)
        with self.output().open('w') as f:
            f.write('x')

class Broken(luigi.Task):
    def run(self):
        raise ValueError('it is broken')
`;

export interface ServedGatewayOptions {
  /** Further fields of gateway.yaml, by name. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further fields of the role. */
  readonly role?: Readonly<Record<string, unknown>>;
  /** Further fields of the policy. */
  readonly policy?: Readonly<Record<string, unknown>>;
  /** Further variables of its environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What Node runs. @default the program's source */
  readonly program?: string;
  /** A folder for the gateway's own one. @default that for temporary files */
  readonly below?: string;
}

/** The gateway as a process of its own, with real Luigi, and an issuer whose key is the test's. */
export class ServedGateway {
  readonly folder: string;
  readonly out: string;
  readonly configFile: string;
  readonly policyFile: string;
  readonly key: TestKey = testKey('ES256');
  readonly options: ServedGatewayOptions;
  url = '';
  metricsUrl = '';
  child: ChildProcess | undefined;
  log = '';

  constructor(options: ServedGatewayOptions = {}) {
    this.options = options;
    this.folder = mkdtempSync(join(options.below ?? tmpdir(), 'gateway-'));
    [this.out, this.configFile, this.policyFile] = [this.#at('out'), this.#at('gateway.yaml'), this.#at('policy.yaml')];
    mkdirSync(this.out);
    writeFileSync(join(this.folder, 'tasks_here.py'), TASKS);
    writeFileSync(this.policyFile, stringify(this.policy()));
  }

  /** Starts the process; resolves when it is ready. The ports stay the same from the first start on. */
  async start(): Promise<void> {
    if (this.url === '') await this.configure();
    const program = this.options.program ?? resolve(ROOT, 'src/cli/main.ts');
    const flags = ['--disable-warning=ExperimentalWarning', program];
    const child = spawn(process.execPath, [...flags, 'gateway', 'serve', '--config', this.configFile], {
      cwd: this.folder,
      env: { PATH: process.env['PATH'], HOME: this.folder, LANG: 'C.UTF-8', ...this.options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (this.log += String(part)));
    this.child = child;
    await this.until(async () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}\n${this.log}`);
      return (await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok === true;
    });
  }

  /** Ends the process; resolves with its status or signal. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const { child } = this;
    if (!child) return 0;
    const exited = once(child, 'exit');
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode ?? 1;
    child.kill(signal);
    await exited;
    return child.exitCode ?? child.signalCode ?? 1;
  }

  async close(): Promise<void> {
    await this.stop('SIGKILL');
    // Its workers outlive it, and would write where this removes.
    await this.until(() => this.#endWorkers() === 0);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Puts it in the place of the policy, as whoever rolls one out. */
  writePolicy(policy: object): void {
    writeFileSync(`${this.policyFile}.new`, stringify(policy));
    renameSync(`${this.policyFile}.new`, this.policyFile);
  }

  policy(role: Readonly<Record<string, unknown>> = this.options.role ?? {}): object {
    const { jwk } = this.key;
    const issuer = (use: string, name: string) => ({
      profile: 'oidc',
      issuer: `https://${name}.example.com`,
      audiences: ['gateway'],
      algorithms: ['ES256'],
      use,
      jwks: { keys: [{ ...jwk, alg: 'ES256' }] },
    });
    const binding = (name: string) => ({
      name,
      issuer: name,
      match: { all: [{ claim: 'team', equals: 'data' }] },
      roles: ['etl'],
      examples: {
        allow: [{ claims: { team: 'data', sub: 'a' } }],
        deny: [{ claims: { team: 'other', sub: 'a' } }],
      },
    });
    return {
      apiVersion: 'plumbline.dev/policy/v1',
      issuers: { ci: issuer('once', 'ci'), app: issuer('untilExpiry', 'app') },
      roles: {
        etl: {
          modules: ['tasks_here'],
          tasks: ['Load', 'Gate', 'Broken'],
          otherParameters: true,
          code: { kind: 'installed', path: this.folder, python: luigiPython() },
          variables: { OUT: this.out },
          scheduler: 'local',
          maxRuntime: '5m',
          concurrency: 4,
          attempts: 2,
          ...role,
        },
      },
      bindings: [binding('ci'), binding('app')],
      ...this.options.policy,
    };
  }

  /** A token of the issuer. */
  token(subject = 'alice', issuer: 'ci' | 'app' = 'app', changes: Readonly<Record<string, unknown>> = {}): string {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: `https://${issuer}.example.com`,
      aud: 'gateway',
      sub: subject,
      team: 'data',
      iat: now,
      nbf: now,
      exp: now + 600,
      jti: randomUUID(),
      ...changes,
    };
    return signed({ alg: 'ES256', kid: this.key.kid, typ: 'JWT' }, claims, this.key);
  }

  /** One request to the API. */
  request(path: string, token: string | undefined, init: RequestInit = {}): Promise<Response> {
    const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...init.headers };
    return fetch(`${this.url}${path}`, { redirect: 'manual', ...init, headers });
  }

  create(token: string, key: string, body: object): Promise<Response> {
    return this.request('/v1/runs', token, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ role: 'etl', module: 'tasks_here', ...body }),
    });
  }

  /** Resolves as soon as the condition holds. */
  async until(condition: () => boolean | Promise<boolean>, withinMs = STARTS_WITHIN_MS): Promise<void> {
    const end = Date.now() + withinMs;
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`it did not come to pass\n${this.log.slice(-4_000)}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** Lines of the audit, in order. */
  audit(): { readonly type: string; readonly data: Record<string, unknown>; readonly subject?: string }[] {
    const folder = join(this.folder, 'state/audit');
    const files = readdirSync(folder)
      .toSorted()
      .filter((name) => name.endsWith('.jsonl') || name.endsWith('.log'));
    const text = files.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  #at(name: string): string {
    return join(this.folder, name);
  }

  /** Kills every process that works below the folder; gives how many there were. */
  #endWorkers(): number {
    const own = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && this.#worksHere(name));
    for (const pid of own) spawnSync('kill', ['-KILL', pid]);
    return own.length;
  }

  #worksHere(pid: string): boolean {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(this.folder);
    } catch {
      // Gone, or nobody's to look at.
      return false;
    }
  }

  /** Ports, and gateway.yaml; done by the first start unless it was done before. */
  async configure(): Promise<void> {
    const [port, metricsPort] = [await freePort(), await freePort()];
    this.url = `http://127.0.0.1:${port}`;
    this.metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    const config = {
      apiVersion: 'plumbline.dev/gateway/v1',
      listen: { host: '127.0.0.1', port },
      metrics: { host: '127.0.0.1', port: metricsPort },
      stateDirectory: 'state',
      runsDirectory: 'runs',
      policyFile: 'policy.yaml',
      isolation: 'none',
      logging: { level: 'trace' },
      timeouts: { shutdown: '5s' },
      ...this.options.config,
    };
    writeFileSync(this.configFile, stringify(config));
  }
}

/** Events of a stream, until its end or `enough`. */
export async function eventsOf(
  response: Response,
  enough: (events: readonly StreamEvent[]) => boolean = () => false,
): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  let text = '';
  for await (const part of response.body ?? []) {
    text += Buffer.from(part).toString();
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => [line.split(': ', 1)[0] ?? '', line.slice(line.indexOf(': ') + 2)]),
      );
      const event = fields.get('event');
      if (event !== undefined)
        events.push({ event, id: fields.get('id'), data: JSON.parse(fields.get('data') ?? 'null') });
    }
    if (enough(events)) return events;
  }
  return events;
}

export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  readonly data: any;
}
