import type { AirflowDecision, AirflowPermission, PipelineDecision, PipelinePermission } from './access-grants.ts';
import { decideQuestion } from './decide-question.ts';
import type { Decision, RunPermission } from './policy.ts';
import type { PolicyParts } from './policy-parts.ts';
import { airflowQuestion, pipelineQuestion, runQuestion } from './questions.ts';

/** Whether a caller may start a run. */
export function decide(parts: PolicyParts, wanted: RunPermission, now: number): Decision {
  const { decision, found } = decideQuestion(parts, runQuestion(parts, wanted), now);
  return { ...decision, role: found?.role.role };
}

/** Whether a caller may have a token for an Airflow, and as whom. */
export function decideAirflow(parts: PolicyParts, wanted: AirflowPermission, now: number): AirflowDecision {
  const { decision, found } = decideQuestion(parts, airflowQuestion(parts, wanted), now);
  return { ...decision, grant: found?.grant };
}

/** Whether a caller may queue a pipeline. */
export function decidePipeline(parts: PolicyParts, wanted: PipelinePermission, now: number): PipelineDecision {
  const { decision, found } = decideQuestion(parts, pipelineQuestion(parts, wanted), now);
  return { ...decision, grant: found?.grant };
}
