import type { ErrorCode } from '#core/errors.ts';
import type { RunState } from '#core/run.ts';

/** A run that must not be green, or must not be red, and what the step has to say of it. */
export interface WrongRun {
  readonly what: string;
  readonly module: string;
  readonly task: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly state: RunState;
  /** Codes of the findings, in their order; without one the run is good. */
  readonly codes: readonly ErrorCode[];
  /** What the issues of the step have to say. */
  readonly says: readonly RegExp[];
  /** File and line that an issue has to point at. */
  readonly points?: readonly [sourcePath: string, line: number];
}

const FAILED = 'ERR_RUN_FAILED';
const MISSING = 'ERR_RUN_MISSING_INPUT';
const NOT_RUN = 'ERR_RUN_NOT_RUN';
const DIED = 'ERR_RUN_DIED';
const SCHEDULING = 'ERR_RUN_SCHEDULING';
const BROKEN = 'test/fixtures/luigi/broken_methods.py';

const failed = (
  what: string,
  module: string,
  task: string,
  rest: Omit<WrongRun, 'what' | 'module' | 'task' | 'state'>,
) => ({ what, module, task, state: 'failed', ...rest }) as const;

export const WRONG_RUNS: readonly WrongRun[] = [
  failed('a failing task', 'failing', 'Root', {
    codes: [FAILED, FAILED, NOT_RUN],
    says: [/Broken failed: ValueError: no such value: seven/, /Root could not run because of other tasks/],
    points: ['test/fixtures/luigi/failing.py', 9],
  }),
  failed('a missing external input', 'missing_external', 'Root', {
    codes: [MISSING, MISSING, NOT_RUN],
    says: [/Upload is an external input, and it is missing/, /Root could not run/],
  }),
  failed('a cycle', 'cycle', 'First', { codes: [NOT_RUN, NOT_RUN, NOT_RUN], says: [/cycle of dependencies/] }),
  failed('a module with a missing import', 'broken_import', 'Root', {
    codes: ['ERR_MODULE_IMPORT'],
    says: [/No module named 'no_such_library_of_the_user'/],
    points: ['test/fixtures/luigi/broken_import.py', 1],
  }),
  failed('a module with a syntax error', 'broken_syntax', 'Root', {
    codes: ['ERR_MODULE_IMPORT'],
    says: [/SyntaxError/],
    points: ['test/fixtures/luigi/broken_syntax.py', 4],
  }),
  failed('a module that leaves while it is imported', 'exits_on_import', 'Root', {
    codes: ['ERR_MODULE_IMPORT'],
    says: [/sys\.exit\(0\)/],
  }),
  failed('a module that is not there', 'no_such_module', 'Root', {
    codes: ['ERR_MODULE_IMPORT'],
    says: [/No module named 'no_such_module'/],
  }),
  failed('a task that is not there', 'failing', 'Roof', {
    codes: ['ERR_TASK_UNKNOWN'],
    says: [/Task Roof does not exist/],
  }),
  failed('a parameter without a value', 'parameters', 'Needy', {
    codes: ['ERR_PARAMETER_INVALID'],
    says: [/first, second/],
  }),
  failed('a parameter of the wrong type', 'parameters', 'Needy', {
    parameters: { first: 'a', second: 'b' },
    codes: ['ERR_PARAMETER_INVALID'],
    says: [/second/, /IntParameter/],
  }),
  failed('a parameter that the task does not have', 'parameters', 'Typed', {
    parameters: { nope: 1 },
    codes: ['ERR_PARAMETER_INVALID'],
    says: [/no parameter nope/],
  }),
  failed('a luigid that does not answer', 'good', 'Report', {
    parameters: { day: '2026-11-20' },
    inputs: { scheduler: 'http://127.0.0.1:9' },
    codes: ['ERR_SCHEDULER_UNREACHABLE'],
    says: [/http:\/\/127\.0\.0\.1:9/],
  }),
  failed('sys.exit(0) in a task', 'exits', 'SysExit', { codes: [FAILED, FAILED], says: [/SystemExit: 0/] }),
  failed('sys.exit(0) in a task, four workers', 'exits', 'SysExit', {
    inputs: { workers: '4' },
    codes: [FAILED, FAILED],
    says: [/SystemExit: 0/],
  }),
  failed('os._exit(0) in a task', 'exits', 'OsExit', { codes: [DIED, DIED], says: [/status 0 in the middle/] }),
  failed('os._exit(0) in a task, four workers', 'exits', 'OsExit', {
    inputs: { workers: '4' },
    codes: [FAILED, 'ERR_RUN_STALLED'],
    says: [/exit code 0 and gave no result/],
  }),
  failed('kill -9 of the worker', 'exits', 'Killed', { codes: [DIED, DIED], says: [/SIGKILL/] }),
  failed("kill -9 of a task's process", 'exits', 'Killed', {
    inputs: { workers: '4' },
    codes: [FAILED, DIED],
    says: [/SIGKILL/],
  }),
  failed("descriptors closed under Luigi's feet", 'pipes', 'ClosesDescriptors', {
    inputs: { workers: '2' },
    codes: [FAILED, 'ERR_RUN_STALLED'],
    says: [/gave no result/],
  }),
  failed('an output that vanishes after the run', 'vanishing', 'OnSuccess', {
    codes: ['ERR_RUN_INCOMPLETE'],
    says: [/root task is not complete/],
  }),
  failed('an output that is never written', 'vanishing', 'NeverWritten', {
    codes: ['ERR_RUN_INCOMPLETE'],
    says: [/root task is not complete/],
  }),
  failed('requires() that raises', 'broken_methods', 'Requires', {
    codes: [SCHEDULING, SCHEDULING],
    says: [/KeyError: 'which table'/],
    points: [BROKEN, 8],
  }),
  failed('complete() that raises', 'broken_methods', 'Complete', {
    codes: [SCHEDULING, SCHEDULING],
    says: [/the catalogue does not answer/],
    points: [BROKEN, 13],
  }),
  failed('sys.exit(0) in requires()', 'broken_methods', 'ExitsInRequires', {
    codes: [DIED, FAILED],
    says: [/status 0/, /broken off by SystemExit: 0/],
    points: [BROKEN, 26],
  }),
  {
    what: 'complete() that raises after the run',
    module: 'broken_methods',
    task: 'CompleteLater',
    state: 'lost',
    codes: ['ERR_RUN_UNVERIFIED'],
    says: [/complete\(\) raised \(RuntimeError: gone\)/],
  },
  {
    what: 'a hung task',
    module: 'hung',
    task: 'Hung',
    inputs: { timeout: '2s' },
    state: 'deadline',
    codes: ['ERR_RUN_DEADLINE'],
    says: [/while Hung was running/],
  },
];

/** Runs that look wrong to a careless reader of exit statuses, and are not. */
export const RIGHT_RUNS: readonly WrongRun[] = [
  {
    what: 'a dependency that is removed on purpose',
    module: 'vanishing',
    task: 'RemovedLater',
    state: 'succeeded',
    codes: [],
    says: [],
  },
  {
    what: 'a root without output',
    module: 'no_output',
    task: 'Hello',
    state: 'succeeded',
    codes: ['ERR_RUN_UNVERIFIED'],
    says: [/cannot be verified/],
  },
  { what: 'targets in memory', module: 'memory', task: 'Root', state: 'succeeded', codes: [], says: [] },
  {
    what: 'a complete() of its own',
    module: 'custom_complete',
    task: 'Wrapper',
    state: 'succeeded',
    codes: [],
    says: [],
  },
  {
    what: 'a range of days',
    module: 'ranges',
    task: 'RangeDaily',
    parameters: { of: 'Daily', start: '2026-11-01', stop: '2026-11-04', now: '1795219200' },
    state: 'succeeded',
    codes: [],
    says: [],
  },
];
