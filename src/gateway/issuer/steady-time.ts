import { uptime } from 'node:os';
import { bootId } from '../launch/boot-id.ts';

/** How long the machine has been on; says nothing across a start of the machine, and no setting of a clock changes it. */
export interface MachineTime {
  readonly boot: string;
  readonly ms: number;
}

/** A time that was taken down, and what the machine said then. */
export interface TimeMark extends MachineTime {
  readonly at: number;
}

export function machineTime(): MachineTime {
  return { boot: bootId(), ms: Math.round(uptime() * 1_000) };
}

/**
 * The time by which keys age, in milliseconds since the epoch. It never goes back, and a clock that is set forward or back
 * while the machine is on makes no key older or younger. After a start of the machine it goes on with the clock, or stands
 * until the clock has come up to it: a key then signs later and is published longer.
 */
export function steadyTime(mark: TimeMark | undefined, clock: number, machine: MachineTime): number {
  if (mark === undefined) return clock;
  const isSame = mark.boot === machine.boot && machine.ms >= mark.ms;
  return isSame ? mark.at + (machine.ms - mark.ms) : Math.max(clock, mark.at);
}
