import type { Located } from './pipeline-model.ts';
import type { Problem } from './position.ts';
import type { YamlMapping, YamlNode } from './yaml-node.ts';

const YES = /^(?:true|yes|y|on)$/i;
const NO = /^(?:false|no|n|off)$/i;

/** Reads the keys of one mapping; what nobody asked for is a problem when it is closed. */
export class MappingReader {
  readonly node: YamlMapping;
  readonly problems: Problem[];
  readonly #what: string;
  readonly #known = new Set<string>();

  /** `what` names the mapping in messages, e.g. `a job`. */
  constructor(node: YamlNode, what: string, problems: Problem[]) {
    if (node.kind !== 'mapping') problems.push({ at: node.at, message: `Expected ${what}, which is a map.` });
    this.node = node.kind === 'mapping' ? node : { kind: 'mapping', entries: [], at: node.at };
    this.problems = problems;
    this.#what = what;
  }

  take(key: string): YamlNode | undefined {
    this.#known.add(key);
    return this.node.entries.find((entry) => entry.key.text === key)?.value;
  }

  located(key: string): Located | undefined {
    const node = this.take(key);
    if (!node) return undefined;
    if (node.kind === 'scalar') return { text: node.text, at: node.at };
    this.problems.push({ at: node.at, message: `'${key}' must be text.` });
    return undefined;
  }

  text(key: string): string | undefined {
    return this.located(key)?.text;
  }

  flag(key: string, fallback: boolean): boolean {
    const given = this.located(key);
    if (!given || given.text === '') return fallback;
    if (!YES.test(given.text) && !NO.test(given.text))
      this.problems.push({ at: given.at, message: `'${key}' must be true or false, not '${given.text}'.` });
    return YES.test(given.text);
  }

  /** A whole number ≥ 0. */
  count(key: string, fallback: number): number {
    const given = this.located(key);
    if (!given || given.text === '') return fallback;
    if (!/^\d+$/.test(given.text))
      this.problems.push({ at: given.at, message: `'${key}' must be a whole number, not '${given.text}'.` });
    return Number(given.text) || 0;
  }

  items(key: string): readonly YamlNode[] {
    const node = this.take(key);
    if (!node) return [];
    if (node.kind === 'sequence') return node.items;
    if (node.kind === 'mapping' || node.text !== '')
      this.problems.push({ at: node.at, message: `'${key}' must be a list.` });
    return [];
  }

  /** A text or a list of texts, as `dependsOn` may be. */
  names(key: string): Located[] | undefined {
    const node = this.take(key);
    if (!node) return undefined;
    const nodes = node.kind === 'sequence' ? node.items : [node];
    return nodes.flatMap((item) => {
      if (item.kind === 'scalar') return item.text === '' ? [] : [{ text: item.text, at: item.at }];
      this.problems.push({ at: item.at, message: `'${key}' must be a name or a list of names.` });
      return [];
    });
  }

  textMap(key: string): Record<string, string> {
    const node = this.take(key);
    if (!node || (node.kind === 'scalar' && node.text === '')) return {};
    if (node.kind !== 'mapping') {
      this.problems.push({ at: node.at, message: `'${key}' must be a map.` });
      return {};
    }
    return Object.fromEntries(node.entries.map((entry) => [entry.key.text, this.#scalarText(entry.value)]));
  }

  #scalarText(node: YamlNode): string {
    if (node.kind === 'scalar') return node.text;
    this.problems.push({ at: node.at, message: 'Expected text.' });
    return '';
  }

  /** Reports every key that Azure Pipelines may know and the local pipeline does not. */
  close(): void {
    for (const { key } of this.node.entries) {
      if (!this.#known.has(key.text)) {
        const known = [...this.#known].sort().join(', ');
        this.problems.push({
          at: key.at,
          message: `The local pipeline does not support '${key.text}' in ${this.#what}; it knows: ${known}.`,
        });
      }
    }
  }
}
