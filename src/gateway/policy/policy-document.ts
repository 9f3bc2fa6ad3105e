import type { JsonValue } from '#core/json.ts';
import type { ProfileName } from '../auth/caller.ts';
import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type { AirflowGrant } from './access-grants.ts';
import type { LuigidAccess } from './luigid-access.ts';
import type { Condition, ParameterRule, SecretGrant } from './role.ts';

/** A policy file as gateway-policy.schema.json describes it, before names are resolved and defaults filled in. */
export interface PolicyDocument {
  readonly apiVersion: string;
  readonly mode?: Mode;
  readonly issuers: Readonly<Record<string, IssuerEntry>>;
  readonly identities?: Readonly<Record<string, IdentityEntry>>;
  /** Empty when the file has none. */
  readonly roles: Readonly<Record<string, RoleEntry>>;
  readonly airflow?: Readonly<Record<string, AirflowEntry>>;
  readonly pipelines?: Readonly<Record<string, PipelineEntry>>;
  readonly bindings: readonly BindingEntry[];
  readonly deny?: readonly DenyEntry[];
  readonly legacy?: readonly LegacyEntry[];
  readonly viewers?: readonly ViewerEntry[];
}

export type Mode = 'report' | 'enforce';

export interface IssuerEntry {
  readonly profile: ProfileName;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms?: IssuerSettings['algorithms'];
  readonly jwksUri?: string;
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, JsonValue>>[] };
  readonly maxLifetime?: string;
  readonly maxAge?: string;
  readonly use?: IssuerSettings['use'];
  readonly sharedAudience?: boolean;
  readonly factsOnly?: boolean;
}

export interface RoleEntry {
  readonly description?: string;
  readonly modules: readonly string[];
  readonly tasks: readonly string[];
  readonly parameters?: Readonly<Record<string, ParameterRule>>;
  readonly otherParameters?: boolean;
  readonly environment?: string;
  readonly workerIdentity?: string;
  readonly sharedIdentity?: string;
  readonly unixUser?: string;
  readonly code: CodeEntry;
  readonly scheduler?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly secrets?: readonly SecretGrant[];
  readonly maxWorkers?: number;
  readonly maxRuntime?: string;
  readonly concurrency?: number;
  readonly attempts?: number;
  readonly taskIdentities?: readonly FamilyIdentityEntry[];
  readonly namespaces?: readonly string[];
  readonly sharedNamespaces?: string;
  readonly stockLuigi?: boolean;
}

/** As whom callers may act in an Airflow. */
export interface AirflowEntry {
  readonly description?: string;
  readonly airflow: string;
  readonly user: string;
  readonly role?: AirflowGrant['role'];
  /** Why others are the same user. */
  readonly sharedBy?: string;
}

/** A pipeline that callers may queue. */
export interface PipelineEntry {
  readonly description?: string;
  readonly organization: string;
  readonly project: string;
  readonly pipeline: number;
  readonly refs: readonly Condition[];
  readonly templateParameters?: Readonly<Record<string, ParameterRule>>;
  readonly otherParameters?: false;
  readonly contextParameter?: string;
}

/** Which identity the tasks of some families have. */
export interface FamilyIdentityEntry {
  readonly tasks: readonly string[];
  readonly identity?: string;
}

/** Who tasks are towards clouds. */
export interface IdentityEntry {
  readonly description?: string;
  readonly environment?: string;
  readonly azure?: {
    readonly clientId: string;
    readonly tenantId: string;
    readonly authorityHost?: string;
    readonly audience?: string;
  };
  readonly aws?: { readonly roleArn: string; readonly region?: string; readonly audience?: string };
  readonly google?: { readonly provider: string; readonly serviceAccount?: string; readonly audience?: string };
  readonly files?: readonly { readonly audience: string; readonly variable: string }[];
  /** Why two roles have it. */
  readonly sharedBy?: string;
}

export type CodeEntry =
  | {
      readonly kind: 'installed';
      readonly path: string;
      readonly python: string;
      readonly version?: string;
      readonly commitFile?: string;
    }
  | { readonly kind: 'wheel'; readonly file: string; readonly sha256: string; readonly python: string }
  | {
      readonly kind: 'bundle';
      readonly python: string;
      readonly maxBytes: number;
      readonly repository: Condition;
      readonly ref: Condition;
    };

/** A condition on a claim of the token that is authorised or, with `runFacts`, of the one beside it. */
export type ConditionEntry = Condition & { readonly claim: string; readonly runFacts?: boolean };

export interface Period {
  readonly from?: string;
  readonly until?: string;
  readonly reason?: string;
}

export interface BindingEntry extends Period {
  readonly name: string;
  readonly description?: string;
  readonly issuer: string;
  readonly runFactsIssuer?: string;
  readonly match: { readonly all: readonly ConditionEntry[] };
  /** Empty when the file has none. */
  readonly roles: readonly string[];
  readonly airflow?: readonly string[];
  readonly pipelines?: readonly string[];
  readonly taskFamilies?: readonly string[];
  readonly mode?: Mode;
  readonly require?: Readonly<Partial<Record<Requirement, true>>>;
  readonly examples: { readonly allow: readonly ExampleEntry[]; readonly deny: readonly ExampleEntry[] };
}

export type Requirement = 'refProtected' | 'notRequester' | 'approval';

export interface ExampleEntry {
  readonly title?: string;
  readonly claims: Readonly<Record<string, JsonValue>>;
  readonly runFacts?: Readonly<Record<string, JsonValue>>;
  readonly role?: string;
  readonly run?: {
    readonly module: string;
    readonly task: string;
    readonly parameters?: Readonly<Record<string, JsonValue>>;
    readonly workers?: number;
    readonly timeout?: string;
  };
  readonly evidence?: Readonly<Partial<Record<'approval' | 'notRequester', boolean>>>;
  readonly at?: string;
  /** A family that gets a token, and the identity that it has then. */
  readonly family?: string;
  readonly identity?: string;
  /** A grant of `airflow`. */
  readonly airflow?: string;
  readonly pipeline?: {
    /** Of `pipelines`. */
    readonly grant: string;
    /** Without it only the caller is tried. */
    readonly ref?: string;
    readonly templateParameters?: Readonly<Record<string, JsonValue>>;
  };
}

/** What people who sign in may do with luigid. */
export interface ViewerEntry extends Period {
  readonly name: string;
  readonly description?: string;
  readonly match: { readonly all: readonly ConditionEntry[] };
  readonly roles: readonly string[] | 'all';
  readonly access: LuigidAccess;
  readonly examples: { readonly allow: readonly ViewerExampleEntry[]; readonly deny: readonly ViewerExampleEntry[] };
}

export interface ViewerExampleEntry {
  readonly title?: string;
  readonly claims: Readonly<Record<string, JsonValue>>;
  readonly at?: string;
}

export interface DenyEntry extends Period {
  readonly name: string;
  readonly issuer?: string;
  readonly match?: { readonly all: readonly ConditionEntry[] };
  readonly roles?: readonly string[];
  readonly airflow?: readonly string[];
  readonly pipelines?: readonly string[];
}

export interface LegacyEntry {
  readonly name: string;
  readonly sha256: string;
  readonly until: string;
  readonly roles: readonly string[];
  readonly reason?: string;
}
