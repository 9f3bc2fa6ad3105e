/** A secret in a vault, in its newest version unless one is named. */
export interface SecretReference {
  readonly name: string;
  readonly version?: string | undefined;
}

/** Key Vault REST, `secret-name`: `^[0-9a-zA-Z-]+$`, at most 127 characters; versions are 32 hexadecimal digits. */
const REFERENCE = /^([0-9a-zA-Z-]{1,127})(?:\/([0-9a-fA-F]{32}))?$/;

/** Reads `name` or `name/version`; `undefined` for anything else. Whoever reports that must not show the text: it may be a secret. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const [, name, version] = REFERENCE.exec(text.trim()) ?? [];
  if (name === undefined) return undefined;
  return version === undefined ? { name } : { name, version: version.toLowerCase() };
}
