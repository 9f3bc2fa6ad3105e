import type { JsonValue } from '#core/json.ts';
import type { LuigidPermission } from '../policy/luigid-access.ts';
import type { Worker } from '../workers/worker.ts';

/** Whose call to luigid it is. */
export type LuigidCaller =
  /** By its own token or by the password of a scheduler URL. */
  | {
      readonly kind: 'worker';
      readonly worker: Worker;
      readonly namespaces: readonly string[];
      /** `report`: what would be refused passes and is recorded. */
      readonly mode: 'report' | 'enforce';
      readonly policy: string;
      readonly binding?: string | undefined;
    }
  /** Signed in with a browser. */
  | {
      readonly kind: 'person';
      /** `<iss> <sub>` */
      readonly id: string;
      /** For the audit. */
      readonly facts: Readonly<Record<string, JsonValue>>;
      readonly permission: LuigidPermission;
    }
  /** Brings nothing; only while a binding of the issuer `anonymous` reports. */
  | {
      readonly kind: 'anonymous';
      readonly address: string;
      readonly permission: LuigidPermission;
      readonly binding: string;
    };

/** In whose line it stands: workers of a role, and all who bring nothing, wait for each other and not for others. */
export function lineOfCaller(caller: LuigidCaller): string {
  if (caller.kind === 'worker') return `role ${caller.worker.role}`;
  return caller.kind === 'person' ? caller.id : 'anonymous';
}

/** Whose share it is, of what is read of luigid and of what is held in memory. */
export function nameOfCaller(caller: LuigidCaller): string {
  if (caller.kind === 'worker') return caller.worker.id;
  return caller.kind === 'person' ? caller.id : `anonymous ${caller.address}`;
}
