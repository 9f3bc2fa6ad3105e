import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { isFabUser } from './fab-user.ts';
import { filledParameters } from './filled-parameters.ts';
import { pipelineKey } from './pipeline-key.ts';
import type { AirflowEntry, PipelineEntry, PolicyDocument } from './policy-document.ts';

/** What grants of Airflow users and pipelines have wrong by themselves, whoever has them. */
export function checkAccessGrants({ airflow = {}, pipelines = {} }: PolicyDocument, complain: Complain): void {
  checkAirflow(Object.entries(airflow), complain);
  const filled = filledParameters(pipelines);
  for (const [name, entry] of Object.entries(pipelines))
    checkPipeline(entry, filled.get(pipelineKey(entry)) ?? new Map(), ['pipelines', name], complain);
}

/** What one may the other may, and Airflow's own records show them as one: so it is said why. */
function checkAirflow(entries: readonly (readonly [string, AirflowEntry])[], complain: Complain): void {
  const known = new Map<string, string>();
  for (const [name, entry] of entries) {
    const { user, role, sharedBy } = entry;
    if (role === undefined && !isFabUser(user))
      complain(
        ['airflow', name, 'user'],
        'must be the numeric id of a user of FabAuthManager, or needs `role` beside it',
      );
    const key = airflowUserKey(entry);
    const other = known.get(key);
    if (other !== undefined && sharedBy === undefined)
      complain(
        ['airflow', name, 'user'],
        `is the user of '${other}' too; give each grant one of its own, or say why with \`sharedBy\``,
      );
    if (sharedBy === undefined) known.set(key, other ?? name);
  }
}

/** The same text for what is one user to an Airflow. */
export function airflowUserKey({ airflow, user }: Pick<AirflowEntry, 'airflow' | 'user'>): string {
  return JSON.stringify([airflow, user.toLowerCase()]);
}

/** Azure Pipelines does not tell names of parameters apart by their case. */
function checkPipeline(
  { templateParameters = {}, contextParameter }: PipelineEntry,
  filled: ReadonlyMap<string, string>,
  path: FieldPath,
  complain: Complain,
): void {
  const seen = new Set(contextParameter === undefined ? [] : [contextParameter.toLowerCase()]);
  for (const name of Object.keys(templateParameters)) {
    const at = [...path, 'templateParameters', name];
    const grant = filled.get(name.toLowerCase());
    if (name.toLowerCase() === contextParameter?.toLowerCase())
      complain(at, 'is the `contextParameter`, which the gateway fills');
    else if (grant !== undefined) complain(at, `is the \`contextParameter\` of \`${grant}\`, which the gateway fills`);
    else if (seen.has(name.toLowerCase())) complain(at, 'differs from another parameter by its case alone');
    seen.add(name.toLowerCase());
  }
}
