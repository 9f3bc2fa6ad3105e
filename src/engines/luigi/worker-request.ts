import type { JsonValue } from '#core/json.ts';
import type { Secret } from '#core/secret.ts';
import { secretForms } from '#core/secret-forms.ts';
import { PROTOCOL } from './worker-event.ts';

type Secrets = Readonly<Record<string, Secret>>;

/** What to run, whoever starts it. */
export interface WorkerOrder {
  readonly module: string;
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly secretParameters: Secrets;
  /** `local`, or the URL of a luigid. */
  readonly scheduler: string;
  readonly workers: number;
}

/** Fields of docs/worker-protocol.md, "In", that depend on who starts the worker and how it is to end. */
export interface WorkerPlace {
  readonly runId: string;
  /** `null`: the run outlives whoever started it. */
  readonly parentPid: number | null;
  readonly eventsFile: string;
  readonly exitFile: string;
  readonly graceMs: number;
  readonly claimFile?: string | undefined;
  readonly outputFile?: string | undefined;
  readonly outputMaxBytes?: number | undefined;
  readonly endAll?: boolean | undefined;
  readonly deadlineSeconds?: number | undefined;
  readonly umask?: number | undefined;
  /** How it reaches the gateway that started it. */
  readonly gateway?: object | undefined;
}

/**
 * The request as the worker reads it from standard input. It is the only way on which secret parameters and what is to be
 * redacted reach the worker.
 * @param secrets what no event and no captured output may contain, beside the secret parameters
 */
export function workerRequest(order: WorkerOrder, place: WorkerPlace, secrets: readonly Secret[]): object {
  const { module, task, parameters, secretParameters, scheduler, workers } = order;
  return {
    protocol: PROTOCOL,
    ...place,
    module,
    task,
    parameters,
    secretParameters: revealed(secretParameters),
    redact: redacted([...secrets, ...Object.values(secretParameters)]),
    scheduler,
    workers,
  };
}

export function revealed(secrets: Secrets): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, secret.reveal()]));
}

function redacted(secrets: readonly Secret[]): readonly string[] {
  return [...new Set(secrets.flatMap((secret) => [secret.reveal(), ...secretForms(secret)]))].filter(Boolean);
}
