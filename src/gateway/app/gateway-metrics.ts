import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Decision } from '../policy/policy.ts';

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Of a label whose values come from a file: bindings and reasons. */
const MAX_VALUES = 200;

/** What is read when somebody scrapes. */
export interface MetricSources {
  readonly runs: () => Promise<{ readonly queued: number; readonly running: number }>;
  readonly issuersUnavailable: () => number;
  /** Of Azure DevOps; absent: none are queued. */
  readonly pipelineRuns?: MetricSources['runs'] | undefined;
}

/** Counters of the gateway. Every label has a bounded number of values; none holds an id, a token or a path. */
export class GatewayMetrics {
  readonly registry = new Registry();
  readonly #prefix = { registers: [this.registry] };
  readonly #requests = new Histogram({
    name: 'plumbline_http_request_duration_seconds',
    help: 'From the head of a request to the end of its answer; event streams are not in it.',
    labelNames: ['route', 'method', 'status'] as const,
    buckets: BUCKETS,
    ...this.#prefix,
  });
  readonly #refusals = this.#counter('plumbline_refusals_total', 'Requests that were refused, by problem and reason.', [
    'code',
    'reason',
  ]);
  readonly #decisions = this.#counter('plumbline_decisions_total', 'Decisions of the policy.', ['allowed', 'binding']);
  readonly #wouldDeny = this.#counter(
    'plumbline_would_deny_total',
    'Runs that passed only because their binding reports.',
    ['binding', 'reason'],
  );
  readonly #taskTokens = this.#counter('plumbline_task_tokens_total', 'Exchanges of tasks, by what came of them.', [
    'result',
    'reason',
  ]);
  readonly #pipelineRuns = this.#counter(
    'plumbline_pipeline_requests_total',
    'Requests to queue an Azure pipeline, by what became of them.',
    ['result'],
  );
  readonly #airflowTokens = this.#counter('plumbline_airflow_tokens_total', 'Exchanges for tokens of Airflows.', [
    'airflow',
    'result',
    'reason',
  ]);
  readonly #auditFailures = this.#counter('plumbline_audit_failures_total', 'Records that could not be written.', []);
  readonly #policyLoads = this.#counter('plumbline_policy_loads_total', 'Readings of the policy file.', ['result']);
  readonly #watchers = new Gauge({ name: 'plumbline_watchers', help: 'Open event streams.', ...this.#prefix });
  readonly #slowWatchers = this.#counter('plumbline_slow_watchers_total', 'Streams that were closed: not read.', []);
  readonly #values = new Map<string, Set<string>>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  request(route: string, method: string, status: number, seconds: number): void {
    this.#requests.observe({ route, method, status: String(status) }, seconds);
  }

  refused(code: string, reason = ''): void {
    this.#refusals.inc({ code, reason: this.#bounded('reason', reason) });
  }

  decided({ allowed, wouldAllow, binding = '', reasons }: Omit<Decision, 'role'>): void {
    const name = this.#bounded('binding', binding);
    this.#decisions.inc({ allowed: String(allowed), binding: name });
    if (!allowed || wouldAllow) return;
    this.#wouldDeny.inc({ binding: name, reason: this.#bounded('reason', reasons.at(-1)?.reason ?? '') });
  }

  /** @param result `issued`, or in which mode it was refused */
  taskToken(result: 'issued' | 'report' | 'enforce', reason = ''): void {
    this.#taskTokens.inc({ result, reason: this.#bounded('reason', reason) });
  }

  /** @param airflow name of the configuration; empty: of none */
  airflowToken(airflow: string, result: 'issued' | 'refused' | 'failed', reason = ''): void {
    this.#airflowTokens.inc({ airflow, result, reason: this.#bounded('reason', reason) });
  }

  /** @param result what became of a caller's request, or of one to Azure DevOps */
  pipelineRun(result: string): void {
    this.#pipelineRuns.inc({ result });
  }

  auditFailed(): void {
    this.#auditFailures.inc();
  }

  policyRead(result: 'loaded' | 'rejected'): void {
    this.#policyLoads.inc({ result });
  }

  watching(change: 1 | -1): void {
    this.#watchers.inc(change);
  }

  watcherWasSlow(): void {
    this.#slowWatchers.inc();
  }

  /** What is looked up at each scrape. To be called once. */
  observe({ runs, issuersUnavailable, pipelineRuns }: MetricSources): void {
    if (pipelineRuns) this.#states('plumbline_pipeline_runs', 'Runs of Azure pipelines that go on.', pipelineRuns);
    this.#states('plumbline_runs', 'Runs that wait and runs that go on.', runs);
    new Gauge({
      name: 'plumbline_issuers_unavailable',
      help: 'Issuers without keys to verify with.',
      ...this.#prefix,
      collect() {
        this.set(issuersUnavailable());
      },
    });
  }

  #states(name: string, help: string, counts: MetricSources['runs']): void {
    new Gauge({
      name,
      help,
      labelNames: ['state'],
      ...this.#prefix,
      async collect() {
        const { queued, running } = await counts();
        this.set({ state: 'queued' }, queued);
        this.set({ state: 'running' }, running);
      },
    });
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames: [...labelNames], ...this.#prefix });
  }

  /** A value beyond the bound counts as `other`: whoever writes policies cannot fill the memory of a scraper. */
  #bounded(label: string, value: string): string {
    const known = this.#values.get(label) ?? new Set();
    this.#values.set(label, known);
    if (known.has(value)) return value;
    if (known.size >= MAX_VALUES) return 'other';
    known.add(value);
    return value;
  }
}
