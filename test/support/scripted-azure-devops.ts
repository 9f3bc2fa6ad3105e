import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHttp, type Http } from '#http/http.ts';
import { createCertificateAuthority } from '#local-azure/certificate-authority.ts';
import { startConnectProxy } from '#local-azure/connect-proxy.ts';
import { AzureDevOpsSpecs, SPECS_PRESENT } from './azure-devops-specs.ts';
import { serve } from './loopback.ts';

/** A request that Azure DevOps got. */
export interface AskedOfAzure {
  readonly method: string;
  readonly host: string;
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** A run, as the Build API has it. */
export interface ScriptedBuild {
  readonly id: number;
  readonly pipeline: number;
  readonly project: string;
  readonly ref: string;
  readonly templateParameters: Readonly<Record<string, string>>;
  readonly queueTime: string;
  reason: string;
  status: string;
  result: string | undefined;
  tags: string[];
}

/** What a test makes of a request: an answer of its own, a broken connection before or after the work, or nothing special. */
export type Script = (asked: AskedOfAzure) => Meddling | undefined | Promise<Meddling | undefined>;
export type Meddling =
  | {
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      readonly worked?: boolean;
    }
  | 'reset'
  | 'reset-after-work'
  /** Nothing more comes. */
  | 'hang'
  | 'hang-after-work';

const HOSTS = ['dev.azure.com', 'fabrikam.visualstudio.com'];
const SPECS = SPECS_PRESENT ? new AzureDevOpsSpecs() : undefined;
export const AZURE_TOKEN = 'canary-of-azure-devops-access-token-1234567890';

/**
 * Pipelines of Azure DevOps as a test says, under their production host names behind a proxy, and a managed identity for the gateway.
 * Each request is held against Microsoft's specification. For what no stand-in that keeps the rules can be brought to do.
 */
export class ScriptedAzureDevOps {
  readonly asked: AskedOfAzure[] = [];
  readonly builds: ScriptedBuild[] = [];
  readonly findings: string[] = [];
  readonly tokensFor: string[] = [];
  script: Script = () => undefined;
  /** Whether lists say with which parameters a run was queued. */
  showsParameters = true;
  /** What the managed identity answers with. */
  tokenStatus = 200;
  #close: () => Promise<void> = async () => {};
  #config: object = {};
  #identityUrl = '';
  http: Http = createHttp({ skipVerification: false });

  static async start(): Promise<ScriptedAzureDevOps> {
    const azure = new ScriptedAzureDevOps();
    const authority = await createCertificateAuthority();
    const server = await serve((request, response) => void azure.#serve(request, response), authority.issue(HOSTS));
    const identity = await serve((request, response) => azure.#token(request, response));
    const proxy = await startConnectProxy({
      target: server.port,
      hosts: new Set(HOSTS),
      record: () => {},
      now: Date.now,
    });
    const { caFile } = authority;
    azure.#config = { proxy: { url: proxy.url, bypass: ['127.0.0.1', 'localhost'] }, caFile };
    azure.#identityUrl = identity.url.replace('localhost', '127.0.0.1');
    azure.http = createHttp({ skipVerification: false, proxy: { url: proxy.url, bypass: [] }, caFile });
    azure.#close = async () => {
      // The way in first: what is on its way would hold the server open.
      await proxy.close();
      await Promise.all([server.close(), identity.close(), authority.remove()]);
    };
    return azure;
  }

  /** `network` of gateway.yaml. */
  get network(): object {
    return this.#config;
  }

  /** Where the machine's identity is. */
  get environment(): Readonly<Record<string, string>> {
    return { IDENTITY_ENDPOINT: `${this.#identityUrl}/token`, IDENTITY_HEADER: 'header-of-the-machine' };
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** Requests to queue, those that were not worked on included. */
  get queueings(): readonly AskedOfAzure[] {
    return this.asked.filter(({ method, url }) => method === 'POST' && url.pathname.endsWith('/runs'));
  }

  end(id: number, result: string): void {
    const build = this.builds.find((one) => one.id === id);
    if (build) Object.assign(build, { status: 'completed', result });
  }

  #token(request: IncomingMessage, response: ServerResponse): void {
    const resource = new URL(request.url ?? '/', 'http://x').searchParams.get('resource') ?? '';
    this.tokensFor.push(resource);
    const expires_on = Math.floor(Date.now() / 1_000) + 3_600;
    const body = { access_token: AZURE_TOKEN, expires_on: String(expires_on), resource, token_type: 'Bearer' };
    answer(response, this.tokenStatus, this.tokenStatus === 200 ? body : { error: 'no identity' });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    const url = new URL(request.url ?? '/', `https://${host}`);
    const asked = { method: request.method ?? '', host, url, authorization: request.headers.authorization, body };
    this.asked.push(asked);
    const meddling = await this.script(asked);
    const works = typeof meddling === 'object' ? meddling.worked === true : !/^(?:reset|hang)$/.test(meddling ?? '');
    const own = works ? this.#work(asked) : undefined;
    if (own !== undefined) this.#check(request, asked, own);
    if (typeof meddling === 'object') answer(response, meddling.status, meddling.body, meddling.headers);
    else if (meddling?.startsWith('reset')) response.destroy();
    else if (own !== undefined && meddling === undefined) answer(response, own.status, own.body);
  }

  #check({ headers }: IncomingMessage, { method, host, url, body }: AskedOfAzure, reply: Answer): void {
    const incoming = { method, host, url, headers, body: Buffer.from(body) };
    const checked = SPECS?.check(incoming as never, { headers: {}, ...reply } as never);
    if (checked && checked.operationId === undefined)
      this.findings.push(`${method} ${url.pathname}: no such operation`);
    this.findings.push(...(checked?.findings ?? []));
  }

  #work({ method, host, url, body, authorization }: AskedOfAzure): Answer {
    if (authorization !== `Bearer ${AZURE_TOKEN}`) return { status: 203, body: {} };
    const path = host === 'dev.azure.com' ? url.pathname.replace(/^\/[^/]+/, '') : url.pathname;
    const [, project = '', api = '', number = '', what = ''] =
      /^\/([^/]+)\/_apis\/(pipelines|build\/builds)(?:\/(\d+))?(?:\/(.+))?$/.exec(path) ?? [];
    if (api === 'pipelines' && method === 'POST') return this.#queue(decodeURIComponent(project), Number(number), body);
    if (api === 'pipelines') return this.#run(Number(what.split('/')[1]));
    if (method === 'POST') return this.#tag(Number(number), body);
    const { searchParams } = url;
    const ids = searchParams.get('buildIds')?.split(',').map(Number);
    const found = this.builds.filter((build) =>
      ids ? ids.includes(build.id) : String(build.pipeline) === searchParams.get('definitions'),
    );
    const value = found.map((build) => this.#shown(build));
    return { status: 200, body: { count: value.length, value } };
  }

  #queue(project: string, pipeline: number, text: string): Answer {
    const { resources, templateParameters = {} } = JSON.parse(text);
    const id = 100 + this.builds.length;
    this.builds.push({
      id,
      pipeline,
      project,
      ref: resources.repositories.self.refName,
      templateParameters,
      queueTime: new Date().toISOString(),
      reason: 'manual',
      status: 'notStarted',
      result: undefined,
      tags: [],
    });
    return { status: 200, body: { id, name: `2026.${id}`, state: 'inProgress' } };
  }

  #run(id: number): Answer {
    const build = this.builds.find((one) => one.id === id);
    if (!build) return { status: 404, body: { message: 'no run' } };
    return { status: 200, body: { id, ...(this.showsParameters && { templateParameters: build.templateParameters }) } };
  }

  #tag(id: number, text: string): Answer {
    const build = this.builds.find((one) => one.id === id);
    if (build) build.tags = [...build.tags, ...JSON.parse(text)];
    return { status: 200, body: { count: build?.tags.length ?? 0, value: build?.tags ?? [] } };
  }

  #shown({ id, status, result, reason, queueTime, templateParameters, tags }: ScriptedBuild): object {
    const ended = status === 'completed' && { result, finishTime: new Date().toISOString() };
    const parameters = this.showsParameters && { templateParameters };
    return { id, buildNumber: `2026.${id}`, status, reason, queueTime, tags, ...ended, ...parameters };
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body ?? {}));
}
