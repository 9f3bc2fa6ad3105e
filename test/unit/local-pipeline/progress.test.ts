import assert from 'node:assert/strict';
import { stripVTControlCharacters } from 'node:util';
import { liveTable } from '#local-pipeline/live-table.ts';
import { parseLocalArguments, UsageError } from '#local-pipeline/local-arguments.ts';
import type { PipelineEvent } from '#local-pipeline/pipeline-listener.ts';
import { plainProgress } from '#local-pipeline/plain-progress.ts';
import { ProgressModel } from '#local-pipeline/progress-model.ts';
import { StepRecord } from '#local-pipeline/step-record.ts';

function record(name: string): StepRecord {
  return new StepRecord({ id: name, name, displayName: name, task: 'RunLuigi@1', job: 'J' });
}

function running(tasks: readonly (readonly [string, string, string?])[]): { step: StepRecord; start: PipelineEvent } {
  const step = record('Run');
  step.startedAt = 1_000;
  for (const [index, [name, state, result]] of tasks.entries()) {
    step.details.set(name, {
      id: name,
      name,
      type: 'luigi',
      state,
      result,
      order: index,
      startTime: new Date(1_000).toISOString(),
      finishTime: state === 'Completed' ? new Date(3_000).toISOString() : undefined,
    });
  }
  return { step, start: { kind: 'job-started', job: 'J', steps: [step, record('Later')] } };
}

describe('progress', () => {
  it('has a row for each job, step and task', () => {
    const { start } = running([
      ['Clean', 'Completed', 'Succeeded'],
      ['Load', 'InProgress'],
      ['Report', 'Pending'],
      ['Bad', 'Completed', 'Failed'],
    ]);
    const model = new ProgressModel();
    model.apply(start);
    const rows = model.rows(4_000, 10).map(({ depth, state, text, durationMs }) => [depth, state, text, durationMs]);
    assert.deepEqual(rows, [
      [0, 'running', 'J', undefined],
      [1, 'running', 'Run', 3_000],
      [2, 'succeeded', 'Clean', 2_000],
      [2, 'running', 'Load', 3_000],
      [2, 'waiting', 'Report', undefined],
      [2, 'failed', 'Bad', 2_000],
      [1, 'waiting', 'Later', undefined],
    ]);
  });

  it('of many tasks it shows failed and running ones, and counts the rest', () => {
    const { start } = running([
      ...Array.from({ length: 50 }, (_, index) => [`T${index}`, 'Completed', 'Succeeded'] as const),
      ['Bad', 'Completed', 'Failed'],
      ['Now', 'InProgress'],
    ]);
    const model = new ProgressModel();
    model.apply(start);
    const tasks = model
      .rows(4_000, 2)
      .filter(({ depth }) => depth === 2)
      .map(({ text }) => text);
    assert.deepEqual(tasks, ['Bad', 'Now', 'and 50 more']);
  });

  it('the table never lets a name move the cursor, and is never wider than the terminal', () => {
    const written: string[] = [];
    const view = liveTable({ columns: 40, rows: 20, write: (text) => void written.push(text) }, () => 4_000);
    view.listener(running([[`evil\u001b[2J\r\n${'x'.repeat(100)}`, 'InProgress']]).start);
    view.close();
    assert.ok(!written.join('').includes('\u001b[2J'));
    const lines = stripVTControlCharacters(written.join('')).split(/[\r\n]+/);
    assert.ok(
      lines.every((line) => line.length <= 40),
      lines.join('\n'),
    );
  });

  it('a pipe gets plain lines without control sequences', () => {
    const written: string[] = [];
    const view = plainProgress({ write: (text) => void written.push(text) });
    const { step, start } = running([]);
    view.listener(start);
    view.listener({ kind: 'line', record: step, text: 'hello' });
    step.endedAt = 3_000;
    step.result = 'Succeeded';
    view.listener({ kind: 'step-ended', record: step });
    view.listener({ kind: 'job-ended', job: 'J', result: 'Succeeded' });
    assert.equal(written.join(''), 'job J\n  Run | hello\n  Run: Succeeded in 2.0 s\njob J: Succeeded\n');
  });
});

describe('the command line', () => {
  it('reads every option', () => {
    assert.deepEqual(
      parseLocalArguments([
        'p.yml',
        '--var',
        'a=1',
        '--var',
        'b=x=y',
        '--param',
        'p=[1]',
        '--secret',
        'S',
        '--azure',
        'z',
        '--json',
        'o',
        '--out',
        'd',
        '--node',
        '20',
      ]),
      {
        file: 'p.yml',
        variables: { a: '1', b: 'x=y' },
        parameters: { p: '[1]' },
        secrets: ['S'],
        azure: 'z',
        json: 'o',
        out: 'd',
        node: 20,
      },
    );
  });
  for (const argv of [
    [],
    ['a', 'b'],
    ['a', '--var', 'x'],
    ['a', '--node', '22'],
    ['a', '--nope'],
    ['a', '--var', '=x'],
  ]) {
    it(`${JSON.stringify(argv)} is refused`, () => assert.throws(() => parseLocalArguments(argv), UsageError));
  }
});
