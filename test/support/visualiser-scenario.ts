import { hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { parse, stringify } from 'yaml';
import { freePort } from '../../scripts/start-luigid.ts';
import { type RunningBrowser, startBrowser } from './browser.ts';
import { luigiPython } from './luigi-scenario.ts';
import { CLIENT_ID, PeopleProvider } from './people-provider.ts';
import { eventsOf, ServedGateway } from './served-gateway.ts';
import { type SocketLuigid, startSocketLuigid } from './task-identity-luigid.ts';
import { startTlsProxy, type TlsProxy } from './tls-proxy.ts';

/** Whatever of this ran in a page is seen in `globalThis.pwned`. */
export const HOSTILE = {
  image: '<img src=x onerror="window.pwned=1">',
  script: '<script>window.pwned=2</script>',
  link: 'javascript:window.pwned=3',
  quote: '"onmouseover="window.pwned=4" x="',
} as const;

/** A graph of which one task is good, one fails, and everything that a task can say of itself is hostile. */
const TASKS = `
import luigi

class Orders(luigi.Task):
    task_namespace = 'sales'
    note = luigi.Parameter()
    done = False
    def run(self):
        self.done = True
    def complete(self):
        return self.done

class Broken(luigi.Task):
    task_namespace = 'sales'
    note = luigi.Parameter()
    def requires(self):
        return Orders(note=self.note)
    def run(self):
        self.set_tracking_url('${HOSTILE.link}')
        self.set_status_message(self.note)
        raise ValueError('${HOSTILE.script}' + self.note)

class Report(luigi.WrapperTask):
    task_namespace = 'sales'
    note = luigi.Parameter()
    def requires(self):
        return Broken(note=self.note)
`;

const PEOPLE = {
  rita: { groups: ['readers'], preferred_username: 'rita@contoso.example' },
  olga: { groups: ['operators'], preferred_username: 'olga@contoso.example' },
  uwe: { groups: ['others'], preferred_username: 'uwe@contoso.example' },
};

function viewer(group: string, access: string): object {
  const example = (name: string) => ({ claims: { sub: 'a', groups: [name] } });
  return {
    name: group,
    match: { all: [{ claim: 'groups', equals: group }] },
    roles: ['etl'],
    access,
    examples: { allow: [example(group)], deny: [example('others')] },
  };
}

/**
 * A gateway process behind what ends TLS, its luigid on a Unix socket, a browser, and a provider at which people log in, which is
 * another site than the gateway: `127.0.0.1` and `localhost`.
 */
export class VisualiserScenario {
  readonly gateway: ServedGateway;
  readonly luigid: SocketLuigid;
  readonly provider: PeopleProvider;
  readonly browser: Browser;
  readonly #folder: string;
  /** Where people find the gateway. */
  readonly url: string;
  readonly #running: RunningBrowser;
  readonly #proxy: TlsProxy;

  private constructor(parts: {
    gateway: ServedGateway;
    luigid: SocketLuigid;
    provider: PeopleProvider;
    proxy: TlsProxy;
    running: RunningBrowser;
    folder: string;
  }) {
    this.gateway = parts.gateway;
    this.luigid = parts.luigid;
    this.provider = parts.provider;
    this.browser = parts.running.browser;
    this.url = parts.proxy.url;
    this.#running = parts.running;
    this.#proxy = parts.proxy;
    this.#folder = parts.folder;
  }

  static async start(): Promise<VisualiserScenario> {
    const folder = mkdtempSync(join(tmpdir(), 'visualiser-'));
    const at = join(folder, 'luigid');
    mkdirSync(at, { mode: 0o700 });
    const luigid = await startSocketLuigid(at, luigiPython());
    const [port, publicPort] = [await freePort(), await freePort()];
    const gateway = new ServedGateway({
      config: {
        luigid: { socket: luigid.socket },
        publicUrl: `https://localhost:${publicPort}`,
        behindProxy: { trustedProxies: ['127.0.0.1'] },
        signIn: { issuer: `http://127.0.0.1:${port}`, clientId: CLIENT_ID },
      },
      role: {
        modules: ['visualised'],
        tasks: ['sales.Report'],
        namespaces: ['sales'],
        scheduler: undefined,
        attempts: 1,
      },
      policy: { viewers: [viewer('readers', 'read'), viewer('operators', 'operate')] },
    });
    writeFileSync(join(gateway.folder, 'visualised.py'), TASKS);
    await gateway.start();
    const proxy = await startTlsProxy(publicPort, gateway.url);
    const redirectUri = `${proxy.url}/luigid/sign-in/callback`;
    const provider = await PeopleProvider.start({ port, redirectUri, people: PEOPLE });
    return new VisualiserScenario({ gateway, luigid, provider, proxy, running: await startBrowser(), folder });
  }

  /** A run of the gateway, to its end. */
  async run(): Promise<void> {
    const token = this.gateway.token();
    const body = { module: 'visualised', task: 'sales.Report', parameters: { note: HOSTILE.image } };
    const response = await this.gateway.create(token, 'visualised', body);
    const run = (await response.json()) as { runToken: string; links: Record<string, string> };
    if (response.status !== 201) throw new Error(`${response.status}: ${JSON.stringify(run)}`);
    const events = run.links['events']?.replace(this.url, '') ?? '';
    await eventsOf(await this.gateway.request(events, run.runToken));
  }

  /** Takes a viewer out of the policy. */
  async forbid(group: string): Promise<void> {
    const policy = parse(readFileSync(this.gateway.policyFile, 'utf8'));
    policy.viewers = policy.viewers.filter(({ name }: { name: string }) => name !== group);
    writeFileSync(this.gateway.policyFile, stringify(policy));
    const sha256 = hash('sha256', readFileSync(this.gateway.policyFile));
    await this.gateway.until(() => this.gateway.log.includes(`"policy":"${sha256}","msg":"the policy is in force"`));
  }

  /** A browser of somebody's own, at luigid's pages. */
  async visit(): Promise<Visit> {
    const context = await this.browser.createBrowserContext();
    const page = await context.newPage();
    const visit = new Visit(this, page);
    await page.goto(`${this.url}/luigid/`, { waitUntil: 'networkidle0' });
    return visit;
  }

  async signIn(name: keyof typeof PEOPLE): Promise<Visit> {
    const visit = await this.visit();
    await visit.logIn(name);
    return visit;
  }

  async close(): Promise<void> {
    await this.#running.close();
    await this.provider.close();
    await this.#proxy.close();
    await this.gateway.close();
    await this.luigid.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What one person's browser shows, and what it has asked for. */
export class Visit {
  readonly page: Page;
  /** Address of every request, and of every answer with its status. */
  readonly asked: string[] = [];
  readonly answered: string[] = [];
  /** What a page wanted and its policy did not let out of the browser. */
  readonly blocked: string[] = [];
  readonly #scenario: VisualiserScenario;

  constructor(scenario: VisualiserScenario, page: Page) {
    this.#scenario = scenario;
    this.page = page;
    page.on('request', (request) => void this.asked.push(request.url()));
    page.on('requestfailed', (request) => {
      if (request.failure()?.errorText === 'csp') this.blocked.push(request.url());
    });
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      this.answered.push(`${response.status()} ${pathname}`);
    });
  }

  /** At the form of the provider. */
  async logIn(name: string): Promise<void> {
    await this.page.type('input[name=login]', name);
    await Promise.all([this.page.waitForNavigation(), this.page.click('button')]);
    // The page after the provider's goes on by itself.
    const arrived = `location.origin === '${this.#scenario.url}' && !document.querySelector('meta[http-equiv]')`;
    await this.page.waitForFunction(arrived);
  }

  /** The table of tasks, as soon as a text is in it. */
  async tableWith(text: string): Promise<string> {
    const wanted = `document.querySelector('#taskTable tbody')?.textContent.includes(${JSON.stringify(text)})`;
    await this.page.waitForFunction(wanted);
    return this.text('#taskTable tbody');
  }

  async text(selector: string): Promise<string> {
    return String(await this.page.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`));
  }

  /** Clicks, and gives the status of the answer to the call that follows. */
  async call(method: string, selector: string): Promise<number> {
    const answer = this.page.waitForResponse((response) => new URL(response.url()).pathname.endsWith(`/api/${method}`));
    await this.page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
    return (await answer).status();
  }

  /** What hostile text has done. */
  pwned(): Promise<unknown> {
    return this.page.evaluate('globalThis.pwned');
  }

  /** Requests that went to neither the gateway nor the provider. */
  strays(): string[] {
    const own = [this.#scenario.url, this.#scenario.provider.url];
    const sent = this.asked.filter((url) => !url.startsWith('data:') && !this.blocked.includes(url));
    return sent.filter((url) => !own.includes(new URL(url).origin));
  }
}
