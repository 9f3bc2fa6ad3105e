import type { AirflowGrant, AirflowPermission, PipelinePermission } from './access-grants.ts';
import type { CompiledPipeline, CompiledRole } from './binding.ts';
import { bundleChecks } from './binding-checks.ts';
import { refChecks, templateParameterChecks } from './pipeline-checks.ts';
import { pipelineKey } from './pipeline-key.ts';
import type { RunPermission } from './policy.ts';
import type { PolicyParts } from './policy-parts.ts';
import type { Candidate, Question } from './question.ts';
import { roleChecks } from './role-checks.ts';

export interface RoleCandidate extends Candidate {
  readonly role: CompiledRole;
}

export interface AirflowCandidate extends Candidate {
  readonly grant: AirflowGrant;
}

export interface PipelineCandidate extends Candidate {
  readonly grant: CompiledPipeline['grant'];
}

/** Whether a caller may start a run. */
export function runQuestion({ roles }: PolicyParts, wanted: RunPermission): Question<RoleCandidate> {
  const role = roles.get(wanted.role);
  return {
    asker: wanted,
    candidates: role === undefined ? [] : [roleCandidate(role, wanted)],
    unknown: { reason: 'unknown-role', field: 'role' },
    field: 'role',
  };
}

/** Whether a caller may have a token for an Airflow. */
export function airflowQuestion({ airflow }: PolicyParts, wanted: AirflowPermission): Question<AirflowCandidate> {
  const isMeant = ({ name, airflow: of }: AirflowGrant) =>
    of === wanted.airflow && (wanted.grant === undefined || name === wanted.grant);
  return {
    asker: wanted,
    candidates: [...airflow.values()].filter(isMeant).map(airflowCandidate),
    unknown: { reason: 'unknown-grant', field: wanted.grant === undefined ? 'airflow' : 'grant' },
    field: 'airflow grant',
  };
}

/** Whether a caller may queue a pipeline. */
export function pipelineQuestion({ pipelines }: PolicyParts, wanted: PipelinePermission): Question<PipelineCandidate> {
  const key = pipelineKey(wanted);
  return {
    asker: wanted,
    candidates: [...pipelines.values()].filter((one) => one.key === key).map((one) => pipelineCandidate(one, wanted)),
    unknown: { reason: 'unknown-grant', field: 'pipeline' },
    field: 'pipeline grant',
  };
}

function roleCandidate(role: CompiledRole, wanted: RunPermission): RoleCandidate {
  return {
    kind: 'roles',
    name: role.role.name,
    role,
    isReportable: true,
    everyModeChecks: (binding) => bundleChecks(binding, role, wanted),
    checks: () => roleChecks(role, wanted),
  };
}

/** A token that enforcement refuses is never handed out: once it is, nobody takes it back. */
function airflowCandidate(grant: AirflowGrant): AirflowCandidate {
  return {
    kind: 'airflow',
    name: grant.name,
    grant,
    isReportable: false,
    everyModeChecks: () => [],
    checks: () => [],
  };
}

function pipelineCandidate(pipeline: CompiledPipeline, wanted: PipelinePermission): PipelineCandidate {
  return {
    kind: 'pipelines',
    name: pipeline.grant.name,
    grant: pipeline.grant,
    isReportable: true,
    everyModeChecks: () => refChecks(pipeline, wanted.ref),
    checks: () => templateParameterChecks(pipeline, wanted.templateParameters),
  };
}
