import { parseDuration } from '#core/duration.ts';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import { fullRef } from '#gateway/dispatch/pipeline-run-request.ts';
import type { AirflowPermission, PipelinePermission } from '#gateway/policy/access-grants.ts';
import type { Explanation } from '#gateway/policy/explain-decision.ts';
import type { TaskExplanation } from '#gateway/policy/explain-task.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { CALLER_OPTIONS, explainedCaller } from '../explained-caller.ts';
import { loadPolicy } from '../load-policy.ts';
import { printable } from '../printable.ts';
import { readJsonObject } from '../read-json.ts';
import type { Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** What each kind of question needs, beside who asks. */
const QUESTIONS = {
  run: ['role', 'module', 'task'],
  airflow: ['airflow'],
  pipeline: ['pipeline', 'organization', 'project', 'ref'],
} as const;

export const policyExplain: Command = {
  name: 'policy explain',
  summary:
    'Says what a policy decides about a run, a token for an Airflow or a pipeline, with every comparison on the way.',
  takes: ['FILE'],
  options: {
    ...CALLER_OPTIONS,
    role: { value: 'ROLE', help: 'the role that is asked for' },
    module: { value: 'MODULE', help: 'the Python module' },
    task: { value: 'TASK', help: 'the Luigi task' },
    family: { value: 'FAMILY', help: 'a task of that run: whether it gets a token, and as whom' },
    param: { value: 'NAME=VALUE', help: 'a parameter of the run or the pipeline, as text', repeated: true },
    parameters: { value: 'FILE', help: 'parameters of other types, one JSON object' },
    workers: { value: 'N', help: 'how many Luigi workers' },
    timeout: { value: 'DURATION', help: 'how long it may take, e.g. 30m' },
    airflow: { value: 'NAME', help: 'an Airflow for which a token is asked, instead of a role' },
    grant: { value: 'NAME', help: 'the grant for this Airflow, where there are several' },
    pipeline: { value: 'ID', help: 'the definition of a pipeline that is queued, instead of a role' },
    organization: { value: 'URL', help: 'of the pipeline, e.g. https://dev.azure.com/fabrikam' },
    project: { value: 'NAME', help: 'of the pipeline' },
    ref: { value: 'REF', help: 'for which it is queued: a branch, or a ref in full, e.g. refs/heads/main' },
    at: { value: 'INSTANT', help: 'decided as of then, e.g. 2026-12-01T08:00:00Z; default: now' },
    'show-values': { help: 'shows the claims and parameters that were compared' },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const { formatExplanation } = await import('#gateway/policy/explain-decision.ts');
    const { formatTaskExplanation } = await import('#gateway/policy/explain-task.ts');
    const policy = await loadPolicy(given.required('FILE'), terminal);
    const { explanation, task } = await explained(policy, given, terminal);
    const { allowed, wouldAllow, mode, binding, reasons } = explanation.decision;
    const ok = allowed && (task === undefined || task.decision.allowed);
    const verdict = { ok, allowed, wouldAllow, mode, binding, reasons, policy: policy.sha256, task };
    const texts = [formatExplanation(explanation), ...(task === undefined ? [] : [formatTaskExplanation(task)])];
    const grant = 'grant' in explanation.decision ? explanation.decision.grant : undefined;
    if (given.flag('json')) terminal.out(JSON.stringify({ ...verdict, grant, comparisons: explanation.rows }));
    else terminal.out(printable(texts.join('\n'), { lines: true }));
    return ok ? EXIT.done : EXIT.refused;
  },
};

interface Explained {
  readonly explanation: Explanation;
  readonly task?: TaskExplanation | undefined;
}

async function explained(policy: LoadedPolicy, given: Arguments, terminal: Terminal): Promise<Explained> {
  const { explainAirflow, explainDecision, explainPipeline } = await import('#gateway/policy/explain-decision.ts');
  const { explainTask } = await import('#gateway/policy/explain-task.ts');
  const kind = questionOf(given);
  const caller = await explainedCaller(policy, given, terminal);
  const [now, options] = [instant(given), { showValues: given.flag('show-values') }];
  if (kind === 'airflow')
    return { explanation: explainAirflow(policy, airflowPermission(caller, given), now, options) };
  if (kind === 'pipeline')
    return { explanation: explainPipeline(policy, pipelinePermission(caller, given, terminal), now, options) };
  const explanation = explainDecision(policy, runPermission(caller, given, terminal), now, options);
  const family = given.optional('family');
  return {
    explanation,
    task: family === undefined ? undefined : explainTask(policy, explanation.decision, family),
  };
}

/** @throws {UsageError} for options of several questions, or when one is missing */
function questionOf(given: Arguments): keyof typeof QUESTIONS {
  const named = (['airflow', 'pipeline', 'run'] as const).filter((kind) =>
    QUESTIONS[kind].some((option) => given.optional(option) !== undefined),
  );
  const [kind = 'run', ...more] = named;
  if (more.length > 0) throw new UsageError('It is asked for one thing: --role, --airflow or --pipeline.');
  for (const option of QUESTIONS[kind])
    if (given.optional(option) === undefined) throw new UsageError(`--${option} is missing.`);
  return kind;
}

function runPermission(caller: RunPermission['caller'], given: Arguments, terminal: Terminal): RunPermission {
  return {
    caller,
    role: given.required('role'),
    module: given.required('module'),
    task: given.required('task'),
    parameters: parameters(given, terminal),
    workers: count(given.optional('workers')),
    timeoutMs: duration(given.optional('timeout')),
  };
}

function airflowPermission(caller: RunPermission['caller'], given: Arguments): AirflowPermission {
  return { caller, airflow: given.required('airflow'), grant: given.optional('grant') };
}

function pipelinePermission(caller: RunPermission['caller'], given: Arguments, terminal: Terminal): PipelinePermission {
  const pipeline = given.required('pipeline');
  if (!/^[1-9]\d{0,9}$/.test(pipeline)) throw new UsageError('--pipeline is the number of a definition.');
  return {
    caller,
    organization: given.required('organization'),
    project: given.required('project'),
    pipeline: Number(pipeline),
    ref: ref(given.required('ref')),
    templateParameters: parameters(given, terminal),
  };
}

/** In full, as the gateway takes it before it asks the policy. */
function ref(name: string): string {
  try {
    return fullRef(name);
  } catch (error) {
    if (error instanceof PlumblineError)
      throw new UsageError('--ref is a branch, or a full ref below refs/heads, refs/tags or refs/pull.');
    throw error;
  }
}

function parameters(given: Arguments, terminal: Terminal): Readonly<Record<string, JsonValue>> {
  const file = given.optional('parameters');
  return {
    ...(file === undefined ? {} : readJsonObject(file, terminal)),
    ...Object.fromEntries(given.assignments('param')),
  };
}

function instant(given: Arguments): number {
  const text = given.optional('at');
  const at = text === undefined ? Date.now() : Date.parse(text);
  if (Number.isNaN(at)) throw new UsageError('--at is an instant such as 2026-12-01T08:00:00Z.');
  return at;
}

function count(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new UsageError('--workers is a whole number from 1.');
  return Number(text);
}

function duration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) throw new UsageError('--timeout is a duration such as 90s or 30m.');
  return ms;
}
