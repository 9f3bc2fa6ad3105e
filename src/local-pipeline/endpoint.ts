/** A service connection as the job gets it; setendpoint changes it for the rest of the job. */
export interface Endpoint {
  readonly id: string;
  readonly name: string;
  url: string;
  readonly scheme: string;
  readonly parameters: Record<string, string>;
  readonly data: Record<string, string>;
}

export const SYSTEM_CONNECTION = 'SYSTEMVSSCONNECTION';
