import { wellFormed } from '#core/well-formed.ts';

/** The part of OpenLineage 2-0-2 that Plumbline writes. */
export interface RunEvent {
  readonly eventType: EventType;
  /** ISO 8601, UTC. */
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Facets };
  readonly job: LineageJob & { readonly facets: Facets };
  readonly inputs: readonly DatasetName[];
  readonly outputs: readonly DatasetName[];
}

/** `ABORT` is also the end of a run of which nobody knows how it ended: it is neither a success nor a proven failure. */
export type EventType = 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';

export interface LineageJob {
  readonly namespace: string;
  readonly name: string;
}

export interface DatasetName {
  readonly namespace: string;
  readonly name: string;
}

export interface Facet {
  readonly _producer: string;
  readonly _schemaURL: string;
  readonly [field: string]: unknown;
}

export type Facets = Readonly<Record<string, Facet>>;

const SPEC = 'https://openlineage.io/spec';

export const RUN_EVENT_SCHEMA = `${SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent`;

/** A standard facet in the version that is published, e.g. `standardFacet(producer, '1-2-0', 'ParentRunFacet', …)`. */
export function standardFacet(producer: string, version: string, name: string, fields: object): Facet {
  return { _producer: producer, _schemaURL: `${SPEC}/facets/${version}/${name}.json#/$defs/${name}`, ...fields };
}

/** The URI of the code that wrote an event. */
export function producerUri(version: string): string {
  return `urn:plumbline:producer:${encodeURIComponent(wellFormed(version))}`;
}
