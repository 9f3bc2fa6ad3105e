import { CAPS } from './caps.ts';
import { inline, type Markdown, md } from './markdown.ts';
import type { ReportTask } from './schema.ts';

const VALUE = 40;

/** A task as a person names it: `orders.Load(region=north, day=2026-11-20)`. */
export function taskName({ family, parameters }: Pick<ReportTask, 'family' | 'parameters'>): string {
  const given = Object.entries(parameters).map(([name, value]) => `${name}=${cut(value)}`);
  return given.length > 0 ? `${family}(${given.join(', ')})` : family;
}

export function taskLabel(task: Pick<ReportTask, 'family' | 'parameters'>): Markdown {
  return inline(taskName(task), CAPS.summaryLabel) || md`(no name)`;
}

function cut(value: string): string {
  return value.length > VALUE ? `${value.slice(0, VALUE)}…` : value;
}
