import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseDocument } from 'yaml';
import { pipelineInvalid } from './pipeline-error.ts';

interface Declared {
  readonly name: string;
  readonly type: string;
  readonly hasDefault: boolean;
  readonly values: readonly string[];
}

/**
 * Holds template parameters against those that a pipeline's file declares, without regard to the case of their names.
 *
 * @throws DevOpsError 400 for the first that does not fit
 */
export function checkTemplateParameters(file: string, given: Readonly<Record<string, string>>): void {
  const declared = readParameters(file);
  const named = new Map(Object.entries(given).map(([name, text]) => [name.toLowerCase(), text]));
  if (named.size < Object.keys(given).length)
    throw pipelineInvalid(`/${basename(file)}: A parameter was given more than once.`);
  for (const name of Object.keys(given))
    if (!declared.some((one) => one.name.toLowerCase() === name.toLowerCase()))
      throw pipelineInvalid(`/${basename(file)}: Unexpected parameter '${name}'`);
  for (const one of declared) checkValue(file, one, named.get(one.name.toLowerCase()));
}

function checkValue(file: string, { name, type, hasDefault, values }: Declared, text: string | undefined): void {
  if (text === undefined) {
    if (hasDefault) return;
    throw pipelineInvalid(`/${basename(file)}: A value for the '${name}' parameter must be provided.`);
  }
  if (!fits(type, text))
    throw pipelineInvalid(`/${basename(file)}: The '${name}' parameter value '${text}' is not a valid ${type}.`);
  if (values.length > 0 && !values.includes(text))
    throw pipelineInvalid(
      `/${basename(file)}: The '${name}' parameter value '${text}' is not one of the allowed values.`,
    );
}

function fits(type: string, text: string): boolean {
  if (type === 'number') return text.trim() !== '' && !Number.isNaN(Number(text));
  if (type === 'boolean') return /^(?:true|false)$/i.test(text);
  return type === 'string' || parseDocument(text).errors.length === 0;
}

function readParameters(file: string): readonly Declared[] {
  const content = readPipeline(file);
  const { parameters = [] } = Object(content) as { parameters?: unknown };
  if (!Array.isArray(parameters))
    return Object.keys(Object(parameters) as object).map((name) => ({
      name,
      type: 'object',
      hasDefault: true,
      values: [],
    }));
  return parameters.map((one: unknown) => {
    const { name, type = 'string', default: fallback, values = [] } = Object(one) as Record<string, unknown>;
    return {
      name: String(name),
      type: String(type),
      hasDefault: fallback !== undefined,
      values: (values as unknown[]).map(String),
    };
  });
}

function readPipeline(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw pipelineInvalid(`File /${basename(file)} not found in repository.`);
  }
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw pipelineInvalid(`/${basename(file)}: ${error.message.split('\n')[0]}`);
  return document.toJS();
}
