import type { JsonValue } from '#core/json.ts';
import type { PipelineGrant } from './access-grants.ts';
import type { ClaimReader } from './claim-path.ts';
import type { CompiledCondition } from './condition.ts';
import type { Glob } from './glob.ts';
import type { LuigidAccess, Namespaces } from './luigid-access.ts';
import type { Mode, Requirement } from './policy-document.ts';
import type { Role } from './role.ts';
import type { TaskIdentity } from './task-identity.ts';

/** A condition on one claim, ready to be asked. */
export interface ClaimCondition extends CompiledCondition {
  /** As the file names it. */
  readonly claim: string;
  readonly read: ClaimReader;
  /** It reads the token beside the one that is authorised. */
  readonly runFacts: boolean;
}

export interface ActivePeriod {
  /** Milliseconds since the epoch; inclusive. */
  readonly from?: number | undefined;
  /** Exclusive. */
  readonly until?: number | undefined;
}

/** Who has which roles and grants, compiled. A legacy credential is one too. */
export interface Binding extends ActivePeriod {
  readonly name: string;
  readonly issuer: string;
  readonly runFactsIssuer?: string | undefined;
  readonly conditions: readonly ClaimCondition[];
  readonly roles: ReadonlySet<string>;
  /** Names of grants, in the order of the file. */
  readonly airflow: ReadonlySet<string>;
  readonly pipelines: ReadonlySet<string>;
  readonly mode: Mode;
  /** The families whose tasks get tokens; absent: all that the role names. */
  readonly families?: readonly Glob[] | undefined;
  readonly require: readonly Requirement[];
  /** Where it stands in `bindings`; absent for a legacy credential. */
  readonly index?: number | undefined;
}

export interface DenyRule extends ActivePeriod {
  readonly name: string;
  readonly issuer?: string | undefined;
  readonly conditions: readonly ClaimCondition[];
  /** With none of the three lists it is about everything; otherwise about what they name. */
  readonly roles?: ReadonlySet<string> | undefined;
  readonly airflow?: ReadonlySet<string> | undefined;
  readonly pipelines?: ReadonlySet<string> | undefined;
}

/** A role with its globs and conditions ready to be asked. */
export interface CompiledRole {
  readonly role: Role;
  readonly modules: readonly Glob[];
  readonly tasks: readonly Glob[];
  readonly parameters: ReadonlyMap<string, CompiledCondition & { readonly optional: boolean }>;
  /** Parameters that the gateway fills from Key Vault: no caller may give them. */
  readonly secretParameters: ReadonlySet<string>;
  /** Of `taskIdentities`, in the order of the file. */
  readonly families?: readonly CompiledFamily[] | undefined;
  /** What a bundle's repository and ref must be, by the caller's signed facts. */
  readonly bundle?: { readonly repository: CompiledCondition; readonly ref: CompiledCondition } | undefined;
}

export interface CompiledFamily {
  readonly globs: readonly Glob[];
  readonly identity?: TaskIdentity | undefined;
}

/** A grant of pipelines with its conditions ready to be asked. */
export interface CompiledPipeline {
  readonly grant: PipelineGrant;
  /** The same text for the same pipeline, however organization and project are written. */
  readonly key: string;
  /** One of them must hold. */
  readonly refs: readonly CompiledCondition[];
  readonly parameters: ReadonlyMap<string, CompiledCondition & { readonly optional: boolean }>;
  /** Template parameters that the gateway fills by any grant for this pipeline, in lower case. */
  readonly filled: ReadonlySet<string>;
}

/** What people may do with luigid, compiled. */
export interface Viewer extends ActivePeriod {
  readonly name: string;
  readonly conditions: readonly ClaimCondition[];
  readonly access: LuigidAccess;
  readonly namespaces: Namespaces;
}

export type Claims = Readonly<Record<string, JsonValue>>;

/** Whether an instant lies in a period. An instant that is no number lies in none. */
export function isActive({ from, until }: ActivePeriod, now: number): boolean {
  return (from === undefined || now >= from) && (until === undefined || now < until) && !Number.isNaN(now);
}
