import { uptime } from 'node:os';
import { bootId } from '../launch/boot-id.ts';

/** How long the machine has been on; says nothing across a start of the machine, and no setting of a clock changes it. */
export interface MachineTime {
  readonly boot: string;
  readonly ms: number;
}

/** A time that was taken down, and what clock and machine said then. */
export interface TimeMark extends MachineTime {
  readonly at: number;
  readonly clock: number;
}

export function machineTime(): MachineTime {
  return { boot: bootId(), ms: Math.round(uptime() * 1_000) };
}

/**
 * The time by which keys age, in milliseconds since the epoch. It never goes back, and a clock that is set forward or back
 * while the machine is on makes no key older or younger. What passed while the machine was off the clock says; one that was
 * set back meanwhile makes a key sign later and be published longer.
 */
export function steadyTime(mark: TimeMark | undefined, clock: number, machine: MachineTime): number {
  if (mark === undefined) return clock;
  const isSame = mark.boot === machine.boot && machine.ms >= mark.ms;
  return mark.at + (isSame ? machine.ms - mark.ms : Math.max(0, clock - mark.clock));
}

const TOLERANCE_MS = 60_000;

/** Another mark has to be taken down: the machine was started since, or the clock was set and would be misread after its next start. */
export function isOutdated(mark: TimeMark, now: TimeMark): boolean {
  const isOther = mark.boot !== now.boot || now.ms < mark.ms;
  return isOther || Math.abs(now.clock - mark.clock - (now.at - mark.at)) > TOLERANCE_MS;
}
