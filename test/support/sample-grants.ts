/** Grants of Airflow users: two for one Airflow, one of FabAuthManager. */
export const AIRFLOW = {
  load: { airflow: 'warehouse', user: 'ci-load', role: 'op' },
  look: { airflow: 'warehouse', user: 'ci-look', role: 'viewer' },
  lake: { airflow: 'lake', user: '7' },
} as const;

export const PIPELINES = {
  publish: {
    organization: 'https://dev.azure.com/fabrikam',
    project: 'Sales',
    pipeline: 12,
    refs: [{ equals: 'refs/heads/main' }, { glob: 'refs/heads/release/*' }],
    templateParameters: { day: { glob: '2026-*' }, dryRun: { oneOf: [true, false], optional: true } },
    otherParameters: false,
    contextParameter: 'queuedBy',
  },
} as const;
