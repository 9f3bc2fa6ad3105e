import type { Position } from './position.ts';
import type { Restrictions } from './restrictions.ts';

/** A piece of text with its place, for what is evaluated or resolved later. */
export interface Located {
  readonly text: string;
  readonly at: Position;
}

export interface VariableSetting {
  readonly name: string;
  readonly value: Located;
  readonly readOnly: boolean;
}

interface StepFacts {
  readonly at: Position;
  /** The reference name: given, or made from the kind of step. */
  readonly name: string;
  readonly displayName: string;
  readonly condition: Located | undefined;
  readonly continueOnError: boolean;
  readonly env: Readonly<Record<string, string>>;
  /** 0: the job's time is the limit. */
  readonly timeoutInMinutes: number;
  readonly retryCount: number;
  readonly target: Restrictions | undefined;
}

export interface TaskStep extends StepFacts {
  readonly kind: 'task';
  readonly task: Located;
  readonly inputs: readonly { readonly name: Located; readonly value: Located }[];
}

export interface ScriptStep extends StepFacts {
  readonly kind: 'script' | 'bash';
  readonly script: string;
  readonly workingDirectory: string | undefined;
  readonly failOnStderr: boolean;
}

export interface CheckoutStep extends StepFacts {
  readonly kind: 'checkout';
}

export type StepSpec = TaskStep | ScriptStep | CheckoutStep;

export interface MatrixLeg {
  readonly name: string;
  readonly variables: readonly VariableSetting[];
}

export interface JobSpec {
  readonly at: Position;
  readonly name: string;
  readonly displayName: string;
  readonly kind: 'job' | 'deployment';
  /** Of a deployment job. */
  readonly environment: { readonly name: string; readonly resourceName: string | undefined } | undefined;
  readonly dependsOn: readonly Located[];
  readonly condition: Located | undefined;
  readonly continueOnError: boolean;
  readonly timeoutInMinutes: number;
  readonly cancelTimeoutInMinutes: number;
  readonly variables: readonly VariableSetting[];
  /** Empty: the job runs once, without a leg. */
  readonly matrix: readonly MatrixLeg[];
  /** Disabled steps are left out. */
  readonly steps: readonly StepSpec[];
}

export interface StageSpec {
  readonly at: Position;
  readonly name: string;
  readonly displayName: string;
  /** `undefined`: the stage before this one. */
  readonly dependsOn: readonly Located[];
  readonly condition: Located | undefined;
  readonly variables: readonly VariableSetting[];
  readonly jobs: readonly JobSpec[];
}

/** A pipeline after template expansion. */
export interface PipelineSpec {
  readonly file: string;
  /** The build number format. */
  readonly name: string;
  readonly variables: readonly VariableSetting[];
  readonly stages: readonly StageSpec[];
  /** What the local pipeline reads but does not act on. */
  readonly notes: readonly Located[];
}

/** The name that the service gives a stage or job leg which has none. */
export const DEFAULT_NAME = '__default';
