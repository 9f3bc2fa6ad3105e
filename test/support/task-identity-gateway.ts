import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { stringify } from 'yaml';
import { systemClock } from '#core/clock.ts';
import type { RunOutcome } from '#core/run.ts';
import { verifierKeyLines } from '#gateway/audit/audit-keys.ts';
import { verifyAudit } from '#gateway/audit/verify-audit.ts';
import { DiscoveredKeys } from '#local-azure/discovered-keys.ts';
import { ROOT } from '../../scripts/repository.ts';
import { luigiPython } from './luigi-scenario.ts';
import { eventsOf, ServedGateway } from './served-gateway.ts';
import { type IssuerFront, startIssuerFront } from './task-identity-front.ts';
import { type SocketLuigid, startSocketLuigid } from './task-identity-luigid.ts';
import { AUDIENCE, codeOf, type IdentityPolicy, usualPolicy } from './task-identity-policy.ts';

export const ISSUER_HOST = 'tokens.contoso.example';
const FIXTURES = join(ROOT, 'test/fixtures/task-identities');

export interface TaskIdentityOptions {
  /** What Node runs. @default the program's source */
  readonly program?: string;
  /** Further fields of gateway.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of `issuer` in it. */
  readonly issuer?: Readonly<Record<string, unknown>>;
  /** A Python for the roles. */
  readonly python?: string;
  /** Makes the policy that the gateway starts with out of the usual one. */
  readonly policy?: (usual: IdentityPolicy, served: ServedGateway) => IdentityPolicy;
  /** A luigid on a Unix socket, reached through the gateway only. */
  readonly luigid?: boolean;
  /** A folder for the gateway's own one, which every user can enter. */
  readonly below?: string;
  /** The issuer's front, when it was started before. */
  readonly front?: IssuerFront;
}

export interface CreatedRun {
  readonly id: string;
  readonly runToken: string;
}

/** One line of the audit. */
export interface AuditLine {
  readonly type: string;
  readonly subject?: string;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a task of test/fixtures/task-identities wrote down. */
export interface Told {
  readonly pid: number;
  readonly id: string;
  readonly held: {
    readonly claims: JWTPayload;
    readonly digest: string;
    /** The token itself and that of its worker, where the role's variables say KEEP_TOKENS. */
    readonly token?: string;
    readonly worker?: string;
  } | null;
}

/** A gateway that issues tokens for tasks, as a process of its own, seen from outside through TLS, with tasks that tell who they are. */
export class TaskIdentityGateway {
  readonly served: ServedGateway;
  readonly front: IssuerFront;
  readonly luigid: SocketLuigid | undefined;
  current: IdentityPolicy;
  readonly #keys: DiscoveredKeys;

  private constructor(
    served: ServedGateway,
    front: IssuerFront,
    luigid: SocketLuigid | undefined,
    policy: IdentityPolicy,
  ) {
    this.served = served;
    this.front = front;
    this.luigid = luigid;
    this.current = policy;
    this.#keys = new DiscoveredKeys({ declared: front.declared, clock: systemClock, record: () => {} });
  }

  static async start(options: TaskIdentityOptions = {}): Promise<TaskIdentityGateway> {
    const front = options.front ?? (await startIssuerFront(ISSUER_HOST));
    const issuer = { url: front.declared.issuer, keys: { kind: 'files', rotateEvery: '0s', publishFor: '0s' } };
    const served = new ServedGateway({
      ...(options.program !== undefined && { program: options.program }),
      ...(options.below !== undefined && { below: options.below }),
      config: {
        issuer: { ...issuer, ...options.issuer },
        limits: { requestsPerCaller: 1_000_000, requestsPerAddress: 1_000_000 },
        ...(options.luigid && { luigid: { socket: 'state/luigid.sock' } }),
        ...options.config,
      },
    });
    cpSync(FIXTURES, codeOf(served), { recursive: true, filter: (path) => !path.endsWith('__pycache__') });
    mkdirSync(join(served.folder, 'state'), { mode: 0o700 });
    const usual = usualPolicy(served, options.python, served.options.config?.['luigid'] !== undefined);
    const policy = options.policy?.(usual, served) ?? usual;
    const luigid = options.luigid ? await startSocketLuigid(join(served.folder, 'state'), luigiPython()) : undefined;
    const gateway = new TaskIdentityGateway(served, front, luigid, policy);
    try {
      gateway.#write(policy);
      await served.start();
      front.lead(Number(new URL(served.url).port));
      return gateway;
    } catch (error) {
      await gateway.close();
      throw error;
    }
  }

  /** Replaces the policy while the gateway runs; resolves with its hash when it is in force. */
  async setPolicy(policy: IdentityPolicy): Promise<string> {
    const hash = this.#write(policy);
    await this.served.until(() => this.audit('policy.loaded').at(-1)?.data['policy'] === hash);
    return hash;
  }

  /** The same for the next start. */
  setPolicyWhileStopped(policy: IdentityPolicy): string {
    return this.#write(policy);
  }

  /** The policy of now with a change. */
  changed(change: (policy: IdentityPolicy) => void): IdentityPolicy {
    const copy = structuredClone(this.current);
    change(copy);
    return copy;
  }

  policyHash(): string {
    return sha256(readFileSync(this.served.policyFile));
  }

  async create(task: string, parameters: object, more: object = {}): Promise<CreatedRun> {
    const body = { role: 'etl', module: 'identities', task, parameters, ...more };
    const answer = await this.served.create(this.served.token(), randomUUID(), body);
    const text = await answer.text();
    assert.equal(answer.status, 201, `${text}\n${this.served.log.slice(-2_000)}`);
    return JSON.parse(text) as CreatedRun;
  }

  /** Follows a run to its end. */
  async outcomeOf({ id, runToken }: CreatedRun, withinMs = 60_000): Promise<RunOutcome> {
    const end = Date.now() + withinMs;
    while (Date.now() < end) {
      const signal = AbortSignal.timeout(Math.max(1, end - Date.now()));
      const found = await this.served
        .request(`/v1/runs/${id}/events`, runToken, { signal })
        .then((stream) => eventsOf(stream, (events) => events.some(({ data }) => data?.kind === 'outcome')))
        .then((events) => events.find(({ data }) => data?.kind === 'outcome')?.data.outcome as RunOutcome | undefined)
        .catch(() => undefined);
      if (found !== undefined) return found;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`the run ${id} had no end\n${this.served.log.slice(-4_000)}`);
  }

  cancel({ id, runToken }: CreatedRun): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ reason: 'cancelled' });
    return this.served.request(`/v1/runs/${id}/cancel`, runToken, { method: 'POST', headers, body });
  }

  place(name: string): string {
    return join(this.served.out, name);
  }

  open(name: string): void {
    writeFileSync(this.place(`open-${name}`), '');
  }

  /** What a task wrote, as soon as it has. */
  async told(name: string): Promise<Told> {
    await this.served.until(() => existsSync(this.place(name)));
    return JSON.parse(readFileSync(this.place(name), 'utf8')) as Told;
  }

  /** Which tasks entered their run(), in order: `<family> <name>`. */
  ran(): readonly string[] {
    return existsSync(this.place('ran')) ? readFileSync(this.place('ran'), 'utf8').trim().split('\n') : [];
  }

  /** Whole lines of the audit, of one type. */
  audit(type?: string): readonly AuditLine[] {
    const folder = join(this.served.folder, 'state/audit');
    const names = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
    const lines = names.toSorted().flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
    const all = lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as AuditLine);
    return type === undefined ? all : all.filter((line) => line.type === `dev.plumbline.${type}`);
  }

  /** What was issued to the tasks of a run. */
  issued(run?: CreatedRun): readonly AuditLine[] {
    return this.audit('identity.issued').filter(({ subject }) => run === undefined || subject === run.id);
  }

  /** Verifies as somebody who trusts the issuer does: by its published keys, over TLS and by its name. */
  async verify(token: string, audience = AUDIENCE): Promise<JWTPayload> {
    const keys = createLocalJWKSet(await this.#keys.keys(decodeProtectedHeader(token).kid));
    const { issuer } = this.front.declared;
    const options = { algorithms: ['RS256'], issuer, audience, requiredClaims: ['exp', 'iat', 'nbf', 'sub', 'jti'] };
    return (await jwtVerify(token, keys, options)).payload;
  }

  /** By which the workers of a Unix user reach the gateway. @default those of the test's own */
  workerSocket(uid = process.getuid?.() ?? 0): string {
    return join(this.served.folder, `runs/sockets/${uid}.sock`);
  }

  /** One raw request for a task's token, over the public listener. */
  exchange(fields: Readonly<Record<string, string>>): Promise<Response> {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'https://plumbline.dev/token-type/worker',
      ...fields,
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return fetch(`${this.served.url}/v1/token`, { method: 'POST', headers, body: String(form) });
  }

  /** Stops the gateway; the log as a whole is as it was written. */
  async assertAuditIntact(): Promise<void> {
    await this.served.stop();
    const state = join(this.served.folder, 'state');
    const publicKeys = verifierKeyLines(readFileSync(join(state, 'keys/audit-signing.pub'), 'utf8'));
    const { verdict, findings } = await verifyAudit({ directory: join(state, 'audit'), publicKeys });
    assert.equal(verdict, 'intact', JSON.stringify(findings));
  }

  async close(): Promise<void> {
    await this.served.close();
    await this.luigid?.close();
    await this.front.close();
  }

  #write(policy: IdentityPolicy): string {
    this.current = policy;
    const text = stringify(policy, { aliasDuplicateObjects: false });
    const beside = `${this.served.policyFile}.new`;
    writeFileSync(beside, text, { mode: 0o600 });
    renameSync(beside, this.served.policyFile);
    return sha256(text);
  }
}

export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}
