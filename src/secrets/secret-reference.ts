import { PlumblineError } from '#core/errors.ts';

/** A secret in a vault, in its newest version unless one is named. */
export interface SecretReference {
  readonly name: string;
  readonly version?: string | undefined;
}

/** Key Vault REST, `secret-name`: `^[0-9a-zA-Z-]+$`, at most 127 characters; versions are 32 hexadecimal digits. */
const REFERENCE = /^([0-9a-zA-Z-]{1,127})(?:\/([0-9a-fA-F]{32}))?$/;

/**
 * `name` or `name/version`.
 *
 * @throws {PlumblineError} `ERR_INPUT_INVALID`, without the text when it could be a secret itself.
 */
export function parseSecretReference(text: string): SecretReference {
  const [, name, version] = REFERENCE.exec(text.trim()) ?? [];
  if (name !== undefined) return version === undefined ? { name } : { name, version: version.toLowerCase() };
  throw new PlumblineError(
    'ERR_INPUT_INVALID',
    `Cannot read a reference to a secret: it has ${text.length} characters and is no secret name`,
    {
      remedy:
        "Write the name of the secret in Key Vault (letters, digits and '-'), or 'name/version' with the 32 digits of a version.",
    },
  );
}
