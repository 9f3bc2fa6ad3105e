import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { ROOT } from '../../scripts/repository.ts';
import { freePort } from '../../scripts/start-luigid.ts';
import { labelledBlocks } from './labelled-blocks.ts';
import { luigiPython } from './luigi-scenario.ts';
import { ServedGateway } from './served-gateway.ts';

const PAGE = resolve(ROOT, 'docs/gateway/luigid-rollout.md');
const GATEWAY_PROGRAM = resolve(ROOT, 'src/cli/main.ts');
/** An exit status of 0 is a graph that was done: by itself Luigi gives 0 for nearly everything. */
const RETURN_CODES = {
  already_running: 10,
  missing_data: 20,
  not_run: 25,
  task_failed: 30,
  scheduling_error: 35,
  unhandled_exception: 40,
};

/** A worker without patience. */
const ONCE = '[core]\nrpc-retry-attempts=1\n';

/** A graph of five tasks; held, the first of them waits for a file. */
const TASKS = `
import os, time
import luigi

OUT = os.environ['OUT']

class Part(luigi.Task):
    task_namespace = 'sales'
    day = luigi.Parameter()
    number = luigi.IntParameter()
    held = luigi.BoolParameter()

    def output(self):
        return luigi.LocalTarget(os.path.join(OUT, '%s-%d' % (self.day, self.number)))

    def run(self):
        if self.held and self.number == 0:
            open(os.path.join(OUT, 'held-' + self.day), 'w').close()
            while not os.path.exists(os.path.join(OUT, 'open-' + self.day)):
                time.sleep(0.05)
        with self.output().open('w') as f:
            f.write('x')

class Nightly(luigi.Task):
    task_namespace = 'sales'
    day = luigi.Parameter()
    held = luigi.BoolParameter()

    def requires(self):
        return [Part(day=self.day, number=n, held=self.held) for n in range(4)]

    def output(self):
        return luigi.LocalTarget(os.path.join(OUT, 'nightly-' + self.day))

    def run(self):
        with self.output().open('w') as f:
            f.write('x')
`;

export interface ShellResult {
  readonly status: number | null;
  readonly output: string;
}

/** A stock luigi as a process. */
export interface StockLuigi {
  readonly day: string;
  /** What it wrote up to now. */
  log(): string;
  isRunning(): boolean;
  /** Its exit status. */
  ended(): Promise<number | null>;
}

/** The machines of docs/gateway/luigid-rollout.md on this one: luigid, the gateway, hosts of workers. */
export class LuigidRollout {
  readonly gateway = new ServedGateway();
  readonly block = labelledBlocks(PAGE);
  readonly #folder = join(this.gateway.folder, 'rollout');
  readonly #bin = join(this.#folder, 'bin');
  readonly tokenFile = join(this.#folder, 'token');
  readonly endTokenFile = join(this.#folder, 'end-token');
  readonly #workers: ChildProcess[] = [];
  #port = 0;
  #unit = 'open';
  #luigid: ChildProcess | undefined;
  #policy: Record<string, unknown> = {};

  /** Folders, programs in the path, ports; nothing runs. */
  async prepare(): Promise<void> {
    for (const name of ['', 'bin', 'luigid', 'run']) mkdirSync(join(this.#folder, name), { recursive: true });
    writeFileSync(join(this.#folder, 'sales_nightly.py'), TASKS);
    const python = dirname(luigiPython());
    for (const name of ['luigi', 'python3']) symlinkSync(join(python, name), join(this.#bin, name));
    const plumbline = `#!/bin/sh\nexec ${process.execPath} --disable-warning=ExperimentalWarning ${GATEWAY_PROGRAM} "$@"\n`;
    writeFileSync(join(this.#bin, 'plumbline'), plumbline);
    chmodSync(join(this.#bin, 'plumbline'), 0o755);
    symlinkSync(resolve(ROOT, 'examples/gateway/registered-luigi.sh'), join(this.#bin, 'registered-luigi.sh'));
    this.#port = await freePort();
    await this.gateway.configure();
    const { key } = this.gateway;
    const gitlab = {
      profile: 'gitlab',
      issuer: 'https://gitlab.example.com',
      audiences: ['gateway'],
      algorithms: ['ES256'],
      jwks: { keys: [{ ...key.jwk, alg: 'ES256' }] },
    };
    this.#policy = { apiVersion: 'plumbline.dev/policy/v1', issuers: { gitlab }, roles: {}, bindings: [] };
  }

  /** The unit of luigid that holds from its next start on. */
  install(unit: string): void {
    this.#unit = unit;
  }

  configure(label: string): void {
    const { configFile } = this.gateway;
    const config = {
      ...parse(readFileSync(configFile, 'utf8')),
      ...parse(this.here(this.block(`gateway.yaml ${label}`))),
    };
    writeFileSync(configFile, stringify(config));
  }

  /** Roles and bindings of the block take their place in the policy: fields by name, bindings by theirs. */
  decree(label: string): void {
    const { roles = {}, bindings = [] } = parse(this.here(this.block(`policy.yaml ${label}`))) as {
      roles?: object;
      bindings?: { name: string }[];
    };
    const known = this.#policy['bindings'] as { name: string }[];
    const changed = known.map((one) => ({ ...one, ...bindings.find(({ name }) => name === one.name) }));
    const added = bindings.filter(({ name }) => !known.some((one) => one.name === name));
    this.#policy = {
      ...this.#policy,
      roles: { ...(this.#policy['roles'] as object), ...roles },
      bindings: [...changed, ...added],
    };
    writeFileSync(this.gateway.policyFile, stringify(this.#policy));
  }

  /** Resolves when the gateway that runs decides by the policy as it was last decreed. */
  async inForce(): Promise<void> {
    const sha256 = createHash('sha256').update(readFileSync(this.gateway.policyFile)).digest('hex');
    const told = `"policy":"${sha256}","msg":"the policy is in force"`;
    await this.gateway.until(() => this.gateway.log.includes(told));
  }

  /** Runs a block of commands as it stands on the page, with this machine's names; ends with the first that says no. */
  async sh(label: string, change: (text: string) => string = (text) => text): Promise<ShellResult> {
    const results: ShellResult[] = [];
    for (const part of this.here(change(this.block(`sh ${label}`))).split(/^(systemctl .*)$/m)) {
      if (part.trim() === '') continue;
      results.push(part.startsWith('systemctl ') ? await this.#systemctl(part.split(' ')) : await this.#bash(part));
      if (results.at(-1)?.status !== 0) break;
    }
    return { status: results.at(-1)?.status ?? null, output: results.map(({ output }) => output).join('') };
  }

  /** Starts a stock luigi with the `luigi.cfg` of these blocks, later ones over earlier ones. */
  luigi(day: string, labels: readonly string[], { held = false, registered = false } = {}): StockLuigi {
    const config = join(this.#folder, `luigi-${day}.cfg`);
    const texts = labels.map((label) => (label === 'once' ? ONCE : this.here(this.block(`luigi.cfg ${label}`))));
    writeFileSync(config, luigiConfig([...texts, asIni({ retcode: RETURN_CODES })]));
    const command = registered
      ? this.here(this.block('sh registered')).replace(/--day \S+/, `--day ${day}`)
      : `exec luigi --module sales_nightly sales.Nightly --day ${day}`;
    const child = spawn('bash', ['-c', `${command.trimEnd()}${held ? ' --held' : ''}`], {
      cwd: this.#folder,
      env: { ...this.#environment(), LUIGI_CONFIG_PATH: config },
    });
    this.#workers.push(child);
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (log += String(part)));
    const ended = once(child, 'close').then(([status]) => status as number | null);
    return { day, log: () => log, isRunning: () => child.exitCode === null, ended: () => ended };
  }

  /** Resolves when its first task waits. */
  held({ day }: StockLuigi): Promise<void> {
    return this.gateway.until(() => existsSync(join(this.gateway.out, `held-${day}`)), 30_000);
  }

  release({ day }: StockLuigi): void {
    writeFileSync(join(this.gateway.out, `open-${day}`), '');
  }

  hasDone(day: string): boolean {
    return existsSync(join(this.gateway.out, `nightly-${day}`));
  }

  /** A command of the page's machines. */
  curl(...args: readonly string[]): Promise<ShellResult> {
    return this.#run('curl', ['--silent', ...args]);
  }

  async close(): Promise<void> {
    for (const child of [...this.#workers, this.#luigid]) child?.kill('SIGKILL');
    await this.gateway.close();
  }

  /** The text of the page with the names of this machine. */
  here(text: string): string {
    const { gateway } = this;
    const nextYear = new Date(Date.now() + 365 * 86_400_000).toISOString().slice(0, 10);
    const names: readonly (readonly [string, string])[] = [
      ['/srv/plumbline/python/bin/', `${dirname(luigiPython())}/`],
      ['0.0.0.0 --port 8082', `127.0.0.1 --port ${this.#port}`],
      ['http://luigid.example.com:8082', `http://127.0.0.1:${this.#port}`],
      ['http://127.0.0.1:8082', `http://127.0.0.1:${this.#port}`],
      ['https://plumbline.example.com', gateway.url],
      ['/etc/plumbline/policy.yaml', gateway.policyFile],
      ['/etc/plumbline/gateway.yaml', gateway.configFile],
      ['/var/lib/plumbline/state', join(gateway.folder, 'state')],
      ['/var/lib/luigid', join(this.#folder, 'luigid')],
      ['/run/luigid', join(this.#folder, 'run')],
      ['/run/sales/token', this.tokenFile],
      ['/run/sales/end-token', this.endTokenFile],
      ['/srv/sales', this.#folder],
      ['    unixUser: plumbline-sales\n', `    variables: { OUT: ${gateway.out} }\n`],
      ['10.0.7.', '127.0.0.'],
      ['2027-03-01', nextYear],
    ];
    return names.reduce((known, [from, to]) => known.replaceAll(from, to), text);
  }

  async #systemctl([, verb, unit]: readonly string[]): Promise<ShellResult> {
    if (verb === 'restart' && unit === 'luigid') await this.restartLuigid();
    else if (verb === 'restart' && unit === 'plumbline-gateway') {
      await this.gateway.stop();
      await this.gateway.start();
    } else if (verb !== 'daemon-reload') throw new Error(`the test knows no systemctl ${verb} ${unit}`);
    return { status: 0, output: '' };
  }

  /** As the unit says: SIGTERM, and time to write its state. */
  async restartLuigid(): Promise<void> {
    const before = this.#luigid;
    if (before) {
      const exited = once(before, 'exit');
      before.kill('SIGTERM');
      await exited;
    }
    const line = /^ExecStart=(.*)$/m.exec(this.here(this.block(`unit ${this.#unit}`)))?.[1] ?? '';
    const [program = '', ...args] = line.split(' ');
    const log = join(this.#folder, 'luigid.log');
    this.#luigid = spawn('sh', ['-c', `exec "$@" >>${log} 2>&1`, 'sh', program, ...args], {
      cwd: this.#folder,
      stdio: 'ignore',
    });
    const at = args.indexOf('--unix-socket');
    const where =
      at < 0 ? [`http://127.0.0.1:${this.#port}/`] : ['--unix-socket', args[at + 1] ?? '', 'http://luigid/'];
    await this.gateway.until(async () => (await this.curl('--output', '/dev/null', '--head', ...where)).status === 0);
  }

  #bash(text: string): Promise<ShellResult> {
    // Each line by itself, so that one with a negation can end the block too.
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return this.#run('bash', ['-c', lines.map((line) => `${line}\n(exit $?) || exit $?`).join('\n')]);
  }

  #run(program: string, args: readonly string[]): Promise<ShellResult> {
    const child = spawn(program, args, {
      cwd: this.#folder,
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += String(part)));
    return once(child, 'close').then(([status]) => ({ status: status as number | null, output }));
  }

  #environment(): Record<string, string> {
    const path = `${this.#bin}:${process.env['PATH'] ?? ''}`;
    return { PATH: path, HOME: this.#folder, LANG: 'C.UTF-8', OUT: this.gateway.out, PYTHONPATH: this.#folder };
  }
}

/** One file of several: Luigi does not take a section twice. */
function luigiConfig(texts: readonly string[]): string {
  const sections: Record<string, Record<string, string>> = {};
  for (const section of texts.flatMap((text) => text.split(/^(?=\[)/m))) {
    const [, name] = /^\[(.*)\]$/m.exec(section) ?? [];
    const fields = [...section.matchAll(/^([\w-]+)=(.*)$/gm)].map(([, field = '', value = '']) => [field, value]);
    if (name !== undefined) sections[name] = { ...sections[name], ...Object.fromEntries(fields) };
  }
  return asIni(sections);
}

function asIni(sections: Readonly<Record<string, Readonly<Record<string, string | number>>>>): string {
  const texts = Object.entries(sections).map(
    ([name, fields]) =>
      `[${name}]\n${Object.entries(fields)
        .map(([field, value]) => `${field}=${value}\n`)
        .join('')}`,
  );
  return texts.join('');
}
