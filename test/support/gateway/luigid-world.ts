import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JsonValue } from '#core/json.ts';
import { Secret } from '#core/secret.ts';
import type { Front } from '#gateway/app/front.ts';
import { GatewayMetrics } from '#gateway/app/gateway-metrics.ts';
import type { AuditEvent } from '#gateway/audit/audit-log.ts';
import { workerTokens } from '#gateway/auth/worker-tokens.ts';
import { openLuigidFront } from '#gateway/luigid/luigid-front.ts';
import type { AnonymousPermission, LuigidPermission } from '#gateway/policy/luigid-access.ts';
import type { Decision } from '#gateway/policy/policy.ts';
import type { Worker } from '#gateway/workers/worker.ts';
import { callerNamed, gatewayWorld, type World } from '../../unit/gateway/app/gateway-world.ts';
import { luigiPython } from '../luigi-scenario.ts';

const SHA = 'a'.repeat(64);

/** A request as luigid was sent it, cut out of the bytes of a connection. */
export interface SentToLuigid {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  json(): unknown;
}

/** The gateway's listener with the front of a real luigid, which it reaches through something that writes every byte down. */
export class LuigidWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumbline-luigid-'));
  readonly audited: AuditEvent[] = [];
  readonly tokens = workerTokens(new Secret('k'.repeat(43)));
  readonly workers = new Map<string, { worker: Worker; mode: 'report' | 'enforce'; allowed: boolean }>();
  readonly namespaces = new Map<string, readonly string[]>([
    ['sales', ['sales']],
    ['web', ['web']],
  ]);
  readonly people = new Map<string, LuigidPermission>();
  readonly faults: { audit?: Error } = {};
  anonymous: AnonymousPermission | undefined;
  world!: World;
  front!: Front;
  port = 0;
  #luigid: ChildProcess | undefined;
  #recorder: Server | undefined;
  readonly #sent: Buffer[][] = [];

  static async start(python = luigiPython()): Promise<LuigidWorld> {
    const world = new LuigidWorld();
    await world.startLuigid(python);
    await world.#record();
    await world.serve();
    return world;
  }

  get socket(): string {
    return join(this.folder, 'luigid.sock');
  }

  get recorded(): string {
    return join(this.folder, 'seen.sock');
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get luigidPid(): number {
    return this.#luigid?.pid ?? 0;
  }

  async startLuigid(python = luigiPython()): Promise<void> {
    const args = ['--unix-socket', this.socket, '--state-path', join(this.folder, 'state.pickle')];
    rmSync(this.socket, { force: true });
    const child = spawn(join(dirname(python), 'luigid'), args, { cwd: this.folder, stdio: 'ignore' });
    this.#luigid = child;
    while (!(await this.direct('is_paused', {}).catch(() => undefined))) {
      if (child.exitCode !== null) throw new Error(`luigid ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stopLuigid(): Promise<void> {
    const child = this.#luigid;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async serve(): Promise<void> {
    this.front = openLuigidFront({
      upstream: { kind: 'socket', path: this.recorded },
      workers: {
        find: (id) => this.workers.get(id)?.worker,
        uidOf: () => undefined,
        decide: ({ id }) => this.#decision(id),
      },
      workerTokens: this.tokens,
      policy: () => ({
        anonymous: () => this.anonymous,
        namespacesOf: (role) => this.namespaces.get(role) ?? [],
      }),
      signIn: { visitors: { visitorOf: (cookie) => this.#visitor(cookie) }, address: () => ADDRESS },
      audit: {
        append: async (event) => {
          if (this.faults.audit) throw this.faults.audit;
          this.audited.push(event);
          return { sequence: this.audited.length, hash: '' };
        },
      },
      clock: { now: () => Date.now() },
      log: { info: () => {}, error: () => {} },
      metrics: new GatewayMetrics(),
      readiness: { serving: true, stopping: false, report: async () => ({ ready: true, checks: [], issuers: [] }) },
      timeouts: { requestMs: 2_000 },
    });
    this.world = await gatewayWorld({ front: this.front });
    const { server } = this.world.app;
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await this.world.close();
    await this.front.close();
    this.#recorder?.close();
    await this.stopLuigid();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A worker that lives, of a role of the same name as its namespace. */
  worker(role: string, mode: 'report' | 'enforce' = 'enforce'): { readonly id: string; readonly token: string } {
    const runId = crypto.randomUUID();
    const id = `${runId}.1`;
    const worker: Worker = { id, kind: 'run', runId, attempt: 1, caller: callerNamed('good-w'), role };
    this.workers.set(id, { worker, mode, allowed: true });
    return { id, token: this.tokens.issue(id) };
  }

  /** The value of the Cookie header of somebody who signed in. */
  person(name: string, permission: Partial<LuigidPermission>): string {
    this.people.set(name, { read: [], operate: [], admin: false, rules: [name], policy: SHA, ...permission });
    return `plumbline-test=${name}`;
  }

  /** A scheduler URL as a stock worker has it. */
  schedulerUrl(id: string): string {
    return `http://${id}:${this.tokens.schedulerPassword(id)}@127.0.0.1:${this.port}/luigid`;
  }

  /** As Luigi calls. */
  call(method: string, given: JsonValue, headers: Record<string, string>): Promise<Answered> {
    return this.post(`/luigid/api/${method}`, `data=${encodeURIComponent(JSON.stringify(given))}`, headers);
  }

  post(path: string, body: string, headers: Record<string, string>): Promise<Answered> {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    return answered({ port: this.port, path, method: 'POST', headers: { ...form, ...headers } }, body);
  }

  /** As luigid's own pages read. */
  get(path: string, headers: Record<string, string>): Promise<Answered> {
    return answered({ port: this.port, path, method: 'GET', headers });
  }

  look(method: string, given: JsonValue, cookie: string, headers: Record<string, string> = {}): Promise<Answered> {
    const path = `/luigid/api/${method}?data=${encodeURIComponent(JSON.stringify(given))}`;
    return this.get(path, { cookie, 'x-requested-with': 'XMLHttpRequest', ...headers });
  }

  /** At luigid, past the gateway and what writes down. */
  async direct(method: string, given: JsonValue): Promise<JsonValue> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const options = { socketPath: this.socket, path: `/api/${method}`, method: 'POST', headers };
    const answer = await answered(options, `data=${encodeURIComponent(JSON.stringify(given))}`);
    if (answer.status !== 200) throw new Error(`luigid answered ${answer.status} to ${method}`);
    return (answer.json() as { response: JsonValue }).response;
  }

  /** Every request that reached luigid since it was asked last. */
  sentToLuigid(): readonly SentToLuigid[] {
    const found = this.#sent.flatMap((parts) => requestsIn(Buffer.concat(parts)));
    for (const parts of this.#sent) parts.length = 0;
    return found;
  }

  /** Bytes of a socket, as they come back until the gateway ends the connection. */
  async raw(...parts: readonly (string | Buffer)[]): Promise<string> {
    const socket = connect({ port: this.port, host: '127.0.0.1' });
    const closed = once(socket, 'close');
    let answer = '';
    socket.on('data', (part) => (answer += part.toString('latin1'))).on('error', () => undefined);
    for (const part of parts) {
      socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
      // So that they are read one by one.
      if (parts.length > 1) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await closed;
    return answer;
  }

  #decision(id: string): Decision {
    const known = this.workers.get(id);
    const allowed = known?.allowed === true;
    return { allowed, wouldAllow: allowed, mode: known?.mode ?? 'enforce', binding: 'b', reasons: [], policy: SHA };
  }

  #visitor(cookie: string | undefined) {
    const name = /(?:^|; )plumbline-test=([^;]*)/.exec(cookie ?? '')?.[1];
    if (name === undefined) return { kind: 'nobody' } as const;
    const about = { name, iss: 'https://idp.example', subject: name, claims: {}, signedInAt: 0, expiresAt: 0 };
    const person = { id: `${about.iss} ${name}`, ...about };
    const permission = this.people.get(name);
    return permission === undefined
      ? ({ kind: 'unknown', person } as const)
      : ({ kind: 'known', person, permission } as const);
  }

  async #record(): Promise<void> {
    this.#recorder = createServer((client) => {
      const parts: Buffer[] = [];
      this.#sent.push(parts);
      const upstream = connect(this.socket);
      client.on('data', (part) => {
        parts.push(part);
        upstream.write(part);
      });
      upstream.pipe(client);
      for (const socket of [client, upstream]) {
        socket
          .on('error', () => undefined)
          .on('close', () => {
            client.destroy();
            upstream.destroy();
          });
      }
    }).listen(this.recorded);
    await once(this.#recorder, 'listening');
  }
}

const ADDRESS = {
  origin: 'http://127.0.0.1',
  redirectUri: 'http://127.0.0.1/luigid/sign-in/callback',
  signIn: '/luigid/sign-in',
  signOut: '/luigid/sign-out',
  pages: '/luigid/',
  cookies: { session: 'plumbline-test', flow: 'plumbline-flow-', path: '/luigid', secure: false },
};

function answered(options: object, body = ''): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** What the gateway sends is always a head and a body of a known length. */
function requestsIn(bytes: Buffer): SentToLuigid[] {
  const found: SentToLuigid[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return [...found, { line: `unfinished: ${rest.toString('latin1')}`, headers: [], body: '' }];
    const [line = '', ...headers] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const length = Number(headers.find((header) => /^content-length:/i.test(header))?.split(':')[1] ?? 0);
    found.push({ line, headers, body: rest.subarray(end + 4, end + 4 + length).toString('latin1') });
    rest = rest.subarray(end + 4 + length);
  }
  return found;
}
