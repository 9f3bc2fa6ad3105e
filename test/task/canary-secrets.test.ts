import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse } from 'yaml';
import { Secret } from '#core/secret.ts';
import { secretForms } from '#core/secret-forms.ts';
import { filesUnder, ROOT } from '../../scripts/repository.ts';
import { attachmentOf, PipelineFolder, type PipelineRun, stepOf } from '../support/local-pipeline.ts';

const modules = join(ROOT, 'test/fixtures/luigi');

describe('RunLuigi@1: secrets stay where they belong', () => {
  let folder: PipelineFolder;

  beforeEach(() => {
    folder = new PipelineFolder();
  });

  afterEach(() => folder.remove());

  it('reach the task, and are in no log, report, attachment, argument vector, task id or file', async () => {
    const run = await runIn(folder, 'canary-secrets.yml');
    const seen = JSON.parse(readFileSync(join(folder.work, 'seen.json'), 'utf8'));
    assert.deepEqual(
      seen.lengths,
      Object.values(canaries()).map(({ length }) => length),
      run.log,
    );
    assert.equal(seen.mode, '0o600');
    assert.equal(seen.argv, 0);
    assert.equal(stepOf(run).outputs['runState'], 'failed');
    assert.match(run.log, /RuntimeError: refused: \*\*\*/);
    assert.deepEqual(leaks(folder, run), []);
  });

  it('names and versions of secrets are in the report', async () => {
    const report = JSON.parse(attachmentOf(await runIn(folder, 'canary-secrets.yml'), 'plumbline-report'));
    const text = JSON.stringify(report);
    for (const name of Object.keys(canaries())) assert.match(text, new RegExp(`"${name}"`));
  });

  it('a parameter that is not PRIVATE gets none: refused before the start', async () => {
    const run = await runIn(folder, 'public-secret.yml');
    assert.equal(run.status, 1);
    assert.match(
      stepOf(run)
        .issues.map(({ message }) => message)
        .join('\n'),
      /visibility=luigi\.parameter\.ParameterVisibility\.PRIVATE/,
    );
    assert.doesNotMatch(run.log, /running {3}Secretive/);
    assert.deepEqual(leaks(folder, run), []);
  });
});

function runIn(folder: PipelineFolder, file: string): Promise<PipelineRun> {
  return folder.run({ file: `test/fixtures/pipelines/${file}`, variables: { folder: folder.work, modules } });
}

function canaries(): Record<string, string> {
  return parse(readFileSync(join(ROOT, 'test/fixtures/pipelines/azure.yml'), 'utf8')).vaults[0].secrets;
}

/** Where a form of a canary stands: what a person saw, and every file below the folder, names included. */
function leaks(folder: PipelineFolder, { output }: PipelineRun): string[] {
  const forms = Object.values(canaries()).flatMap((value) => secretForms(new Secret(value)).filter(isTelling));
  const files = filesUnder(folder.root).map((name) => join(folder.root, name));
  const places = [...files.map((path) => [relative(folder.root, path), readFileSync(path, 'latin1')] as const)];
  const texts = [['what a person saw', Buffer.from(output).toString('latin1')] as const, ...places];
  const needles = forms.map((form) => Buffer.from(form).toString('latin1'));
  return texts.flatMap(([place, text]) =>
    needles.filter((form) => `${place}\n${text}`.includes(form)).map((form) => `${place}: ${form}`),
  );
}

/** Shorter forms (an end of a wrapped line) occur by chance. */
function isTelling(form: string): boolean {
  return form.length >= 10 && !/^-+(BEGIN|END) CANARY-+$/.test(form);
}
