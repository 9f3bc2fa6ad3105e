import { text } from 'node:stream/consumers';
import { airflowEngine } from '#engines/airflow/airflow-engine.ts';
import { openAirflow } from '#engines/airflow/open-airflow.ts';
import { createHttp } from '#http/http.ts';

/**
 * A process of its own that starts a DAG run, prints it as soon as it is running, and follows it for as long as it lives. Everything that
 * it needs comes on standard input, because there is a password or a token in it.
 */
const { url, authorization, dagId, request } = JSON.parse(await text(process.stdin));
const signal = new AbortController().signal;
const http = createHttp({ skipVerification: false });
const credentials = { headers: async () => ({ authorization }), refused: () => {} };
const engine = airflowEngine({ api: await openAirflow({ url, http, credentials }, signal), dagId });
const ref = await engine.start(request, signal);
for await (const update of engine.follow(ref, signal)) {
  if (update.kind === 'state' && update.state === 'running') process.stdout.write(`${JSON.stringify(ref)}\n`);
}
