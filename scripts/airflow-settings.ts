import { join } from 'node:path';
import { AIRFLOW_ROLES, AIRFLOW_USERS } from './airflow-users.ts';
import type { AirflowOptions } from './start-airflow.ts';

/** Signs sessions and tokens of Airflows that are started here, on loopback, for as long as a test lasts. */
export const AIRFLOW_LOCAL_KEY = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';

/** The variables that make an Airflow small, quick to notice things, and reachable on loopback only. */
export function airflowSettings(options: AirflowOptions, port: number): Record<string, string> {
  const { folder, dags, line } = options;
  const common = {
    AIRFLOW_HOME: folder,
    // Of SQLite's own five seconds of patience a busy machine has little left: a scheduler that meets a locked database ends (and is started again).
    ...databaseOf(folder, 30),
    PYTHONWARNINGS: 'ignore',
    PYTHONDONTWRITEBYTECODE: '1',
    AIRFLOW__CORE__DAGS_FOLDER: dags,
    AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
    AIRFLOW__CORE__EXECUTOR: 'LocalExecutor',
    AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT: '120',
    AIRFLOW__CORE__PARALLELISM: '6',
    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: 'False',
    AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: '0.2',
    AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: '1',
    AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC: '1',
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: 'False',
  };
  return { ...common, ...(line === '3' ? settingsOf3(options, port) : settingsOf2(port)) };
}

/**
 * What one part has of its own. Airflow 3's API server writes its log of actions from its event loop (3.3.2, `action_logging`): when
 * another request has written and is to commit, which needs that loop, nobody gets an answer until the patience is over.
 */
export function settingsOfPart({ line, folder }: AirflowOptions, part: string): Record<string, string> {
  return line === '3' && part === 'api-server' ? databaseOf(folder, 2) : {};
}

/** @param patience seconds for which a write waits for another one */
function databaseOf(folder: string, patience: number): Record<string, string> {
  return { AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: `sqlite:///${join(folder, 'airflow.db')}?timeout=${patience}` };
}

function settingsOf3({ folder, auth }: AirflowOptions, port: number): Record<string, string> {
  const url = `http://127.0.0.1:${port}`;
  const fab = { AIRFLOW__CORE__AUTH_MANAGER: 'airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager' };
  const simple = {
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS: (['admin', 'viewer', 'steps'] as const)
      .map((user) => `${AIRFLOW_USERS[user].username}:${AIRFLOW_ROLES[user]}`)
      .join(','),
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE: join(folder, 'passwords.json'),
  };
  return {
    AIRFLOW__API__HOST: '127.0.0.1',
    AIRFLOW__API__PORT: String(port),
    AIRFLOW__API__WORKERS: '1',
    AIRFLOW__API__BASE_URL: url,
    AIRFLOW__API__SECRET_KEY: AIRFLOW_LOCAL_KEY,
    AIRFLOW__API_AUTH__JWT_SECRET: AIRFLOW_LOCAL_KEY,
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `${url}/execution/`,
    // On a busy machine the API does not answer in 5 s, and a task that gets no answer fails.
    AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT: '60',
    // Else all of this machine share one place for temporary files.
    AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH: join(folder, 'bundles'),
    AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL: '2',
    AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: '2',
    AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES: '1',
    ...(auth === 'fab' ? fab : simple),
  };
}

function settingsOf2(port: number): Record<string, string> {
  return {
    // 2.x has SQLite with the sequential executor only, which takes 9 s for a task; small runs do no harm to this one.
    _AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK: '1',
    AIRFLOW__WEBSERVER__WEB_SERVER_HOST: '127.0.0.1',
    AIRFLOW__WEBSERVER__WEB_SERVER_PORT: String(port),
    AIRFLOW__WEBSERVER__WORKERS: '1',
    // Its monitor ends the whole web server when a busy machine keeps a worker waiting, and starts workers anew now and then.
    AIRFLOW__WEBSERVER__WEB_SERVER_MASTER_TIMEOUT: '600',
    AIRFLOW__WEBSERVER__WEB_SERVER_WORKER_TIMEOUT: '600',
    AIRFLOW__WEBSERVER__WORKER_REFRESH_INTERVAL: '0',
    AIRFLOW__WEBSERVER__BASE_URL: `http://127.0.0.1:${port}`,
    AIRFLOW__WEBSERVER__SECRET_KEY: AIRFLOW_LOCAL_KEY,
    AIRFLOW__API__AUTH_BACKENDS: 'airflow.providers.fab.auth_manager.api.auth.backend.basic_auth',
    AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL: '2',
    AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL: '2',
    AIRFLOW__SCHEDULER__PARSING_PROCESSES: '1',
  };
}
