import type { JsonValue } from '#core/json.ts';
import { parseSecretReference, type SecretReference } from '#secrets/secret-reference.ts';

/** Where a secret of the vault goes: an environment variable, a 0600 file named by one, or a PRIVATE parameter. */
export interface SecretBinding {
  readonly target: 'environment' | 'file' | 'parameter';
  /** Name of the environment variable or of the parameter. */
  readonly name: string;
  readonly secret: SecretReference;
}

export type Refusal = (key: string, allowed: string) => void;

const ENVIRONMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PARAMETER_NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const RESERVED = /^(PLUMBLINE_.*|PATH|HOME|PYTHON.*|LD_.*|DYLD_.*|LUIGI_CONFIG.*|AZURE_FEDERATED_TOKEN_FILE)$/i;

const ALLOWED_VALUE = 'NAME: secret-name or NAME: secret-name/version (32 hexadecimal digits)';

/**
 * `NAME: secret` → environment variable, `files.NAME: secret` → 0600 file, `parameters.name: secret` → parameter.
 * Problems go to `refuse`; what is refused is left out.
 */
export function readSecretBindings(mapping: ReadonlyMap<string, JsonValue>, refuse: Refusal): readonly SecretBinding[] {
  const bindings: SecretBinding[] = [];
  for (const [key, value] of mapping) {
    const place = placeOf(key, refuse);
    const secret = typeof value === 'string' ? parseSecretReference(value) : undefined;
    if (!secret) refuse(key, ALLOWED_VALUE);
    if (place && secret) bindings.push({ ...place, secret });
  }
  return withoutDoubles(bindings, refuse);
}

function placeOf(key: string, refuse: Refusal): Pick<SecretBinding, 'target' | 'name'> | undefined {
  const [, prefix, rest] = /^(files|parameters)\.(.*)$/u.exec(key) ?? [];
  const name = rest ?? key;
  if (prefix === 'parameters') {
    const parameter = name.replaceAll('-', '_');
    if (PARAMETER_NAME.test(parameter)) return { target: 'parameter', name: parameter };
    return void refuse(key, 'parameters.<name of a parameter>');
  }
  if (!ENVIRONMENT_NAME.test(name)) {
    return void refuse(key, 'the name of an environment variable, files.NAME or parameters.name');
  }
  if (RESERVED.test(name)) return void refuse(key, 'a name that neither Python, the system nor Plumbline uses itself');
  return { target: prefix === 'files' ? 'file' : 'environment', name };
}

function withoutDoubles(bindings: readonly SecretBinding[], refuse: Refusal): readonly SecretBinding[] {
  const seen = new Set<string>();
  return bindings.filter(({ target, name }) => {
    const place = `${target === 'parameter' ? 'parameters.' : ''}${name}`;
    if (seen.has(place)) refuse(place, 'each name once');
    const isNew = !seen.has(place);
    seen.add(place);
    return isNew;
  });
}
