import { MappingReader } from './mapping-reader.ts';
import type { VariableSetting } from './pipeline-model.ts';
import type { Problem } from './position.ts';
import type { YamlNode } from './yaml-node.ts';

/** `variables:` as a map or as a list. Variable groups live in the service, so they are a problem here. */
export function readVariables(node: YamlNode | undefined, problems: Problem[]): VariableSetting[] {
  if (!node || (node.kind === 'scalar' && node.text === '')) return [];
  if (node.kind === 'sequence') return node.items.flatMap((item) => readListed(item, problems));
  if (node.kind === 'mapping') return node.entries.map(({ key, value }) => setting(key.text, value, false, problems));
  problems.push({ at: node.at, message: "'variables' must be a map or a list." });
  return [];
}

function readListed(node: YamlNode, problems: Problem[]): VariableSetting[] {
  const reader = new MappingReader(node, 'a variable', problems);
  const group = reader.node.entries.find(({ key }) => key.text === 'group');
  if (group) {
    problems.push({
      at: group.key.at,
      message: 'Variable groups exist only in the service; give their variables by --var instead.',
    });
    return [];
  }
  const name = reader.text('name');
  const readOnly = reader.flag('readonly', false);
  const value = reader.take('value');
  reader.close();
  if (name === undefined) problems.push({ at: node.at, message: "A variable needs a 'name'." });
  return name === undefined
    ? []
    : [setting(name, value ?? { kind: 'scalar', text: '', at: node.at }, readOnly, problems)];
}

function setting(name: string, node: YamlNode, readOnly: boolean, problems: Problem[]): VariableSetting {
  if (node.kind !== 'scalar')
    problems.push({ at: node.at, message: `The value of the variable '${name}' must be text.` });
  return { name, value: { text: node.kind === 'scalar' ? node.text : '', at: node.at }, readOnly };
}
