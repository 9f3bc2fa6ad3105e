import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { PipelineSpec } from './pipeline-model.ts';
import { reject } from './position.ts';
import { readPipeline } from './read-pipeline.ts';
import { parseYaml } from './yaml-node.ts';

export interface LoadOptions {
  /** Where `/path` in a template reference begins. */
  readonly root: string;
  /** Known when templates are expanded. */
  readonly variables: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Reads, expands and checks a pipeline file. @throws PipelineFileError */
export function loadPipeline(file: string, _options: LoadOptions): PipelineSpec {
  const shown = path.relative(process.cwd(), file) || file;
  if (!existsSync(file)) reject({ file: shown, line: 1, column: 1 }, 'The file does not exist.');
  return readPipeline(parseYaml(readFileSync(file, 'utf8'), shown));
}
