import { join } from 'node:path';
import { pipelineApi } from '#azure-devops/pipeline-api.ts';
import { systemClock } from '#core/clock.ts';
import { Secret } from '#core/secret.ts';
import { loadAuditKeys } from '#gateway/audit/audit-keys.ts';
import { openAuditLog } from '#gateway/audit/open-audit-log.ts';
import { PipelineDispatch } from '#gateway/dispatch/pipeline-dispatch.ts';
import { Store } from '#gateway/store/store.ts';
import { createHttp } from '#http/http.ts';
import { AZURE_TOKEN } from '../scripted-azure-devops.ts';
import { DAG, ORGANIZATION, PipelinePolicy, requestOf } from './dispatch-world.ts';

/**
 * A process with store, audit log and pipeline runs in the folder it is given, and nothing else:
 * `fork(dispatch-process.ts, [FOLDER, PROXY URL, CA FILE])`. It takes `{ queue: KEY }` as messages.
 */
const [folder = '', proxy = '', caFile = ''] = process.argv.slice(2);
const http = createHttp({ skipVerification: false, proxy: { url: proxy, bypass: [] }, caFile });
const store = await Store.open(join(folder, 'store.sqlite'));
const keys = await loadAuditKeys({ directory: join(folder, 'keys') });
const audit = await openAuditLog({ directory: join(folder, 'audit'), keys, checkpoint: { everyRecords: 5 } });
const token = async () => new Secret(AZURE_TOKEN);
const api = pipelineApi({ base: ORGANIZATION, http, token, clock: systemClock });
const policy = new PipelinePolicy();
const dispatch = await PipelineDispatch.open({
  store,
  audit,
  policy: () => policy,
  connect: () => ({ api, identity: {} }),
  keepEndedMs: 86_400_000,
  times: { settleMs: 1_000, answeredSettleMs: 500 },
  log: (message, facts) => console.error(message, facts),
});

process.on('message', ({ queue }: { queue: string }) => {
  dispatch.create(DAG, queue, requestOf(), 'request').catch((thrown) => console.error(thrown));
});
process.send?.({ ready: true });
