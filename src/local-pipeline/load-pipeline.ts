import path from 'node:path';
import { expandNode, extendTemplate } from './expand-template.ts';
import { type Expansion, repositoryFiles } from './open-template.ts';
import type { PipelineSpec } from './pipeline-model.ts';
import { PipelineFileError, reject } from './position.ts';
import { readPipeline } from './read-pipeline.ts';
import { bindParameters, commandLineArguments } from './template-parameters.ts';
import type { TemplateScope } from './template-scope.ts';
import { entry, parseYaml, type YamlMapping, type YamlNode } from './yaml-node.ts';

export interface LoadOptions {
  /** Where `/path` in a template reference begins. */
  readonly root: string;
  /** Known when templates are expanded. */
  readonly variables: Readonly<Record<string, string>>;
  /** Values of the pipeline's own parameters. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Reads, expands and checks a pipeline file. @throws PipelineFileError with every problem of the step that failed */
export function loadPipeline(file: string, options: LoadOptions): PipelineSpec {
  return readPipeline(expandPipeline(file, options));
}

/** The document with templates, conditions, loops and `${{ }}` replaced. @throws PipelineFileError */
export function expandPipeline(file: string, { root, variables, parameters }: LoadOptions): YamlNode {
  const absolute = path.resolve(file);
  const files = repositoryFiles(root);
  const text = files.read(absolute) ?? reject({ file: absolute, line: 1, column: 1 }, 'The file does not exist.');
  const document = parseYaml(text, absolute);
  if (document.kind !== 'mapping') return reject(document.at, 'A pipeline must be a map.');
  const expansion: Expansion = { files, problems: [], path: [absolute] };
  const declared = entry(document, 'parameters');
  const given = commandLineArguments(parameters, declared, declared?.at ?? document.at);
  const values = bindParameters(declared, given, declared?.at ?? document.at, expansion.problems);
  const scope: TemplateScope = { parameters: values, variables: { ...variables }, loop: {} };
  const expanded = expandDocument(document, scope, expansion);
  if (expansion.problems.length > 0) throw new PipelineFileError(expansion.problems);
  return expanded;
}

function expandDocument(document: YamlMapping, scope: TemplateScope, expansion: Expansion): YamlNode {
  const own = {
    ...document,
    entries: document.entries.filter(({ key }) => key.text !== 'parameters' && key.text !== 'extends'),
  };
  const expanded = expandNode(own, 'root', scope, expansion);
  const reference = entry(document, 'extends');
  if (!reference || expanded.kind !== 'mapping') return expanded;
  if (reference.kind !== 'mapping') return reject(reference.at, "'extends' must be a map with 'template'.");
  const template = extendTemplate(reference, scopeWithVariables(expanded, scope), expansion);
  return template ? merged(expanded, template, expansion) : expanded;
}

/** The pipeline's own variables are known to what it extends. */
function scopeWithVariables(expanded: YamlMapping, scope: TemplateScope): TemplateScope {
  const variables = entry(expanded, 'variables');
  const pairs =
    variables?.kind === 'mapping' ? variables.entries.map(({ key, value }) => [key.text, value] as const) : [];
  const listed =
    variables?.kind === 'sequence'
      ? variables.items.flatMap((item) =>
          item.kind === 'mapping' ? [[textOf(entry(item, 'name')), entry(item, 'value')] as const] : [],
        )
      : [];
  const known = [...pairs, ...listed].map(([name, value]) => [name, textOf(value)] as const);
  return { ...scope, variables: { ...scope.variables, ...Object.fromEntries(known) } };
}

function textOf(node: YamlNode | undefined): string {
  return node?.kind === 'scalar' ? node.text : '';
}

function merged(own: YamlMapping, template: YamlMapping, expansion: Expansion): YamlMapping {
  for (const { key } of template.entries) {
    if (entry(own, key.text))
      expansion.problems.push({
        at: key.at,
        message: `'${key.text}' is defined by the pipeline and by the template that it extends.`,
      });
  }
  return { ...own, entries: [...own.entries, ...template.entries] };
}
