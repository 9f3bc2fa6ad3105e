import type { TokenCheck, TokenExplanation } from '#gateway/auth/explain-token.ts';
import type { LoadedPolicy } from '#gateway/policy/loaded-policy.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { loadPolicy } from '../load-policy.ts';
import { printable } from '../printable.ts';
import { readJsonObject } from '../read-json.ts';
import { type RoleOffer, rolesFor } from '../roles-for.ts';
import { table } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** More than the gateway reads, so that it is the gateway's own check that says so. */
const MAX_TOKEN_BYTES = 65_536;

export const tokenExplain: Command = {
  name: 'token explain',
  summary: 'Says, without any network, why a token is refused or which roles it would get. Never prints it.',
  takes: ['TOKENFILE?'],
  options: {
    policy: { value: 'FILE', help: 'the policy', required: true },
    jwks: { value: 'FILE', help: "the issuer's keys (a JWK set); without them the signature is not checked" },
    'run-facts': { value: 'TOKENFILE', help: 'the token that would be sent beside it' },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const policy = await loadPolicy(given.required('policy'), terminal);
    const jwksFile = given.optional('jwks');
    const jwks = jwksFile === undefined ? undefined : readJsonObject(jwksFile, terminal);
    const token = await explained(policy, await tokenText(given, terminal), jwks);
    const factsFile = given.optional('run-facts');
    const facts =
      factsFile === undefined ? undefined : await explained(policy, tokenFile(factsFile, terminal), jwks, true);
    const offers = token.token === undefined ? [] : rolesFor(policy, token.token, facts?.token, Date.now());
    const answer = { token, facts, offers };
    if (given.flag('json')) terminal.out(JSON.stringify(asJson(answer)));
    else tell(answer, policy, terminal);
    return isUseful(answer) ? EXIT.done : EXIT.refused;
  },
};

interface Answer {
  readonly token: TokenExplanation;
  readonly facts: TokenExplanation | undefined;
  readonly offers: readonly RoleOffer[];
}

/** A token that is accepted and has no role may do nothing. */
function isUseful({ token, facts, offers }: Answer): boolean {
  return (
    token.verdict !== 'refused' && facts?.verdict !== 'refused' && offers.some(({ missing }) => missing.length === 0)
  );
}

/** Not from the arguments: every process of the machine reads those. */
function tokenText(given: Arguments, terminal: Terminal): string | Promise<string> {
  const file = given.optional('TOKENFILE');
  if (file === undefined || file === '-') return terminal.readInput(MAX_TOKEN_BYTES).then(withoutEnd);
  return tokenFile(file, terminal);
}

function tokenFile(file: string, terminal: Terminal): string {
  if (/^ey[\w-]+\.[\w-]+\./.test(file))
    throw new UsageError(
      'A token in an argument can be read by every process of this machine: give it by a file or on standard input, and get a new one.',
    );
  return withoutEnd(terminal.read(file, MAX_TOKEN_BYTES));
}

/** What an editor or `echo` puts behind it. */
function withoutEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

async function explained(
  policy: LoadedPolicy,
  text: string,
  jwks: unknown,
  isFacts = false,
): Promise<TokenExplanation> {
  const { explainToken } = await import('#gateway/auth/explain-token.ts');
  const explanation = await explainToken(text, policy.issuers, { now: Date.now(), jwks });
  if (!isFacts) return explanation;
  // Run facts need not authorise anybody.
  const checks = explanation.checks.filter(({ name }) => name !== 'authorises');
  return { ...explanation, checks, verdict: verdictOf(checks) };
}

function verdictOf(checks: readonly TokenCheck[]): TokenExplanation['verdict'] {
  if (checks.some(({ result }) => result === 'failed')) return 'refused';
  return checks.some(({ result }) => result === 'skipped') ? 'unproven' : 'accepted';
}

function asJson(answer: Answer) {
  const of = ({ verdict, checks, hint, tokenHash, issuer, claims }: TokenExplanation) => ({
    verdict,
    checks,
    hint,
    tokenHash,
    issuer: issuer?.name,
    claims: Object.fromEntries(SHOWN.map((name) => [name, claims?.[name]])),
  });
  const { token, facts, offers } = answer;
  return { ok: isUseful(answer), ...of(token), runFacts: facts && of(facts), bindings: offers };
}

function tell(answer: Answer, policy: LoadedPolicy, terminal: Terminal): void {
  tellToken('token', answer.token, policy, terminal);
  if (answer.facts !== undefined) tellToken('run facts', answer.facts, policy, terminal);
  if (answer.token.token === undefined) return;
  for (const { binding, missing, ...gives } of answer.offers) {
    const says = missing.length === 0 ? terminal.paint('green', 'gives') : `would give, but for ${missing.join(', ')}:`;
    terminal.out(`binding ${printable(binding)} ${says} ${listed(gives)}`);
  }
  if (answer.offers.length === 0) terminal.out('No binding is for callers of this issuer.');
}

/** Roles by their names alone, grants with the list that they are of. */
function listed({ roles, airflow, pipelines }: Pick<RoleOffer, 'roles' | 'airflow' | 'pipelines'>): string {
  const grants = [...airflow.map((name) => `airflow ${name}`), ...pipelines.map((name) => `pipeline ${name}`)];
  return [...roles, ...grants].join(', ');
}

/** What a person compares with the policy; all else that a token says stays where it is. */
const SHOWN = ['iss', 'aud', 'sub'] as const;
const MAX_SHOWN = 200;
const COLOURS = { accepted: 'green', refused: 'red', unproven: 'yellow' } as const;

function tellToken(what: string, explanation: TokenExplanation, { issuers }: LoadedPolicy, terminal: Terminal): void {
  const { verdict, checks, hint, tokenHash, issuer, claims } = explanation;
  const name = issuer === undefined ? '' : `, issuer ${printable(issuer.name)}`;
  terminal.out(`${what}: ${terminal.paint(COLOURS[verdict], verdict)}, sha256:${tokenHash}${name}`);
  for (const claim of claims === undefined ? [] : SHOWN) terminal.out(`  ${claim}  ${shown(claims?.[claim])}`);
  for (const line of table(['  check', 'result', 'why'], checks.map(row))) terminal.out(line);
  if (hint !== undefined) terminal.out(`  It looks as if ${printable(hint)}.`);
  if (claims === undefined || issuer !== undefined) return;
  terminal.out('  The policy knows:');
  for (const one of issuers) terminal.out(printable(`    ${one.name}: ${one.issuer}, for ${one.audiences.join(', ')}`));
}

function shown(value: unknown): string {
  return printable((JSON.stringify(value) ?? 'is missing').slice(0, MAX_SHOWN));
}

function row({ name, result, reason, field, why }: TokenCheck): string[] {
  const because = [reason, field, why].filter((part) => part !== undefined && part !== '');
  return [`  ${name}`, result, because.join(', ')];
}
