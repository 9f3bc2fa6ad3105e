import { text } from 'node:stream/consumers';
import { luigiGateway } from '#engines/luigi/luigi-gateway.ts';
import { createHttp } from '#http/http.ts';

/**
 * A process of its own that starts a run at a gateway, prints it, and follows it for as long as it lives. Everything that it
 * needs comes on standard input, because there is a token in it.
 */
const { url, headers, request } = JSON.parse(await text(process.stdin));
const engine = luigiGateway({
  url,
  http: createHttp({ skipVerification: false }),
  credentials: { headers: async () => headers },
  mask: () => undefined,
});
const signal = new AbortController().signal;
const ref = await engine.start(request, signal);
for await (const update of engine.follow(ref, signal)) {
  if (update.kind === 'task' && update.task.state === 'running') process.stdout.write(`${JSON.stringify(ref)}\n`);
}
