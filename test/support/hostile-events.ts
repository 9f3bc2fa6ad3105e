import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { RunUpdate } from '#core/run.ts';
import { EventTail } from '#engines/luigi/event-tail.ts';
import { parseExitRecord } from '#engines/luigi/exit-record.ts';
import { concludeRun } from '#engines/luigi/outcome.ts';
import { OUTCOME_ROWS } from '#engines/luigi/outcome-rows.ts';
import { RunStory } from '#engines/luigi/run-story.ts';
import { describeLineage } from '#lineage/describe-lineage.ts';
import { encodeLineage } from '#lineage/encode-lineage.ts';
import { buildReport } from '#report/build-report.ts';
import { parseReport } from '#report/parse-report.ts';
import { renderSummary } from '#report/render-summary.ts';
import { issuesOf } from '#steps/issues.ts';
import { taskLine, taskRow } from '#steps/narrate.ts';
import { hostileText } from './arbitrary-run.ts';
import { sampleFacts } from './sample-report.ts';
import { sampleProvenance } from './sample-run.ts';
import { checkSummaryShape } from './summary-shape.ts';

/** What is left of a run: the bytes of its event file, in the pieces in which a follower met them, and its exit record. */
export interface HostileRun {
  readonly pieces: readonly Buffer[];
  readonly exit: string | undefined;
}

const NAMES = ['hello', 'refused', 'root', 'task', 'deps', 'start', 'elsewhere', 'status', 'progress', 'tracking'];
const MORE_NAMES = ['batch', 'inputs', 'outputs', 'failure', 'aborted', 'end', 'unschedulable', 'died', 'stalled'];
const IDENTITY_NAMES = ['rejected', 'reported'];
const FIELDS = ['task', 'family', 'module', 'params', 'deps', 'status', 'runnable', 'external', 'message', 'percent'];
const MORE_FIELDS = [
  'url',
  'members',
  'targets',
  'type',
  'traceback',
  'frames',
  'exitCode',
  'signal',
  'complete',
  'reason',
];

const id = fc.oneof(fc.constantFrom('Root_1', 'Leaf_a', 'Leaf_b', '__proto__', ''), hostileText);
/** Values that JSON can say and that nobody expects where they stand. */
const strange = fc.oneof(
  id,
  fc.jsonValue({ maxDepth: 2 }),
  fc.double(),
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1e300, 'PENDING', 'DONE', 'FAILED', 'DISABLED', 'UNKNOWN'),
  fc.constantFrom<unknown>({ toString: 1, valueOf: 1 }, { toString: null }, { __proto__: 1 }, [[]], [{}], [null]),
  fc.array(id, { maxLength: 3 }),
  fc.array(fc.record({ type: id, namespace: id, name: id, file: id, line: fc.double(), function: id }), {
    maxLength: 3,
  }),
);
const event = fc
  .record({
    v: fc.oneof({ weight: 30, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: strange }),
    e: fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(...NAMES, ...MORE_NAMES, ...IDENTITY_NAMES, 'asked', 'bye') },
      { weight: 1, arbitrary: strange },
    ),
    at: fc.oneof({ weight: 10, arbitrary: fc.double({ min: 1.7e9, max: 1.9e9 }) }, { weight: 1, arbitrary: strange }),
    task: fc.oneof({ weight: 10, arbitrary: id }, { weight: 1, arbitrary: strange }),
  })
  .chain((head) =>
    fc.dictionary(fc.constantFrom(...FIELDS, ...MORE_FIELDS), strange, { maxKeys: 6 }).map((rest) => ({
      ...head,
      ...rest,
    })),
  );
const END = [
  { v: 1, e: 'hello', at: 1.8e9, luigi: '3.8.1', python: '3.11.7', worker: '1', runId: 'run-1' },
  { v: 1, e: 'root', at: 1.8e9, task: 'Root_1', family: 'Root', params: {} },
  { v: 1, e: 'start', at: 1.8e9, task: 'Root_1' },
  { v: 1, e: 'end', at: 1.8e9, task: 'Root_1', status: 'DONE' },
  { v: 1, e: 'asked', at: 1.8e9, complete: true, verifiable: true },
  { v: 1, e: 'bye', at: 1.8e9, exitCode: 0 },
];
const line = fc.oneof(
  { weight: 6, arbitrary: event.map((fields) => JSON.stringify(fields)) },
  { weight: 6, arbitrary: fc.constantFrom(...END).map((fields) => JSON.stringify(fields)) },
  { weight: 1, arbitrary: fc.oneof(fc.json(), hostileText) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('{"v":1,"e":"start","at":1e999,"task":"x"}', '{"v":1,"e":"bye","exitCode":-0}'),
  },
);
/** Mostly a good file to which something is done: that is where a wrong green would come from. */
const file = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
  .map(([lines, isGood]) => (isGood ? [...lines, ...END.map((fields) => JSON.stringify(fields))] : lines))
  .map((lines) => Buffer.from(lines.map((text) => `\n${text}\n`).join('')));
const damage = fc.array(
  fc.record({ kind: fc.constantFrom('cut', 'drop', 'flip', 'insert', 'double'), at: fc.nat(), size: fc.nat(40) }),
  { maxLength: 4 },
);

function damaged(bytes: Buffer, { kind, at, size }: { kind: string; at: number; size: number }): Buffer {
  const from = bytes.length === 0 ? 0 : at % bytes.length;
  const [head, hit, tail] = [bytes.subarray(0, from), bytes.subarray(from, from + size), bytes.subarray(from + size)];
  if (kind === 'cut') return head;
  if (kind === 'drop') return Buffer.concat([head, tail]);
  if (kind === 'insert') return Buffer.concat([head, Buffer.alloc(size, at % 256), hit, tail]);
  if (kind === 'double') return Buffer.concat([head, hit, hit, tail]);
  return Buffer.concat([head, hit.map((byte) => byte ^ (1 << (at % 8))), tail]);
}

const exitRecord = fc.oneof(
  { weight: 8, arbitrary: fc.constant('{"protocol":1,"code":0,"signal":null,"stopped":false,"killed":0,"left":0}\n') },
  { weight: 1, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.oneof(fc.json(), fc.string()) },
  {
    weight: 2,
    arbitrary: fc
      .record({ code: strange, signal: strange, stopped: strange, killed: strange, left: strange })
      .map((record) => JSON.stringify(record)),
  },
);

export const hostileRun: fc.Arbitrary<HostileRun> = fc
  .tuple(file, damage, exitRecord, fc.array(fc.nat(), { maxLength: 3 }))
  .map(([bytes, wounds, exit, cuts]) => {
    const left = wounds.reduce(damaged, bytes);
    const ends = [...cuts.map((cut) => cut % (left.length + 1)), left.length].sort((a, b) => a - b);
    return { pieces: ends.map((end, i) => left.subarray(ends[i - 1] ?? 0, end)), exit };
  });

/** Follows such a run from its files as the engine does, and tells of it as the step does. */
export class HostileRunReader {
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumbline-hostile-'));

  /** Fails when reading it crashes, when it is green without full evidence, or when lost lines are not told. */
  check(run: HostileRun): void {
    const { updates, unreadable } = this.#follow(run);
    const last = updates.at(-1);
    assert.ok(last?.kind === 'outcome');
    const { outcome } = last;
    const codes = outcome.findings.map(({ code }) => code);
    assert.ok(OUTCOME_ROWS.some(({ state }) => state === outcome.state));
    if (outcome.state === 'succeeded') assert.ok(isProven(run), 'green without evidence');
    else
      assert.ok(
        outcome.findings.some(({ severity }) => severity === 'error'),
        'not green, and no error',
      );
    if (unreadable > 0) assert.ok(codes.includes('ERR_RUN_UNVERIFIED'), 'lost lines are not told');
    this.#tell(updates, outcome);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #follow({ pieces, exit }: HostileRun): { updates: RunUpdate[]; unreadable: number } {
    const path = join(this.#folder, 'events.jsonl');
    writeFileSync(path, '');
    const story = new RunStory();
    const tail = new EventTail(path);
    const updates: RunUpdate[] = [];
    for (const piece of pieces) {
      appendFileSync(path, piece);
      for (const read of tail.read()) updates.push(...story.fold(read));
    }
    for (const read of tail.readRest()) updates.push(...story.fold(read));
    tail.close();
    const [stop, supervisorStatus] = [undefined, 0];
    const record = exit === undefined ? undefined : parseExitRecord(exit);
    const about = {
      runId: 'run-1',
      module: 'sales',
      task: 'Root',
      runDirectory: this.#folder,
      startedAt: 1.8e12,
      endedAt: 1.8e12,
    };
    updates.push(...concludeRun({ ...about, story, adopted: false, stop, record, supervisorStatus }));
    return { updates, unreadable: story.unreadable };
  }

  #tell(updates: readonly RunUpdate[], outcome: Extract<RunUpdate, { kind: 'outcome' }>['outcome']): void {
    for (const update of updates) {
      if (update.kind === 'task' || update.kind === 'status') {
        taskLine(update);
        JSON.stringify(taskRow(update.task, 'row', 1));
      }
    }
    const provenance = sampleProvenance();
    issuesOf(outcome.findings, provenance.source);
    const report = buildReport(outcome, provenance, sampleFacts());
    assert.deepEqual(parseReport(JSON.stringify(report)).ok, true);
    checkSummaryShape(renderSummary(report));
    encodeLineage(describeLineage(outcome, provenance, { runId: 'r', workflow: 'Root', producerVersion: '1' }));
  }
}

/** Worked out here and not by the product: what a green outcome needs, by the last whole lines of the file. */
function isProven({ pieces, exit }: HostileRun): boolean {
  const lines = Buffer.concat(pieces).toString('utf8').split('\n').map(parsed);
  const said = (name: string, needed = 'at') =>
    lines.findLast((fields) => {
      const isWhole = typeof fields?.['at'] === 'number' && typeof fields[needed] === 'number';
      return isWhole && fields['v'] === 1 && fields['e'] === name;
    });
  const [asked, bye, record] = [said('asked'), said('bye', 'exitCode'), parsed(exit ?? '')];
  const isRight = asked?.['complete'] === true || asked?.['verifiable'] === false;
  const isEnded = record?.['stopped'] !== true && [0, 120].includes(Number(record?.['code']));
  const isOurs = lines.some((fields) => fields?.['e'] === 'hello' && fields['runId'] === 'run-1');
  const hasRoot = lines.some((fields) => fields?.['e'] === 'root');
  return isRight && bye?.['exitCode'] === 0 && isEnded && isOurs && hasRoot;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
