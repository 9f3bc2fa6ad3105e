import type { RunOutcome } from '#core/run.ts';
import { runsAbove } from '../called-by-input.ts';
import type { Delivery } from '../deliver.ts';
import type { RunLuigiInputs } from './inputs.ts';

type Rest = Pick<Delivery, 'grants' | 'gateway' | 'provenance' | 'host' | 'signal'>;

/** What is kept of a Luigi run. */
export function deliveryOf(
  { task, lineage, calledBy }: RunLuigiInputs,
  { rootTaskId }: RunOutcome,
  rest: Rest,
): Delivery {
  return {
    workflow: task,
    lineage,
    describe: { calledBy: runsAbove(calledBy) },
    sharedId: calledBy?.sharedId,
    outputs: { rootTaskId: rootTaskId ?? '' },
    ...rest,
  };
}
