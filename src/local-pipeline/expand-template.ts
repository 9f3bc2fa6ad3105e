import { isList, truthy, type Value } from './expression-value.ts';
import { type Expansion, listedVariable, openTemplate, templateBody } from './open-template.ts';
import type { Problem } from './position.ts';
import { childKind, hasVariables, holdsTemplates, itemKind, type TemplateKind } from './template-kinds.ts';
import { evaluateAt, type TemplateScope, valueToNode } from './template-scope.ts';
import { type Directive, directiveOf, expandScalar } from './template-text.ts';
import type { YamlEntry, YamlMapping, YamlNode, YamlScalar, YamlSequence } from './yaml-node.ts';
import { entry, scalar } from './yaml-node.ts';

/** Replaces every `${{ }}`, condition, loop and template reference below a node. Problems are collected, not thrown. */
export function expandNode(node: YamlNode, kind: TemplateKind, scope: TemplateScope, expansion: Expansion): YamlNode {
  switch (node.kind) {
    case 'scalar':
      return node.text.includes('${{') ? valueToNode(expandScalar(node, scope, expansion.problems), node.at) : node;
    case 'sequence':
      return { kind: 'sequence', items: expandItems(node, kind, scope, expansion), at: node.at };
    case 'mapping':
      return expandMapping(node, kind, scope, expansion);
  }
}

function expandItems(
  { items }: YamlSequence,
  kind: TemplateKind,
  scope: TemplateScope,
  expansion: Expansion,
): YamlNode[] {
  const chain = new Chain(scope, expansion.problems);
  return items.flatMap((item) => {
    const only = item.kind === 'mapping' && item.entries.length === 1 ? item.entries[0] : undefined;
    const directive = only && directiveOf(only.key.text);
    if (only && directive)
      return chain
        .scopesFor(directive, only.key)
        .flatMap((inner) => listOf(expandNode(only.value, kind, inner, expansion)));
    chain.close();
    return expandItem(item, kind, scope, expansion);
  });
}

function expandItem(
  item: YamlNode,
  kind: TemplateKind,
  scope: TemplateScope,
  expansion: Expansion,
): readonly YamlNode[] {
  if (holdsTemplates(kind) && item.kind === 'mapping' && entry(item, 'template'))
    return includeTemplate(item, kind, scope, expansion);
  const expanded = expandNode(item, itemKind(kind), scope, expansion);
  // A list that an expression puts into a list becomes part of it.
  if (item.kind === 'scalar' && expanded.kind === 'sequence') return expanded.items;
  if (kind === 'variables') remember(expanded, scope);
  return [expanded];
}

/** The items that `- template: FILE` stands for. */
function includeTemplate(
  reference: YamlMapping,
  kind: TemplateKind,
  scope: TemplateScope,
  expansion: Expansion,
): readonly YamlNode[] {
  const named = expandNode(reference, 'other', scope, expansion);
  const opened = named.kind === 'mapping' ? openTemplate(named, scope, expansion) : undefined;
  const body = opened && templateBody(opened, kind);
  if (!body) return [];
  const expanded = expandNode(body, kind, opened.scope, opened.expansion);
  if (expanded.kind === 'mapping' && kind === 'variables') return expanded.entries.map(listedVariable);
  return listOf(expanded);
}

/** The expanded document that `extends: template: FILE` stands for. */
export function extendTemplate(
  reference: YamlMapping,
  scope: TemplateScope,
  expansion: Expansion,
): YamlMapping | undefined {
  const named = expandNode(reference, 'other', scope, expansion);
  const opened = named.kind === 'mapping' ? openTemplate(named, scope, expansion) : undefined;
  if (!opened) return undefined;
  const body: YamlMapping = {
    ...opened.root,
    entries: opened.root.entries.filter(({ key }) => key.text !== 'parameters'),
  };
  const expanded = expandNode(body, 'root', opened.scope, opened.expansion);
  return expanded.kind === 'mapping' ? expanded : undefined;
}

/** The value of a directive in a list is a list; one thing alone counts as a list of one. */
function listOf(node: YamlNode): readonly YamlNode[] {
  if (node.kind === 'sequence') return node.items;
  return node.kind === 'scalar' && node.text === '' ? [] : [node];
}

function expandMapping(node: YamlMapping, kind: TemplateKind, outer: TemplateScope, expansion: Expansion): YamlNode {
  const scope = hasVariables(kind) ? { ...outer, variables: { ...outer.variables } } : outer;
  // Variables first: the rest of a pipeline, stage or job may use them wherever they are written.
  const own = hasVariables(kind) ? node.entries.filter(({ key }) => key.text === 'variables') : [];
  const early = own.map(
    ({ key, value }): YamlEntry => ({ key, value: expandNode(value, 'variables', scope, expansion) }),
  );
  const chain = new Chain(scope, expansion.problems);
  const inserted: YamlNode[] = [];
  const entries = node.entries.flatMap((item): readonly YamlEntry[] => {
    const directive = directiveOf(item.key.text);
    if (directive) return insertedEntries(item, directive, chain, kind, expansion, inserted);
    chain.close();
    if (own.includes(item)) return early;
    return [expandEntry(item, kind, scope, expansion)];
  });
  return entries.length === 0 && inserted.length > 0
    ? joined(inserted, node)
    : { kind: 'mapping', entries, at: node.at };
}

/** The entries that a directive in a map brings; what is no map is put aside, it may be all that there is. */
function insertedEntries(
  item: YamlEntry,
  directive: Directive,
  chain: Chain,
  kind: TemplateKind,
  expansion: Expansion,
  inserted: YamlNode[],
): YamlEntry[] {
  return chain.scopesFor(directive, item.key).flatMap((inner) => {
    const value = expandNode(item.value, kind, inner, expansion);
    if (value.kind === 'mapping') return value.entries;
    inserted.push(value);
    return [];
  });
}

function joined(nodes: readonly YamlNode[], { at }: YamlNode): YamlNode {
  const [first] = nodes;
  if (nodes.length === 1 && first) return first;
  return { kind: 'sequence', items: nodes.flatMap(listOf), at };
}

function expandEntry(
  { key, value }: YamlEntry,
  kind: TemplateKind,
  scope: TemplateScope,
  expansion: Expansion,
): YamlEntry {
  const name = expandNode(key, 'other', scope, expansion);
  if (name.kind !== 'scalar') expansion.problems.push({ at: key.at, message: 'A key must be text.' });
  const text = name.kind === 'scalar' ? name.text : '';
  const expanded = expandNode(value, kind === 'variables' ? 'other' : childKind(kind, text), scope, expansion);
  if (kind === 'variables' && expanded.kind === 'scalar') scope.variables[text] = expanded.text;
  return { key: scalar(text, key.at), value: expanded };
}

/** A variable of the list form is known to what follows it. */
function remember(node: YamlNode, scope: TemplateScope): void {
  if (node.kind !== 'mapping') return;
  const [name, value] = [entry(node, 'name'), entry(node, 'value')];
  if (name?.kind === 'scalar' && value?.kind === 'scalar') scope.variables[name.text] = value.text;
}

/** Keeps `if`, `elseif` and `else` together that stand one after the other. */
class Chain {
  readonly #scope: TemplateScope;
  readonly #problems: Problem[];
  #state: 'closed' | 'waiting' | 'taken' = 'closed';

  constructor(scope: TemplateScope, problems: Problem[]) {
    this.#scope = scope;
    this.#problems = problems;
  }

  close(): void {
    this.#state = 'closed';
  }

  /** The scopes in which the directive's value is expanded: none, one, or one for each item of a loop. */
  scopesFor({ kind, source }: Directive, key: YamlScalar): TemplateScope[] {
    if (kind === 'each' || kind === 'insert') {
      this.close();
      return kind === 'each' ? this.#loop(source, key) : [this.#scope];
    }
    if (kind === 'if') this.#state = 'waiting';
    else if (this.#state === 'closed')
      this.#problems.push({ at: key.at, message: `'${kind}' must follow an 'if' or 'elseif'.` });
    const taken =
      this.#state === 'waiting' && (kind === 'else' || truthy(evaluateAt(source, key.at, this.#scope, this.#problems)));
    if (taken) this.#state = 'taken';
    if (kind === 'else') this.close();
    return taken ? [this.#scope] : [];
  }

  #loop(source: string, key: YamlScalar): TemplateScope[] {
    const [, name, list] = /^([A-Za-z_]\w*)\s+in\s+(.+)$/s.exec(source) ?? [];
    if (name === undefined || list === undefined) {
      this.#problems.push({ at: key.at, message: "A loop is written 'each NAME in LIST'." });
      return [];
    }
    const items = itemsOf(evaluateAt(list, key.at, this.#scope, this.#problems));
    return items.map((item) => ({ ...this.#scope, loop: { ...this.#scope.loop, [name]: item } }));
  }
}

/** A map is looped over as `key` and `value`. */
function itemsOf(value: Value): readonly Value[] {
  if (isList(value)) return value;
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([key, item]) => ({ key, value: item }));
}
