import { type DataFlow, MAX_DATASETS } from './data-flow.ts';
import type { RunName } from './facets.ts';
import { type EventType, type Facets, RUN_EVENT_SCHEMA, type RunEvent } from './open-lineage.ts';
import type { Span } from './run-span.ts';

/** One run as lineage tells it: a START and, when its end is known, one terminal event. */
export interface DescribedRun extends RunName {
  readonly end: Exclude<EventType, 'START'> | undefined;
  readonly span: Span;
  readonly flow: DataFlow;
  readonly jobFacets: Facets;
  readonly runFacets: Facets;
  /** Only with the terminal event. */
  readonly endFacets: Facets;
}

/**
 * The events of all runs in the order of time. `outer` holds the parents from the outside in: they start before and end
 * after everything else.
 */
export function runEvents(
  producer: string,
  outer: readonly DescribedRun[],
  inner: readonly DescribedRun[],
): RunEvent[] {
  const moments = inner.flatMap((run) => [
    { at: run.span.from, event: startEvent(producer, run) },
    ...endEvents(producer, run).map((event) => ({ at: run.span.to, event })),
  ]);
  // The sort is stable: of two moments at the same time the START of a run stays before its end.
  moments.sort((a, b) => a.at - b.at);
  return [
    ...outer.map((run) => startEvent(producer, run)),
    ...moments.map(({ event }) => event),
    ...outer.toReversed().flatMap((run) => endEvents(producer, run)),
  ];
}

function startEvent(producer: string, run: DescribedRun): RunEvent {
  return {
    ...base(producer, run),
    eventType: 'START',
    eventTime: new Date(run.span.from).toISOString(),
    run: { runId: run.runId, facets: run.runFacets },
    outputs: [],
  };
}

function endEvents(producer: string, run: DescribedRun): RunEvent[] {
  if (run.end === undefined) return [];
  return [
    {
      ...base(producer, run),
      eventType: run.end,
      eventTime: new Date(run.span.to).toISOString(),
      run: { runId: run.runId, facets: { ...run.runFacets, ...run.endFacets } },
      outputs: run.flow.outputs.slice(0, MAX_DATASETS),
    },
  ];
}

function base(producer: string, run: DescribedRun): Pick<RunEvent, 'producer' | 'schemaURL' | 'job' | 'inputs'> {
  return {
    producer,
    schemaURL: RUN_EVENT_SCHEMA,
    job: { ...run.job, facets: run.jobFacets },
    inputs: run.flow.inputs.slice(0, MAX_DATASETS),
  };
}
