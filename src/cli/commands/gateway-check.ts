import { systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { GatewayConfig } from '#gateway/config/gateway-config.ts';
import type { ParsedPolicy } from '#gateway/policy/parse-policy.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { judgePolicy, type PolicyVerdict, tellPolicy } from '../judge-policy.ts';
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';

export const gatewayCheck: Command = {
  name: 'gateway check',
  summary: 'Reads configuration and policy as the gateway does at its start, and starts nothing.',
  takes: [],
  options: { config: { value: 'FILE', help: "the gateway's configuration", required: true }, json: JSON_OPTION },
  async run(given, terminal) {
    const file = given.required('config');
    // A file that cannot be read gives no answer; one that can be read and is wrong gives a no.
    terminal.read(file);
    const config = await judgeConfig(file);
    const judged = 'settings' in config ? await judgePolicyOf(config.settings) : undefined;
    const { verdict: policy, gaps = [] } = judged ?? {};
    const ok = policy?.ok === true && gaps.length === 0;
    if (given.flag('json'))
      terminal.out(
        JSON.stringify({ ok, config: { ok: 'settings' in config, problems: config.problems }, policy, gaps }),
      );
    else tell(file, config, policy, terminal);
    if (!given.flag('json')) for (const gap of gaps) terminal.out(`${terminal.paint('red', 'gap')}: ${printable(gap)}`);
    return ok ? EXIT.done : EXIT.refused;
  },
};

type ConfigVerdict =
  | { readonly settings: GatewayConfig; readonly problems: readonly [] }
  | { readonly error: PlumblineError; readonly problems: readonly unknown[] };

async function judgeConfig(file: string): Promise<ConfigVerdict> {
  const { loadGatewayConfig } = await import('#gateway/config/load-gateway-config.ts');
  const { clientSecret } = await import('#gateway/sign-in/client-secret.ts');
  try {
    const settings = loadGatewayConfig(file);
    const { clientSecretFile } = settings.signIn ?? {};
    if (clientSecretFile !== undefined) clientSecret(clientSecretFile);
    return { settings, problems: [] };
  } catch (error) {
    if (!(error instanceof PlumblineError && error.code === 'ERR_CONFIG_INVALID')) throw error;
    const { problems = [error.message] } = error.details as { problems?: readonly unknown[] };
    return { error, problems };
  }
}

interface JudgedPolicy {
  readonly verdict: PolicyVerdict;
  /** What it needs of the configuration, and that has not. */
  readonly gaps: readonly string[];
}

async function judgePolicyOf(config: GatewayConfig): Promise<JudgedPolicy> {
  const { policyFile } = config;
  const { publicKeyGaps } = await import('#gateway/airflow/public-key-gaps.ts');
  const { policyGaps } = await import('#gateway/config/policy-gaps.ts');
  const { policyOf, readPolicyFile } = await import('#gateway/policy/read-policy-file.ts');
  const { bytes, problem } = await readPolicyFile(policyFile, systemClock, 0);
  const parsed: ParsedPolicy = bytes === undefined ? { problems: [problem] } : policyOf(bytes, policyFile);
  const { policy } = parsed;
  const gaps = [...(await publicKeyGaps(config)), ...(policy === undefined ? [] : policyGaps(config, policy))];
  return { verdict: await judgePolicy(parsed, 'high'), gaps };
}

function tell(file: string, config: ConfigVerdict, policy: PolicyVerdict | undefined, terminal: Terminal): void {
  if ('error' in config) {
    terminal.out(printable(config.error.message, { lines: true }));
    return;
  }
  terminal.out(`${printable(file)}: ${terminal.paint('green', 'good')}`);
  if (policy !== undefined) tellPolicy(config.settings.policyFile, policy, terminal);
}
