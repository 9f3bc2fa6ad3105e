import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Position, Problem } from './position.ts';
import type { TemplateKind } from './template-kinds.ts';
import { type Arguments, bindParameters } from './template-parameters.ts';
import type { TemplateScope } from './template-scope.ts';
import { entry, parseYaml, type YamlMapping, type YamlNode } from './yaml-node.ts';

/** What an expansion carries along. */
export interface Expansion {
  readonly files: TemplateFiles;
  readonly problems: Problem[];
  /** Files that are being expanded, outermost first. */
  readonly path: readonly string[];
}

/** Template files of the repository. */
export interface TemplateFiles {
  /** Where `/path` begins. */
  readonly root: string;
  /** By absolute path; `undefined` when there is none. */
  read(file: string): string | undefined;
}

export function repositoryFiles(root: string): TemplateFiles {
  return { root, read: (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined) };
}

/** The service stops at this depth of templates in templates. */
const DEEPEST = 100;

/** A template with its own scope, ready to be expanded. */
export interface OpenedTemplate {
  readonly root: YamlMapping;
  readonly scope: TemplateScope;
  readonly expansion: Expansion;
}

/** Opens what an expanded `template:` reference names and binds its parameters; `undefined` after a problem. */
export function openTemplate(
  reference: YamlMapping,
  scope: TemplateScope,
  expansion: Expansion,
): OpenedTemplate | undefined {
  onlyKeys(reference, ['template', 'parameters'], 'A template reference', expansion);
  const name = entry(reference, 'template');
  if (name?.kind !== 'scalar') return complain(expansion, reference.at, "'template' must name a file.");
  const file = resolveTemplate(name.text, name.at, expansion);
  const root = file === undefined ? undefined : readTemplate(file, name.text, name.at, expansion);
  if (!file || !root) return undefined;
  const parameters = bindParameters(entry(root, 'parameters'), argumentsOf(reference), name.at, expansion.problems);
  return {
    root,
    scope: { parameters, variables: scope.variables, loop: {} },
    expansion: { ...expansion, path: [...expansion.path, file] },
  };
}

/** The list of a template for steps, jobs, stages or variables. */
export function templateBody({ root, expansion }: OpenedTemplate, kind: TemplateKind): YamlNode | undefined {
  onlyKeys(root, ['parameters', kind], `A template for ${kind}`, expansion);
  return entry(root, kind) ?? complain(expansion, root.at, `A template for ${kind} needs '${kind}'.`);
}

/** A variable of the map form as an item of the list form. */
export function listedVariable({ key, value }: YamlMapping['entries'][number]): YamlNode {
  const named = (text: string) => ({ kind: 'scalar', text, at: key.at }) as const;
  const entries = [
    { key: named('name'), value: key },
    { key: named('value'), value },
  ];
  return { kind: 'mapping', entries, at: key.at };
}

function onlyKeys(node: YamlMapping, allowed: readonly string[], what: string, { problems }: Expansion): void {
  for (const { key } of node.entries)
    if (!allowed.includes(key.text)) problems.push({ at: key.at, message: `${what} cannot have '${key.text}'.` });
}

function readTemplate(file: string, name: string, at: Position, expansion: Expansion): YamlMapping | undefined {
  if (expansion.path.length >= DEEPEST) return complain(expansion, at, `Templates are nested deeper than ${DEEPEST}.`);
  const text = expansion.files.read(file);
  if (text === undefined) return complain(expansion, at, `The template '${name}' does not exist.`);
  const root = parseYaml(text, file);
  return root.kind === 'mapping' ? root : complain(expansion, root.at, 'A template must be a map.');
}

function complain(expansion: Expansion, at: Position, message: string): undefined {
  expansion.problems.push({ at, message });
}

function argumentsOf(reference: YamlMapping): Arguments {
  const given = entry(reference, 'parameters');
  if (given?.kind !== 'mapping') return new Map();
  return new Map(given.entries.map(({ key, value }) => [key.text, { node: value, at: key.at }]));
}

/** Relative to the file that names it, or from the root of the repository. */
function resolveTemplate(name: string, at: Position, expansion: Expansion): string | undefined {
  const [file = '', repository] = name.split('@');
  if (repository !== undefined && repository !== 'self') {
    return complain(
      expansion,
      at,
      `Templates of other repositories ('@${repository}') are not available on this machine.`,
    );
  }
  const { root } = expansion.files;
  return file.startsWith('/')
    ? path.join(root, file)
    : path.resolve(path.dirname(expansion.path.at(-1) ?? at.file), file);
}
