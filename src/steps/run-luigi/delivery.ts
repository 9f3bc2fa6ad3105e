import type { RunOutcome } from '#core/run.ts';
import type { Delivery } from '../deliver.ts';
import type { RunLuigiInputs } from './inputs.ts';

type Rest = Pick<Delivery, 'grants' | 'gateway' | 'provenance' | 'host' | 'signal'>;

/** What is kept of a Luigi run. */
export function deliveryOf({ task, lineage }: RunLuigiInputs, { rootTaskId }: RunOutcome, rest: Rest): Delivery {
  return { workflow: task, lineage, outputs: { rootTaskId: rootTaskId ?? '' }, ...rest };
}
