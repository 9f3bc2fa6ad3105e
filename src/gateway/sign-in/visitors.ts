import type { Clock } from '#core/clock.ts';
import type { LuigidPermission } from '../policy/luigid-access.ts';
import type { Person, PersonSessions } from './person-sessions.ts';

/** Who asks for luigid's pages. */
export type Visitor =
  /** No session, or one that is over. */
  | { readonly kind: 'nobody' }
  /** A session, and no viewer of the policy that knows the person, perhaps not any more. */
  | { readonly kind: 'unknown'; readonly person: Person }
  | { readonly kind: 'known'; readonly person: Person; readonly permission: LuigidPermission };

/** What the policy in force says of somebody with these claims; `undefined`: nothing. */
export type ViewerRule = (claims: Person['claims'], now: number) => LuigidPermission | undefined;

export interface Visitors {
  /** The policy is asked anew each time, so that its change holds from the next request on. Without input and output. */
  visitorOf(cookieHeader: string | undefined): Visitor;
}

export function visitors(sessions: PersonSessions, viewer: ViewerRule, clock: Pick<Clock, 'now'>): Visitors {
  return {
    visitorOf: (cookieHeader) => {
      const person = sessions.personOf(cookieHeader);
      if (person === undefined) return { kind: 'nobody' };
      const permission = viewer(person.claims, clock.now());
      return permission === undefined ? { kind: 'unknown', person } : { kind: 'known', person, permission };
    },
  };
}
