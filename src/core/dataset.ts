/** What a Luigi target or an Airflow asset points at, named after OpenLineage's rules (naming.md, spec 2-0-2). */
export interface Dataset {
  readonly namespace: string;
  readonly name: string;
  /** The engine's own type name, e.g. `LocalTarget`, `S3Target`. */
  readonly type: string;
}
