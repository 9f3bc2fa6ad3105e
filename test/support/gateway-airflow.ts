import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { pythonOf } from '../../scripts/python-environments.mjs';
import { ROOT } from '../../scripts/repository.ts';
import { AIRFLOW_USERS, AirflowServer } from '../../scripts/start-airflow.ts';
import { freePort } from '../../scripts/start-luigid.ts';
import { type CommandEnd, plumbline } from './plumbline-command.ts';
import { ServedGateway } from './served-gateway.ts';
import { startTlsProxy, type TlsProxy } from './tls-proxy.ts';

const DAGS = resolve(ROOT, 'test/fixtures/airflow/dags');
const run = promisify(execFile);

export const AUDIENCE = 'airflow-warehouse';

/** What a test asks of a gateway and a real Airflow that trusts it. */
export interface AirflowTrustOptions {
  readonly auth: 'simple' | 'fab';
  /** `airflow` of the policy. */
  readonly grants: Readonly<Record<string, object>>;
  /** Claim `team` of who has the grant → its name. */
  readonly teams: Readonly<Record<string, string>>;
  /** Airflow reaches the gateway by https, with a private certificate authority. @default false */
  readonly https?: boolean;
  /** Further Airflows of the configuration, which are not there. */
  readonly others?: Readonly<Record<string, object>>;
}

/** A served gateway, and a real Airflow 3 whose `trusted_jwks_url` it is. The name of the Airflow is `warehouse`. */
export class AirflowTrust {
  readonly folder = mkdtempSync(join(tmpdir(), 'airflow-trust-'));
  readonly gateway: ServedGateway;
  readonly options: AirflowTrustOptions;
  airflow: AirflowServer;
  #tls: TlsProxy | undefined;
  readonly #python = pythonOf(ROOT, 'airflow-3');

  private constructor(options: AirflowTrustOptions, port: number) {
    this.options = options;
    const at = (name: string) => join(this.folder, name);
    const url = `http://127.0.0.1:${port}`;
    const keysFile = at('warehouse.jwks.json');
    const one = { url, authManager: options.auth, audience: AUDIENCE, publicKeys: keysFile };
    this.gateway = new ServedGateway({
      config: { publicUrl: 'http://127.0.0.1/', airflow: { warehouse: one, ...options.others } },
      policy: { airflow: options.grants, bindings: Object.entries(options.teams).flatMap(bindingsOf) },
    });
    mkdirSync(at('dags'));
    for (const name of ['airflow_names.py', 'basic.py']) copyFileSync(join(DAGS, name), join(at('dags'), name));
    writeFileSync(at('jwks-clock'), '0');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(at('airflow.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
    this.airflow = new AirflowServer({ ...this.#airflowOptions(), settings: {} }, port);
  }

  /** The gateway first: Airflow asks it for keys with the first token that it looks at. */
  static async start(options: AirflowTrustOptions): Promise<AirflowTrust> {
    const port = await freePort();
    const trust = new AirflowTrust(options, port);
    try {
      await trust.gateway.configure();
      if (options.https === true) await trust.#endTls();
      trust.airflow = new AirflowServer({ ...trust.#airflowOptions(), settings: trust.#settings() }, port);
      await trust.airflow.prepare();
      writeFileSync(join(trust.folder, 'warehouse.jwks.json'), await trust.publicKeys());
      await trust.gateway.start();
      await trust.airflow.startAll();
      return trust;
    } catch (error) {
      await trust.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.airflow.close();
    await this.#tls?.close();
    await this.gateway.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** As an operator makes the file of Airflow's public keys. */
  async publicKeys(...further: readonly string[]): Promise<string> {
    const script = resolve(ROOT, 'examples/gateway-setup/airflow_public_keys.py');
    const { stdout } = await run(this.#python, [script, ...further], { env: this.airflow.environment });
    return stdout;
  }

  /** Airflow's copy of the keys is older by so much from now on. */
  jwksAge(seconds: number): void {
    const file = join(this.folder, 'jwks-clock');
    writeFileSync(file, String(Number(readFileSync(file, 'utf8')) + seconds));
  }

  /** `plumbline issuer … --airflow warehouse`. */
  keys(...words: readonly string[]): Promise<CommandEnd> {
    return plumbline('issuer', ...words, '--airflow', 'warehouse', '--config', this.gateway.configFile);
  }

  /** The exchange, of a new caller's token. A machine that is busy makes the gateway ask for time, and gets it. */
  async exchange(
    team: string,
    { airflow = 'warehouse', token = this.caller(team), body = {} } = {},
  ): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    for (const end = Date.now() + 60_000; ; ) {
      const answer = await this.gateway.request(`/v1/airflow/${airflow}/token`, token, request);
      const { code } = answer.status === 503 ? ((await answer.clone().json()) as { code: string }) : { code: '' };
      if (code !== 'overloaded' || Date.now() > end) return answer;
      await new Promise((done) => setTimeout(done, 1_000 * Number(answer.headers.get('retry-after'))));
    }
  }

  caller(team: string, issuer: 'ci' | 'app' = 'app'): string {
    return this.gateway.token(`of-${team}`, issuer, { team });
  }

  /** A token of the gateway for the team's user. */
  async token(team: string, airflow = 'warehouse'): Promise<string> {
    const answer = await this.exchange(team, { airflow });
    const body = (await answer.json()) as { readonly access_token?: string };
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body.access_token ?? '';
  }

  /** A token of Airflow's own log-in. */
  async login({ username, password }: { username: string; password: string } = AIRFLOW_USERS.admin): Promise<string> {
    const answer = await fetch(`${this.airflow.url}/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
    assert.equal(answer.status, 201, await answer.clone().text());
    return ((await answer.json()) as { access_token: string }).access_token;
  }

  /** One request to Airflow; `path` begins after `/api/v2`, or at the top with `/execution`. */
  ask(token: string, path: string, body?: object): Promise<Response> {
    const base = path.startsWith('/execution') ? '' : '/api/v2';
    return fetch(`${this.airflow.url}${base}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** Whether Airflow's API takes the token. */
  async status(token: string): Promise<number> {
    return (await this.ask(token, '/dags/three')).status;
  }

  async trigger(token: string): Promise<{ readonly status: number; readonly run: Record<string, unknown> }> {
    const body = { dag_run_id: `plumbline-${randomUUID()}`, logical_date: null };
    const answer = await this.ask(token, '/dags/three/dagRuns', body);
    return { status: answer.status, run: (await answer.json()) as Record<string, unknown> };
  }

  /** Waits for the end of the run, which is a success: its tasks report at the execution API. */
  async succeeded(token: string, runId: unknown): Promise<void> {
    const end = Date.now() + 90_000;
    for (;;) {
      const answer = await this.ask(token, `/dags/three/dagRuns/${String(runId)}`);
      const { state = '' } = (await answer.json()) as { state?: string };
      if (state === 'success') return;
      assert.ok(state !== 'failed' && Date.now() < end, `the run is ${state}\n${this.#tasksLog()}`);
      await new Promise((done) => setTimeout(done, 200));
    }
  }

  /** What the scheduler and its workers wrote last. */
  #tasksLog(): string {
    return readFileSync(join(this.airflow.folder, 'logs/scheduler.log'), 'utf8').slice(-6_000);
  }

  async #endTls(): Promise<void> {
    this.#tls = await startTlsProxy(await freePort(), this.gateway.url);
    writeFileSync(join(this.folder, 'ca.pem'), this.#tls.ca);
  }

  #airflowOptions() {
    return {
      line: '3',
      python: this.#python,
      folder: join(this.folder, 'airflow'),
      dags: join(this.folder, 'dags'),
      auth: this.options.auth,
      cache: join(ROOT, '.cache/airflow'),
    } as const;
  }

  /** As docs/gateway/airflow.md says; and the clock of Airflow's copy of the keys in the test's hand. */
  #settings(): Record<string, string> {
    return {
      AIRFLOW__API_AUTH__TRUSTED_JWKS_URL: `${this.#tls?.url ?? this.gateway.url}/airflow/warehouse/jwks.json`,
      AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH: join(this.folder, 'airflow.pem'),
      AIRFLOW__API_AUTH__JWT_KID: 'airflow-1',
      AIRFLOW__API_AUTH__JWT_AUDIENCE: AUDIENCE,
      AIRFLOW__API_AUTH__JWT_ISSUER: `${this.airflow.url},http://127.0.0.1/airflow/warehouse`,
      // Of a task's report, the first of which waits for what the API server loads then; 5 s is little on a busy machine.
      AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT: '60',
      // Else it takes half a minute until a change of a user is seen.
      AIRFLOW__FAB__CACHE_TTL: '1',
      PYTHONPATH: resolve(ROOT, 'test/fixtures/airflow/one-hour'),
      JWKS_CLOCK: join(this.folder, 'jwks-clock'),
      ...(this.#tls && { SSL_CERT_FILE: join(this.folder, 'ca.pem') }),
    };
  }
}

function bindingsOf([team, grant]: [string, string]): object[] {
  return ['ci', 'app'].map((issuer) => ({
    name: `${team}-${issuer}`,
    issuer,
    match: { all: [{ claim: 'team', equals: team }] },
    airflow: [grant],
    examples: {
      allow: [{ claims: { team, sub: 'a' }, airflow: grant }],
      deny: [{ claims: { team: 'other', sub: 'a' }, airflow: grant }],
    },
  }));
}
