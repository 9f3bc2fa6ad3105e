import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-status.ts';

/** Beside the built program, and in a checkout. */
const WORKER_PATHS = ['worker/plumbline_luigi', '../../worker/plumbline_luigi'];
/** What may still hold the process after its end; a supervisor of services waits for it no longer than this. */
const LINGERS_MS = 2_000;

export const gatewayServe: Command = {
  name: 'gateway serve',
  summary: 'Runs the gateway until SIGTERM or SIGINT. Its log goes to standard output, a JSON object a line.',
  takes: [],
  options: { config: { value: 'FILE', help: "the gateway's configuration", required: true } },
  async run(given) {
    const { serveGateway } = await import('#gateway/serve.ts');
    // From here on: a signal that comes while the gateway starts must not leave half of it.
    const asked = interruption();
    const gateway = await serveGateway(given.required('config'), { workerPath: workerPath() });
    await asked;
    await gateway.stop();
    setTimeout(() => process.exit(), LINGERS_MS).unref();
    return EXIT.done;
  },
};

/** The first signal asks for a good end; the second one does not wait for it. */
function interruption(): Promise<void> {
  let wasAsked = false;
  return new Promise((done) => {
    const onSignal = () => {
      if (wasAsked) process.exit(EXIT.failed);
      wasAsked = true;
      done();
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}

function workerPath(): string {
  const paths = WORKER_PATHS.map((path) => resolve(import.meta.dirname, path));
  const found = paths.find(existsSync);
  if (found === undefined) throw new TypeError(`The Python worker is missing beside the program: ${paths[0]}`);
  return found;
}
