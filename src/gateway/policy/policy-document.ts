import type { JsonValue } from '#core/json.ts';
import type { ProfileName } from '../auth/caller.ts';
import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type { Condition, ParameterRule, SecretGrant } from './role.ts';

/** A policy file as gateway-policy.schema.json describes it, before names are resolved and defaults filled in. */
export interface PolicyDocument {
  readonly apiVersion: string;
  readonly mode?: Mode;
  readonly issuers: Readonly<Record<string, IssuerEntry>>;
  readonly roles: Readonly<Record<string, RoleEntry>>;
  readonly bindings: readonly BindingEntry[];
  readonly deny?: readonly DenyEntry[];
  readonly legacy?: readonly LegacyEntry[];
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
  readonly roles: readonly string[];
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
}

export interface DenyEntry extends Period {
  readonly name: string;
  readonly issuer?: string;
  readonly match?: { readonly all: readonly ConditionEntry[] };
  readonly roles?: readonly string[];
}

export interface LegacyEntry {
  readonly name: string;
  readonly sha256: string;
  readonly until: string;
  readonly roles: readonly string[];
  readonly reason?: string;
}
