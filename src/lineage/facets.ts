import { type Facets, type LineageJob, standardFacet } from './open-lineage.ts';

/** Readers tell integrations apart by it, so every event carries one. */
export function jobTypeFacet(producer: string, integration: string, jobType: string): Facets {
  const fields = { processingType: 'BATCH', integration, jobType };
  return { jobType: standardFacet(producer, '2-0-4', 'JobTypeJobFacet', fields) };
}

/** In every event too: DataHub answers an event without it with a server error. */
export function engineFacet(
  producer: string,
  engine: { readonly name: string; readonly version?: string | undefined },
  adapterVersion: string,
): Facets {
  const fields = {
    name: engine.name,
    version: engine.version ?? 'unknown',
    openlineageAdapterVersion: adapterVersion,
  };
  return { processing_engine: standardFacet(producer, '1-1-1', 'ProcessingEngineRunFacet', fields) };
}

export interface RunName {
  readonly runId: string;
  readonly job: LineageJob;
}

export function parentFacet(producer: string, parent: RunName, root: RunName): Facets {
  const fields = { ...named(parent), root: named(root) };
  return { parent: standardFacet(producer, '1-2-0', 'ParentRunFacet', fields) };
}

function named({ runId, job }: RunName): object {
  return { run: { runId }, job };
}

/** @param start ISO 8601 */
export function nominalTimeFacet(producer: string, start: string | undefined): Facets {
  if (start === undefined) return {};
  const fields = { nominalStartTime: new Date(start).toISOString() };
  return { nominalTime: standardFacet(producer, '1-0-1', 'NominalTimeRunFacet', fields) };
}

export interface Owner {
  /** As OpenLineage names owners: `team:data`. */
  readonly name: string;
  readonly type?: string | undefined;
}

export function ownershipFacet(producer: string, owners: readonly Owner[] = []): Facets {
  if (owners.length === 0) return {};
  return { ownership: standardFacet(producer, '1-0-1', 'OwnershipJobFacet', { owners }) };
}
