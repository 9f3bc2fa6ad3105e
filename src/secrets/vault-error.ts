import { type ErrorCode, PlumblineError } from '#core/errors.ts';
import type { SecretReference } from './secret-reference.ts';
import { readerName, type VaultReader } from './vault-reader.ts';

/** What a vault said in its error document: `{error: {code, message, innererror: {code}}}`. */
export interface VaultAnswer {
  readonly status: number;
  readonly code?: string | undefined;
  readonly innerCode?: string | undefined;
  readonly message?: string | undefined;
}

interface Attempt {
  readonly address: string;
  readonly reference: SecretReference;
  readonly identity: VaultReader;
}

interface Verdict {
  readonly code: ErrorCode;
  readonly why: string;
  readonly remedy: string;
}

/** The error document of an answer. Only called for what is no secret: a body with a value is not looked at. */
export function asVaultAnswer(status: number, body: string | null | undefined): VaultAnswer {
  if (status < 400) return { status };
  const error = member(parsed(body ?? ''), 'error');
  return {
    status,
    code: text(member(error, 'code')),
    innerCode: text(member(member(error, 'innererror'), 'code')),
    message: text(member(error, 'message')),
  };
}

/** What went wrong with a secret, told apart as far as the vault's answer allows. Errors of ours pass. */
export function vaultError(thrown: unknown, answer: VaultAnswer | undefined, attempt: Attempt): PlumblineError {
  if (thrown instanceof PlumblineError) return isNetwork(thrown, attempt) ? unreachable(thrown, attempt) : thrown;
  const { address, reference } = attempt;
  const name = reference.version ? `${reference.name}/${reference.version}` : reference.name;
  const { code, why, remedy } = verdict(answer, thrown, attempt);
  return new PlumblineError(code, `Cannot read secret '${name}' from ${address}: ${why}`, {
    remedy,
    cause: new Error(thrown instanceof Error ? thrown.message.slice(0, 500) : String(thrown)),
    details: {
      vault: address,
      secret: reference.name,
      version: reference.version,
      status: answer?.status,
      innerCode: answer?.innerCode,
    },
  });
}

function verdict(answer: VaultAnswer | undefined, thrown: unknown, attempt: Attempt): Verdict {
  const { status = 0, message = '' } = answer ?? {};
  if (status === 404) return notFound(attempt);
  if (status === 403) return forbidden(answer as VaultAnswer, attempt);
  if (status === 401) return unauthorized(message, attempt);
  if (status === 429) return throttled();
  if (status >= 500) return { code: 'ERR_VAULT_UNREACHABLE', why: `the vault answered ${status}`, remedy: LATER };
  const why = message || (thrown instanceof Error ? thrown.message : String(thrown));
  return {
    code: 'ERR_SECRET_UNUSABLE',
    why: `${status ? `HTTP ${status}, ` : ''}${firstLine(why)}`,
    remedy: OPEN_ISSUE,
  };
}

const LATER = 'Run the job again; see https://status.azure.com when it goes on.';
const OPEN_ISSUE =
  'Check the name of the secret; if it is right, please open an issue with the debug log of this step.';

function notFound({ reference: { version } }: Attempt): Verdict {
  const why = version === undefined ? 'there is no such secret' : 'there is no such secret, or not in this version';
  const remedy =
    'Check vault and name (`az keyvault secret list`); a deleted secret can be recovered (`az keyvault secret recover`).';
  return { code: 'ERR_SECRET_NOT_FOUND', why, remedy };
}

function throttled(): Verdict {
  const remedy = 'Read fewer secrets, or at other times; a vault serves 4,000 requests in 10 s for all its callers.';
  return { code: 'ERR_VAULT_THROTTLED', why: 'the vault has too many requests (429)', remedy };
}

function unauthorized(message: string, { identity }: Attempt): Verdict {
  const why = `the vault does not accept the token of tenant ${identity.tenantId ?? 'unknown'} (401): ${firstLine(message)}`;
  const remedy = "Use a connection of the vault's own tenant; names of vaults are shared by all tenants.";
  return { code: 'ERR_SECRET_FORBIDDEN', why, remedy };
}

/**
 * Disabled, firewall, private link, role and access policy all answer 403. The inner code tells them apart; the message
 * where there is none. Codes and messages: Microsoft's "Key Vault REST API error codes".
 */
function forbidden({ innerCode, message = '' }: VaultAnswer, { reference, identity }: Attempt): Verdict {
  const is = (code: string, words: RegExp) => innerCode === code || (innerCode === undefined && words.test(message));
  const who = readerName(identity);
  if (is('SecretDisabled', /disabled secret/i)) {
    const remedy = `Enable it, or name an enabled version as '${reference.name}/<version>'.`;
    return { code: 'ERR_SECRET_DISABLED', why: 'it is disabled', remedy };
  }
  const code = 'ERR_SECRET_FORBIDDEN';
  if (is('SecretNotYetValid', /not yet valid/i))
    return { code: 'ERR_SECRET_NOT_YET_VALID', why: 'it is not valid yet', remedy: 'Correct its activation date.' };
  if (is('ForbiddenByFirewall', /client address is not authorized/i)) {
    const address = /Client address: ([0-9a-f.:]+)/i.exec(message)?.[1];
    const why = `the vault's firewall does not know the address of this agent${address ? ` (${address})` : ''}`;
    return {
      code,
      why,
      remedy: 'Allow the address in the networking settings of the vault, or use an agent inside its network.',
    };
  }
  if (is('ForbiddenByConnection', /public network access is disabled/i)) {
    const why = 'the vault is reached through its private endpoint only';
    return { code, why, remedy: 'Use an agent in the network of the private endpoint.' };
  }
  if (is('ForbiddenByRbac', /not authorized to perform action/i)) {
    const why = `${who} has no role that reads secrets of this vault`;
    const remedy =
      "Assign 'Key Vault Secrets User' on the vault or the secret to it; a new assignment needs up to 10 minutes.";
    return { code, why, remedy };
  }
  if (is('AccessDenied', /does not have secrets get permission/i) || innerCode === 'ForbiddenByPolicy') {
    const why = `no access policy of this vault lets ${who} get secrets`;
    return {
      code,
      why,
      remedy: "Add an access policy with the secret permission 'Get' (the vault does not use roles).",
    };
  }
  return {
    code,
    why: `403, ${firstLine(message) || innerCode || 'no reason given'}`,
    remedy: `Check the vault's roles or access policies, and its networking settings, for ${who}.`,
  };
}

function isNetwork({ code, details }: PlumblineError, { address }: Attempt): boolean {
  return (code === 'ERR_HTTP_NETWORK' || code === 'ERR_HTTP_TIMEOUT') && String(details['url']).startsWith(address);
}

function unreachable(cause: PlumblineError, { address }: Attempt): PlumblineError {
  const unknown = cause.details['systemCode'] === 'ENOTFOUND';
  const remedy = unknown
    ? 'Check the name of the vault; with a private endpoint, that the agent resolves its private zone.'
    : cause.remedy;
  return new PlumblineError('ERR_VAULT_UNREACHABLE', `Cannot reach ${address}: ${cause.message}`, {
    cause,
    remedy,
    details: { ...cause.details, vault: address },
  });
}

function firstLine(message: string): string {
  return message.split(/[\r\n]/)[0]?.slice(0, 300) ?? '';
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
