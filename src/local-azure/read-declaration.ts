import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { PlumblineError } from '#core/errors.ts';
import schema from './azure.schema.json' with { type: 'json' };
import type { AzureDeclaration } from './declaration.ts';

const validate = new Ajv2020({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  strictRequired: false,
  strictTypes: false,
}).compile<AzureDeclaration>(schema);

/**
 * A parsed declaration file, checked against azure.schema.json.
 *
 * @param source how the file is called in messages.
 * @throws PlumblineError ERR_INPUT_INVALID with every finding, each with its place in the file.
 */
export function readAzureDeclaration(value: unknown, source = 'the Azure declaration'): AzureDeclaration {
  if (validate(value)) return value;
  throw invalidDeclaration(source, (validate.errors ?? []).filter((error) => error.keyword !== 'if').map(inWords));
}

export function invalidDeclaration(source: string, findings: readonly string[]): PlumblineError {
  return new PlumblineError('ERR_INPUT_INVALID', `Cannot use ${source}: ${findings.join('; ')}`, {
    remedy: 'Correct the named places; src/local-azure/azure.schema.json describes the file.',
    details: { findings },
  });
}

function inWords(error: ErrorObject): string {
  const place = error.instancePath === '' ? 'the top level' : error.instancePath;
  const { additionalProperty, allowedValues } = error.params as {
    additionalProperty?: string;
    allowedValues?: unknown[];
  };
  if (additionalProperty !== undefined) return `${place} has an unknown field "${additionalProperty}"`;
  if (allowedValues !== undefined) return `${place} must be one of ${allowedValues.join(', ')}`;
  if (error.propertyName !== undefined)
    return `${place} has a name that is not allowed, "${error.propertyName}": it ${error.message}`;
  return `${place} ${error.message}`;
}
