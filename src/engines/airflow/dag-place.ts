import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { AirflowApi } from './airflow-api.ts';

/** A DAG of an Airflow, for what is done with it. */
export interface DagPlace {
  readonly api: AirflowApi;
  readonly dagId: string;
  readonly clock?: Clock | undefined;
  readonly log?: Pick<Logger, 'debug' | 'info'> | undefined;
}
