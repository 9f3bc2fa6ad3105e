import { Readable } from 'node:stream';
import { abortable } from '#core/abortable.ts';
import { type Clock, systemClock } from '#core/clock.ts';
import type { SystemConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';
import type { RunRecords } from '#core/run-records.ts';
import { openConnector } from '#http/connector.ts';
import { type RetryQuestion, retryDelay, shouldRetry } from '#http/retry.ts';
import { collectionHandler } from './collection-handler.ts';
import { type JobPlace, readJobPlace } from './job-place.ts';
import type { NodeApis } from './node-api.ts';
import { outcomeOf, publishError } from './publish-error.ts';

/** What the agent's `task.uploadsummary` uses; shown in the Extensions tab under the attachment's name. */
const SUMMARY_TYPE = 'Distributedtask.Core.Summary';
const TIMEOUT_MS = 30_000;
const MAX_ATTEMPTS = 4;

export interface RunRecordsOptions {
  readonly system: SystemConnection;
  readonly network: NetworkSettings;
  /** A pipeline variable by its dotted name. */
  readonly variable: (name: string) => string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * The records of this step in Azure DevOps Services, by REST: a task that runs under `restrictions` may not use the
 * agent's logging commands for them. The client is loaded at the first call.
 *
 * Every method may be called again: an attachment of one type and name, a tag and a property replace themselves. Each is
 * tried four times on answers that may pass.
 *
 * @throws {PlumblineError} `ERR_PUBLISH_FAILED` here when a variable is missing, and from each method;
 *   `ERR_IDENTITY_HOST_NOT_ALLOWED` when the collection is not on https. Rejects with the signal's reason.
 */
export function azureDevOpsRecords(options: RunRecordsOptions): RunRecords {
  const place = readJobPlace(options.variable);
  const apis = lazily(() => loadApis(options));
  const send = <T>(what: string, work: (apis: NodeApis) => Promise<T | null>) =>
    sent(what, async () => work(await apis()), options);
  const attach = (type: string, name: string, bytes: Uint8Array) =>
    send(`attach '${name}'`, ({ task }) =>
      task.createAttachment(
        {},
        // A new stream for each attempt; it must be one that closes, which is what the client waits for.
        Readable.from([Buffer.from(bytes)]) as unknown as NodeJS.ReadableStream,
        place.projectId,
        place.hub,
        place.planId,
        place.timelineId,
        place.recordId,
        type,
        name,
      ),
    );
  return {
    attach,
    summary: (title, bytes) => attach(SUMMARY_TYPE, title, bytes),
    tag: async (tags) => {
      if (tags.length === 0) return;
      await send('add tags to the build', ({ build }) =>
        build.addBuildTags([...tags], place.projectId, buildOf(place)),
      );
    },
    properties: async (values) => {
      const document = Object.entries(values).map(([name, value]) => ({ op: 'add', path: `/${escaped(name)}`, value }));
      if (document.length === 0) return;
      await send('set properties of the build', ({ build }) =>
        build.updateBuildProperties({}, document, place.projectId, buildOf(place)),
      );
    },
  };
}

/** JSON Pointer, RFC 6901 §3. */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function buildOf({ buildId }: JobPlace): number {
  if (buildId !== undefined) return buildId;
  throw new PlumblineError('ERR_PUBLISH_FAILED', 'Cannot mark the build: a classic release has no build of its own');
}

async function loadApis({ system, network }: RunRecordsOptions): Promise<NodeApis> {
  const handler = collectionHandler(system, await openConnector(network));
  const { nodeApis } = await import('./node-api.ts');
  return nodeApis(system.url, handler, { allowRedirects: false, socketTimeout: TIMEOUT_MS });
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

async function sent<T>(what: string, work: () => Promise<T | null>, options: RunRecordsOptions): Promise<void> {
  const { system, network, signal, clock = systemClock } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      signal?.throwIfAborted();
      // The client gives null where the service has nothing under the address (404).
      if ((await abortable(work(), signal)) === null) throw nothingThere(what);
      return;
    } catch (thrown) {
      signal?.throwIfAborted();
      const outcome = outcomeOf(thrown);
      const question: RetryQuestion = {
        idempotent: true,
        attempt,
        maxAttempts: MAX_ATTEMPTS,
        outcome,
        now: clock.now(),
      };
      if (!shouldRetry(question)) throw publishError(thrown, what, { url: system.url, network });
      await clock.sleep(retryDelay(question, Math.random()), signal);
    }
  }
}

function nothingThere(what: string): PlumblineError {
  return new PlumblineError('ERR_PUBLISH_FAILED', `Cannot ${what}: Azure DevOps does not know this run (404)`, {
    remedy: 'Check that the step runs in a job of this organisation, and that its build service may see the pipeline.',
    details: { status: 404 },
  });
}
