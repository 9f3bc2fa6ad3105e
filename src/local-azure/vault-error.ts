import type { Reply } from './exchange.ts';

/** A refusal in the words of Key Vault. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly status: number;
  readonly code: string;
  readonly inner: string | undefined;

  constructor(status: number, code: string, message: string, inner?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.inner = inner;
  }

  reply(): Reply {
    const inner = this.inner === undefined ? {} : { innererror: { code: this.inner } };
    return { status: this.status, body: { error: { code: this.code, message: this.message, ...inner } } };
  }
}

export function secretNotFound(name: string): VaultError {
  return new VaultError(
    404,
    'SecretNotFound',
    `A secret with (name/id) ${name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  );
}

export function badParameter(message: string): VaultError {
  return new VaultError(400, 'BadParameter', message);
}

export function keyNotFound(name: string): VaultError {
  return new VaultError(
    404,
    'KeyNotFound',
    `A key with (name/id) ${name} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  );
}

export function keyForbidden(message: string, inner: string): VaultError {
  return new VaultError(403, 'Forbidden', message, inner);
}
