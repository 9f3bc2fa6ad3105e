import { formatDuration } from '#core/duration.ts';
import type { PipelineEvent, PipelineListener } from './pipeline-listener.ts';
import { ProgressModel, type ProgressRow, type RowState } from './progress-model.ts';

/** A stream that is a terminal, as far as the table needs it. */
export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface ProgressView {
  readonly listener: PipelineListener;
  /** Draws the last state. */
  close(): void;
}

const REDRAW_MS = 100;
/** The last drawing may be higher than the terminal: nothing is drawn over it. */
const TASKS_AT_THE_END = 40;
const FRAMES = ['⠋', '⠙', '⠸', '⠴', '⠦', '⠇'];
const MARKS: Readonly<Record<Exclude<RowState, 'running'>, string>> = {
  waiting: '·',
  succeeded: '\u001b[32m✓\u001b[39m',
  issues: '\u001b[33m!\u001b[39m',
  failed: '\u001b[31m✗\u001b[39m',
  canceled: '\u001b[33m⊘\u001b[39m',
  skipped: '\u001b[2m–\u001b[22m',
};

/** Steps, and the tasks inside them, redrawn in place; notes, errors and warnings scroll by above. */
export function liveTable(terminal: Terminal, now: () => number = Date.now): ProgressView {
  const model = new ProgressModel();
  let drawn = 0;
  let frame = 0;
  const show = (above: string, rows: readonly ProgressRow[]) => {
    frame += 1;
    const lines = rows.map((row) => `${format(row, frame, terminal.columns || 80)}\n`);
    terminal.write(`${drawn > 0 ? `\u001b[${drawn}A` : ''}\r\u001b[J${above}${lines.join('')}`);
    drawn = lines.length;
  };
  const draw = (above = '') => show(above, cutToFit(model.rows(now(), tasksThatFit(terminal)), terminal));
  const timer = setInterval(() => draw(), REDRAW_MS);
  timer.unref();
  return {
    listener: (event) => {
      model.apply(event);
      const above = spoken(event);
      if (above !== undefined) draw(`${above}\n`);
    },
    close: () => {
      clearInterval(timer);
      show('', model.rows(now(), TASKS_AT_THE_END));
    },
  };
}

function tasksThatFit({ rows }: Terminal): number {
  return Math.max(Math.floor((rows || 24) / 2), 5);
}

/** A table higher than the terminal cannot be redrawn: its last rows are shown, where the run is. */
function cutToFit(rows: readonly ProgressRow[], { rows: height }: Terminal): readonly ProgressRow[] {
  return rows.slice(-Math.max((height || 24) - 2, 1));
}

function spoken(event: PipelineEvent): string | undefined {
  if (event.kind === 'note') return `\u001b[2m${printable(event.text)}\u001b[22m`;
  if (event.kind !== 'issue') return undefined;
  const colour = event.issue.type === 'error' ? '\u001b[31m' : '\u001b[33m';
  return `${colour}${event.issue.type}\u001b[39m ${printable(event.record.displayName)}: ${printable(event.issue.message)}`;
}

function format({ depth, state, text, durationMs, note }: ProgressRow, frame: number, width: number): string {
  const mark = state === 'running' ? (FRAMES[frame % FRAMES.length] ?? '') : MARKS[state];
  const time = durationMs === undefined ? '' : formatDuration(durationMs);
  const room = Math.max(width - depth * 2 - 4 - time.length - 1, 10);
  const label = note === '' ? printable(text) : `${printable(text)}  ${printable(note)}`;
  const cut = label.length > room ? `${label.slice(0, room - 1)}…` : label.padEnd(room);
  return `${'  '.repeat(depth)}${mark} ${cut} ${time}`;
}

/** Without control characters: text of a task must not move the cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
