import type { JsonValue } from '#core/json.ts';

/** A Luigi task to run at a gateway, under one of its roles. Nothing in it is secret: secrets are the role's. */
export interface GatewayRunRequest {
  /** The run key with its suffix; the gateway's `Idempotency-Key`. */
  readonly id: string;
  /** Identifies the attempt of stage and job that asks. */
  readonly attempt: string;
  /** A role of the gateway's policy. */
  readonly role: string;
  /** Python module that defines the task. */
  readonly module: string;
  /** Luigi task family. */
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  /** ≥ 1 */
  readonly workers: number;
  /** After which the gateway stops the run; absent: the role's own limit. */
  readonly timeoutMs?: number | undefined;
  /** What the caller says of itself and no token signs. */
  readonly claimed: Readonly<Record<string, string>>;
}

/** How a caller proves to a gateway who it is. */
export interface GatewayCredentials {
  /**
   * Headers for one request: `authorization`, and `plumbline-run-facts` where there are any. Asked anew for each request,
   * because an ID token is good for one only.
   *
   * @throws {PlumblineError} `ERR_IDENTITY_*`, `ERR_HTTP_*`
   */
  headers(signal?: AbortSignal): Promise<Readonly<Record<string, string>>>;
}
