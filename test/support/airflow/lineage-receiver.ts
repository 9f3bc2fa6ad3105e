import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface NamedRun {
  readonly run: { readonly runId: string };
  readonly job: { readonly namespace: string; readonly name: string };
}

/** What the tests read of an OpenLineage event. */
export interface SeenLineage {
  readonly eventType: string;
  readonly run: {
    readonly runId: string;
    readonly facets: Readonly<Record<string, unknown>> & { readonly parent?: NamedRun & { readonly root?: NamedRun } };
  };
  readonly job: { readonly namespace: string; readonly name: string };
  readonly inputs?: readonly { readonly namespace: string; readonly name: string }[];
  readonly outputs?: readonly { readonly namespace: string; readonly name: string }[];
}

/** Takes what OpenLineage clients send by HTTP, as a lineage service would, and reads what they have written to a file. */
export class LineageReceiver {
  /** Sent by HTTP, in their order. */
  readonly sent: SeenLineage[] = [];
  readonly #server = createServer();
  readonly #file: string;

  constructor(folder: string) {
    this.#file = join(folder, 'openlineage.jsonl');
  }

  /** `[openlineage] transport` of Airflow's provider: everything goes both ways. */
  async start(): Promise<string> {
    this.#server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      this.sent.push(JSON.parse(Buffer.concat(chunks).toString('utf8')) as SeenLineage);
      response.writeHead(201).end();
    });
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return JSON.stringify({
      type: 'composite',
      transports: {
        file: { type: 'file', log_file_path: this.#file, append: true },
        http: { type: 'http', url, endpoint: 'api/v1/lineage' },
      },
    });
  }

  /** Written to the file. */
  get written(): readonly SeenLineage[] {
    return existsSync(this.#file) ? linesOf(this.#file) : [];
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Events of a file, one a line. */
export function linesOf(file: string): readonly SeenLineage[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as SeenLineage);
}
