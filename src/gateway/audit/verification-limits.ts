import type { CheckpointCheck } from './checkpoint-check.ts';
import type { VerifierKey } from './signed-note.ts';

/** What a verification could not have found, whatever it says. */
export function verificationLimits(verified: {
  readonly keys: readonly VerifierKey[];
  readonly vouched: Pick<CheckpointCheck, 'covers' | 'exportedCovers'>;
  readonly last: number;
}): string[] {
  const { keys, vouched, last } = verified;
  return [
    ...(keys.length === 0 ? [NO_KEYS] : []),
    uncovered(last, vouched.covers ?? 0),
    ...(vouched.exportedCovers === undefined ? [NOT_EXPORTED] : [exported(vouched.exportedCovers)]),
    'The log holds what the gateway recorded, at the time that the machine’s clock showed.',
  ];
}

const NO_KEYS = 'No public key was given: the chain was followed, and no checkpoint was looked at.';

const NOT_EXPORTED =
  'No exported checkpoint vouches for this log: whoever could write the gateway’s state directory, with its key, could have ' +
  'written everything anew, or cut the log and removed the checkpoints behind the cut.';

function uncovered(last: number, covers: number): string {
  if (last <= covers) return 'Records behind the last checkpoint that were cut off leave no trace.';
  const from = covers + 1;
  return `The records ${from} to ${last} are behind the last checkpoint: that the end was cut off or written anew would leave no trace.`;
}

function exported(covers: number): string {
  return `Against whoever has the gateway’s key, the records up to ${covers} are proven by an exported checkpoint, those behind it are not.`;
}
