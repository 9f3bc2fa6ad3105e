import { parseDuration } from '#core/duration.ts';
import type { JsonValue } from '#core/json.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import type { RunPermission } from '#gateway/policy/policy.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { loadPolicy } from '../load-policy.ts';
import { printable } from '../printable.ts';
import { readJsonObject } from '../read-json.ts';
import type { Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export const policyExplain: Command = {
  name: 'policy explain',
  summary: 'Says what a policy decides for a caller and a run, and shows every comparison on the way.',
  takes: ['FILE'],
  options: {
    claims: { value: 'FILE', help: 'claims of the token, one JSON object', required: true },
    'run-facts': { value: 'FILE', help: 'claims of the token beside it' },
    issuer: { value: 'NAME', help: 'of the policy; default: the one whose `iss` and `aud` the claims have' },
    'run-facts-issuer': { value: 'NAME', help: 'the same for the run facts' },
    role: { value: 'ROLE', help: 'the role that is asked for', required: true },
    module: { value: 'MODULE', help: 'the Python module', required: true },
    task: { value: 'TASK', help: 'the Luigi task', required: true },
    family: { value: 'FAMILY', help: 'a task of that run: whether it gets a token, and as whom' },
    param: { value: 'NAME=VALUE', help: 'a parameter, as text', repeated: true },
    parameters: { value: 'FILE', help: 'parameters of other types, one JSON object' },
    workers: { value: 'N', help: 'how many Luigi workers' },
    timeout: { value: 'DURATION', help: 'how long it may take, e.g. 30m' },
    at: { value: 'INSTANT', help: 'decided as of then, e.g. 2026-12-01T08:00:00Z; default: now' },
    'show-values': { help: 'shows the claims and parameters that were compared' },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const { explainDecision, formatExplanation } = await import('#gateway/policy/explain-decision.ts');
    const policy = await loadPolicy(given.required('FILE'), terminal);
    const wanted = await permission(policy, given, terminal);
    const explanation = explainDecision(policy, wanted, instant(given), { showValues: given.flag('show-values') });
    const { allowed, wouldAllow, mode, binding, reasons } = explanation.decision;
    const { explainTask, formatTaskExplanation } = await import('#gateway/policy/explain-task.ts');
    const family = given.optional('family');
    const task = family === undefined ? undefined : explainTask(policy, explanation.decision, family);
    const ok = allowed && (task === undefined || task.decision.allowed);
    const verdict = { ok, allowed, wouldAllow, mode, binding, reasons, policy: policy.sha256, task };
    const texts = [formatExplanation(explanation), ...(task === undefined ? [] : [formatTaskExplanation(task)])];
    if (given.flag('json')) terminal.out(JSON.stringify({ ...verdict, comparisons: explanation.rows }));
    else terminal.out(printable(texts.join('\n'), { lines: true }));
    return ok ? EXIT.done : EXIT.refused;
  },
};

async function permission(policy: LoadedPolicy, given: Arguments, terminal: Terminal): Promise<RunPermission> {
  const { exampleCaller, exampleToken } = await import('#gateway/policy/example-caller.ts');
  const claims = readJsonObject(given.required('claims'), terminal);
  const factsFile = given.optional('run-facts');
  const facts = factsFile === undefined ? undefined : readJsonObject(factsFile, terminal);
  const beside = facts && exampleToken(chooseIssuer(policy, 'run-facts-issuer', given, facts), facts);
  const parametersFile = given.optional('parameters');
  return {
    caller: exampleCaller(chooseIssuer(policy, 'issuer', given, claims), claims, beside),
    role: given.required('role'),
    module: given.required('module'),
    task: given.required('task'),
    parameters: {
      ...(parametersFile === undefined ? {} : readJsonObject(parametersFile, terminal)),
      ...Object.fromEntries(given.assignments('param')),
    },
    workers: count(given.optional('workers')),
    timeoutMs: duration(given.optional('timeout')),
  };
}

/** The one that was named; else the only one that the claims can be of. */
function chooseIssuer(
  { issuers }: LoadedPolicy,
  option: 'issuer' | 'run-facts-issuer',
  given: Arguments,
  { iss, aud }: Readonly<Record<string, JsonValue>>,
): IssuerSettings {
  const name = given.optional(option);
  const candidates = issuers.filter((issuer) => {
    if (name !== undefined) return issuer.name === name;
    if (issuer.factsOnly && option === 'issuer') return false;
    if (iss === undefined && option === 'run-facts-issuer') return issuer.factsOnly;
    return (
      (iss === undefined || issuer.issuer === iss) && (aud === undefined || issuer.audiences.includes(String(aud)))
    );
  });
  const [only, ...more] = candidates;
  if (only !== undefined && more.length === 0) return only;
  throw new UsageError(`--${option} is one of ${issuers.map((issuer) => issuer.name).join(', ')}.`);
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
