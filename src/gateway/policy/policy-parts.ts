import type { IssuerSettings } from '../auth/issuer-settings.ts';
import type { AirflowGrant } from './access-grants.ts';
import type { Binding, CompiledPipeline, CompiledRole, DenyRule, Viewer } from './binding.ts';
import type { LegacyCredential } from './policy.ts';
import type { PolicyDocument } from './policy-document.ts';
import type { Place } from './schema-problems.ts';
import type { TaskIdentity } from './task-identity.ts';

/** A policy after compilation: what a decision, the lint and the examples are made from. */
export interface PolicyParts {
  /** As messages call it. */
  readonly file: string;
  readonly sha256: string;
  readonly document: PolicyDocument;
  /** Where a field stands in the file. */
  readonly place: Place;
  readonly issuers: ReadonlyMap<string, IssuerSettings>;
  readonly roles: ReadonlyMap<string, CompiledRole>;
  readonly airflow: ReadonlyMap<string, AirflowGrant>;
  readonly pipelines: ReadonlyMap<string, CompiledPipeline>;
  /** In the order of the file, legacy credentials last. */
  readonly bindings: readonly Binding[];
  readonly bindingNamed: ReadonlyMap<string, Binding>;
  /** Those that could concern a caller, by its issuer. */
  readonly bindingsOf: ReadonlyMap<string, readonly Binding[]>;
  /** Those for calls to luigid that bring nothing: they never concern a caller. */
  readonly anonymous: readonly Binding[];
  readonly deny: readonly DenyRule[];
  readonly legacy: readonly LegacyCredential[];
  readonly identities: ReadonlyMap<string, TaskIdentity>;
  readonly viewers: readonly Viewer[];
}
