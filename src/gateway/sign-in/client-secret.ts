import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { configFiles } from '../config/config-files.ts';
import { SignInFailure } from './sign-in-failure.ts';

/**
 * The secret that a file holds, read each time.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID` when it cannot be read now; later what is returned throws {@link SignInFailure}.
 */
export function clientSecret(file: string): () => Secret {
  try {
    read(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_CONFIG_INVALID', `Cannot use the file of signIn.clientSecretFile, ${file}: ${why}`, {
      cause,
      remedy: 'Give it to the user of the gateway, with mode 0600 and the secret as its only line.',
      details: { field: 'signIn.clientSecretFile' },
    });
  }
  return () => {
    try {
      return read(file);
    } catch (error) {
      throw new SignInFailure('client-secret', error instanceof Error ? error.message : undefined);
    }
  };
}

function read(file: string): Secret {
  const text = configFiles.secret(file).trim();
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Error('it must hold one line of visible characters');
  return new Secret(text);
}
