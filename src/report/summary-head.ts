import { formatDuration } from '#core/duration.ts';
import type { TaskState } from '#core/run.ts';
import { CAPS } from './caps.ts';
import { inline, join, link, type Markdown, md, table } from './markdown.ts';
import type { Report, ReportPipeline, ReportSource } from './schema.ts';
import { taskLabel } from './task-label.ts';
import { RUN_WORDS, STATES_BY_URGENCY, type StateWords, TASK_WORDS, verifiedSentence } from './task-words.ts';
import { trusted } from './trusted.ts';

const MAX = CAPS.summaryLabel;

/** What a person decides on: how it ended, what had to run, whether that is certain, and which code did it. */
export function summaryHead(report: Report): Markdown[] {
  const { run, pipeline } = report;
  const { sign, words } = howItEnded(report);
  const label = taskLabel({ family: run.workflow, parameters: run.parameters });
  const engine = join([inline(run.engine.name, MAX), inline(run.engine.version ?? '', MAX)], ' ');
  const facts: (readonly Markdown[])[] = [
    [md`Pipeline run`, pipelineRun(pipeline)],
    ...(run.url ? [[md`Run`, link(inline(run.id, MAX), run.url)]] : []),
    ...(run.sharedId ? [[md`Shared id`, inline(run.sharedId, MAX)]] : []),
    [md`Code`, code(pipeline.source)],
    ...(pipeline.environment ? [[md`Environment`, inline(pipeline.environment, MAX)]] : []),
    [md`Started`, time(run.startedAt)],
  ];
  return [
    md`## ${trusted(sign)} ${inline(run.workflow, MAX)} ${trusted(words)} · ${duration(run.endedAt - run.startedAt)}`,
    ...(run.summary ? [md`**How it ended:** ${inline(run.summary, CAPS.summaryLine)}`] : []),
    md`**${whatRan(report)}**${run.adopted ? md` The run had ended before this attempt looked at it; nothing was started.` : md``}`,
    trusted(verifiedSentence(run)),
    table([md`Workflow`, join([label, engine], ' · ')], facts),
  ];
}

/** A success that failed tasks hide behind does not look like one. */
function howItEnded({ run, findings }: Report): StateWords {
  const hides = run.state === 'succeeded' && findings.some(({ code }) => code === 'ERR_RUN_TASK_FAILED');
  return hides ? { sign: '⚠️', words: 'succeeded with failed tasks' } : RUN_WORDS[run.state];
}

const NOT_TO_RUN: ReadonlySet<TaskState> = new Set(['complete', 'skipped']);

/** `Nothing had to run: …` or how the tasks that had to run ended. */
function whatRan({ counts, run }: Report): Markdown {
  const total = STATES_BY_URGENCY.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const complete = counts.complete ?? 0;
  if (total === 0) return md`No task is known.`;
  if (complete === total && run.state === 'succeeded') return md`Nothing had to run: ${tasks(total)} already complete.`;
  const skipped = counts.skipped ?? 0;
  const parts = STATES_BY_URGENCY.filter((state) => !NOT_TO_RUN.has(state) && counts[state]).map(
    (state) => md`${counts[state] ?? 0} ${trusted(TASK_WORDS[state].words)}`,
  );
  const had = total - complete - skipped;
  const rest = [
    ...(complete > 0 ? [md` ${tasks(complete)} already complete.`] : []),
    ...(skipped > 0 ? [md` ${tasks(skipped)} skipped.`] : []),
  ];
  return md`${had} of ${total} tasks had to run${had > 0 ? md`: ${join(parts, ', ')}` : md``}.${join(rest, '')}`;
}

function tasks(count: number): Markdown {
  return count === 1 ? md`1 task was` : md`${count} tasks were`;
}

function pipelineRun(pipeline: ReportPipeline): Markdown {
  const words = md`${inline(pipeline.name, MAX)} ${inline(pipeline.runName, MAX)}`;
  const attempt = Math.max(pipeline.stageAttempt ?? 1, pipeline.jobAttempt);
  return join(
    [
      link(words, pipeline.runUrl),
      inline([pipeline.stage, pipeline.job, pipeline.step].filter(Boolean).join(' / '), MAX),
      attempt > 1 ? md`attempt ${attempt}` : md``,
    ],
    ' · ',
  );
}

function code(source: ReportSource): Markdown {
  const commit = source.commit ? link(inline(source.commit.slice(0, 10), MAX), source.commitUrl) : md``;
  const ref = join([words('tag', source.tag), words('on', source.branch)], ' ');
  const pullRequest = words('pull request', source.pullRequest);
  const own = words('its commit', source.pullRequestCommit?.slice(0, 10));
  return (
    join(
      [
        inline(source.repository ?? '', MAX),
        join([commit, ref], ' '),
        join([pullRequest, own], ', '),
        source.dirty ? md`⚠️ the work tree differs from the commit` : md``,
      ],
      ' · ',
    ) || md`not known`
  );
}

function words(ours: string, theirs: string | undefined): Markdown {
  return theirs ? md`${trusted(ours)} ${inline(theirs, MAX)}` : md``;
}

function time(ms: number): Markdown {
  const date = new Date(ms);
  return trusted(
    Number.isNaN(date.getTime()) ? 'at an unknown time' : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`,
  );
}

function duration(ms: number): Markdown {
  return trusted(formatDuration(Math.max(0, ms)));
}
