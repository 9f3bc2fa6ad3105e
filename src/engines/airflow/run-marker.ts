import type { JsonValue } from '#core/json.ts';
import type { AirflowRunRequest, RunMarker } from './airflow-request.ts';

/** Keys of a conf that are ours to set. */
export const OWN_CONF_KEYS: readonly string[] = ['plumbline', 'openlineage'];

/** What is sent as the run's conf: the author's, the marker by which we know the run again, and where its lineage goes on. */
export function confOf(request: AirflowRunRequest): Readonly<Record<string, JsonValue>> {
  const { conf, openLineage } = request;
  return { ...conf, plumbline: markerOf(request), ...(openLineage && { openlineage: openLineage }) };
}

function markerOf({ id, attempt, origin }: AirflowRunRequest): RunMarker {
  return { ...origin, key: id, attempt };
}

/** The marker in a run's conf; `undefined` when it is none of ours. */
export function readMarker(conf: Readonly<Record<string, JsonValue>>): RunMarker | undefined {
  const marker = Object.hasOwn(conf, 'plumbline') ? conf['plumbline'] : undefined;
  if (typeof marker !== 'object' || marker === null || Array.isArray(marker)) return undefined;
  const { key, attempt } = marker as Readonly<Record<string, JsonValue>>;
  if (typeof key !== 'string' || typeof attempt !== 'string') return undefined;
  return { ...(marker as Readonly<Record<string, JsonValue>>), key, attempt };
}
