import fc from 'fast-check';
import { ERROR_FAMILIES, type ErrorCode } from '#core/errors.ts';
import type { Provenance } from '#core/provenance.ts';
import { type Finding, type RunOutcome, TASK_STATES, type TaskRecord } from '#core/run.ts';

/** Text as hostile or careless code writes it: any Unicode, lone surrogates, markup, commands, very long. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc
    .array(
      fc.constantFrom(
        '|',
        '\n',
        '\r',
        '\r\n',
        '`',
        '```',
        '~~~',
        '<',
        '>',
        '&',
        '<script>',
        '</td>',
        '-->',
        '![x](',
        '](javascript:alert(1))',
        '##vso[task.setvariable variable=a]b',
        '##[error]',
        '#',
        '*',
        '_',
        '\\',
        '\\|',
        '- ',
        '1. ',
        '> ',
        '---',
        '=== ',
        '    ',
        '\u202e',
        '\u2066',
        '\u200b',
        '\u2028',
        '\u0000',
        '\u001b[31m',
        '\ud800',
        '\udc00',
        'https://evil.example/',
        'www.evil.example',
        'a@b.example',
        '@user',
        '!1',
        '😀',
        'ü',
        '数',
        '.',
        '..',
        '/',
        ' ',
        '\t',
        '&lt;',
        '&#124;',
        '$(Build.BuildId)',
        ':::',
        '[[_TOC_]]',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
  fc.integer({ min: 1, max: 3_000 }).map((length) => 'x|<'.repeat(length)),
);

const time = fc.oneof(fc.integer({ min: 0, max: 4_102_444_800_000 }), fc.double(), fc.constant(8.64e15));
const dataset = fc.record({ namespace: hostileText, name: hostileText, type: hostileText });
const frame = fc.record({ file: hostileText, line: fc.nat(), function: hostileText });
const failure = fc.record({
  type: hostileText,
  message: hostileText,
  traceback: hostileText,
  frame: fc.option(frame, { nil: undefined }),
});

function arbitraryTask(ids: readonly string[], index: number): fc.Arbitrary<TaskRecord> {
  return fc.record({
    id: fc.constant(ids[index] ?? ''),
    family: hostileText,
    module: fc.option(hostileText, { nil: undefined }),
    parameters: fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
    state: fc.constantFrom(...TASK_STATES),
    dependsOn: fc.uniqueArray(fc.oneof(fc.constantFrom(...ids), hostileText), { maxLength: 4 }),
    startedAt: fc.option(time, { nil: undefined }),
    endedAt: fc.option(time, { nil: undefined }),
    attempts: fc.nat(5),
    failure: fc.option(failure, { nil: undefined }),
    inputs: fc.array(dataset, { maxLength: 3 }),
    outputs: fc.array(dataset, { maxLength: 3 }),
    statusMessage: fc.option(hostileText, { nil: undefined }),
    progress: fc.option(fc.nat(100), { nil: undefined }),
    trackingUrl: fc.option(hostileText, { nil: undefined }),
  });
}

const finding: fc.Arbitrary<Finding> = fc.record({
  severity: fc.constantFrom('error', 'warning'),
  code: fc.constantFrom(...(Object.keys(ERROR_FAMILIES) as ErrorCode[])),
  message: hostileText,
  remedy: fc.option(hostileText, { nil: undefined }),
  taskId: fc.option(hostileText, { nil: undefined }),
  frame: fc.option(frame, { nil: undefined }),
});

/** Any outcome that the types allow, cycles and dangling dependencies included; task ids are distinct. */
export const arbitraryOutcome: fc.Arbitrary<RunOutcome> = fc
  .uniqueArray(hostileText, { minLength: 1, maxLength: 8 })
  .chain((ids) =>
    fc.record({
      state: fc.constantFrom('succeeded', 'failed', 'cancelled', 'lost', 'deadline'),
      summary: fc.option(hostileText, { nil: undefined }),
      verified: fc.constantFrom('confirmed', 'unverifiable', 'refuted', 'unknown'),
      rootTaskId: fc.option(fc.oneof(fc.constantFrom(...ids), hostileText), { nil: undefined }),
      tasks: fc.tuple(...ids.map((_, index) => arbitraryTask(ids, index))),
      findings: fc.array(finding, { maxLength: 4 }),
      startedAt: time,
      endedAt: time,
      engine: fc.record({
        name: hostileText,
        version: fc.option(hostileText, { nil: undefined }),
        adapterVersion: hostileText,
      }),
      adopted: fc.boolean(),
    }),
  );

const optional = fc.option(hostileText, { nil: undefined });

export const arbitraryProvenance: fc.Arbitrary<Provenance> = fc.record({
  organizationUrl: hostileText,
  organization: hostileText,
  project: fc.record({ id: hostileText, name: hostileText }),
  kind: fc.constantFrom('build', 'release'),
  pipeline: fc.record({ id: hostileText, name: hostileText }),
  run: fc.record({
    id: hostileText,
    name: hostileText,
    url: hostileText,
    startedAt: fc.option(
      fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }).map((date) => date.toISOString()),
      { nil: undefined },
    ),
  }),
  reason: optional,
  stage: fc.option(fc.record({ name: hostileText, attempt: fc.integer({ min: 1, max: 9 }) }), { nil: undefined }),
  job: fc.record({ name: hostileText, id: hostileText, attempt: fc.integer({ min: 1, max: 9 }) }),
  environment: optional,
  step: fc.record({ name: hostileText, id: hostileText }),
  requestedFor: fc.option(fc.record({ id: optional, name: optional }), { nil: undefined }),
  agentVersion: optional,
  source: fc.record({
    provider: fc.option(fc.oneof(fc.constantFrom('TfsGit', 'GitHub', 'Bitbucket', 'TfsVersionControl'), hostileText), {
      nil: undefined,
    }),
    repositoryUrl: fc.option(fc.oneof(fc.webUrl(), hostileText), { nil: undefined }),
    repositoryName: optional,
    commit: fc.option(fc.oneof(fc.stringMatching(/^[0-9a-f]{40}$/), hostileText), { nil: undefined }),
    branch: optional,
    tag: optional,
    pullRequest: fc.option(
      fc.record({
        id: hostileText,
        sourceBranch: optional,
        targetBranch: optional,
        sourceCommit: optional,
        fork: fc.option(fc.boolean(), { nil: undefined }),
      }),
      { nil: undefined },
    ),
    checkout: optional,
    dirty: fc.option(fc.boolean(), { nil: undefined }),
  }),
});
