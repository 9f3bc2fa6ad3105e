/** The same in every Airflow that is started here. */
export const AIRFLOW_USERS = {
  admin: { username: 'ci', password: 'ci-local-only' },
  viewer: { username: 'viewer', password: 'viewer-local-only' },
  steps: { username: 'plumbline-steps', password: 'steps-local-only-7Hq2vX' },
} as const;

/** In the auth manager that each line has by default; Airflow 2 begins their names with a capital. */
export const AIRFLOW_ROLES: Readonly<Record<keyof typeof AIRFLOW_USERS, string>> = {
  admin: 'admin',
  viewer: 'viewer',
  // What a pipeline's step needs and no more: it reads all, and changes DAGs and their runs.
  steps: 'user',
};
