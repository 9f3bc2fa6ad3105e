// npm start -- gateway [--check]: a gateway with its luigid and its Azure on this machine, and a curl line that works.
import { writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { buildGateway } from './build-gateway.ts';
import { checkGateway } from './check-gateway.ts';
import { type ProofHeaders, pipelineProof } from './gateway-callers.ts';
import { pythonOf } from './python-environments.mjs';
import { ROOT } from './repository.ts';
import { type LocalGateway, startLocalGateway } from './start-local-gateway.ts';

/** The pipeline's own token lives for ten minutes; the file always holds one that is good for a while. */
const RENEWED_EVERY_MS = 4 * 60_000;
const BODY =
  '{"role":"sales-report","module":"retail.orders_pipeline","task":"SalesReport","parameters":{"date":"2026-11-20"}}';

/** Brings it up. With `--check` it calls it, prints what it saw and ends by that; else it stays until Ctrl-C. */
export async function startGateway(args: readonly string[]): Promise<void> {
  if (args.some((one) => one !== '--check')) {
    console.error('usage: npm start -- gateway [--check]');
    process.exitCode = 64;
    return;
  }
  const stopped = interruption();
  const { program } = await buildGateway();
  const gateway = await startLocalGateway({
    folder: resolve(ROOT, 'out/gateway'),
    python: pythonOf(ROOT, 'luigi'),
    program,
  });
  try {
    const proof = pipelineProof(gateway.azure);
    const headerFile = await keepHeaderFile(gateway, proof);
    tell(gateway, headerFile);
    if (args.includes('--check')) {
      const ok = await checkGateway({ gateway, proof, program, curl: curlWords(gateway, headerFile) });
      process.exitCode = ok ? 0 : 1;
    } else await stopped;
  } finally {
    await gateway.close();
  }
}

function interruption(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => done());
  });
}

/** A file that only this user may read, so that the token is in no argument of any process. */
async function keepHeaderFile({ files }: LocalGateway, proof: () => Promise<ProofHeaders>): Promise<string> {
  const path = resolve(files.folder, 'pipeline.headers');
  const write = async () => {
    const lines = Object.entries(await proof()).map(([name, value]) => `${name}: ${value}\n`);
    writeFileSync(path, lines.join(''), { mode: 0o600 });
  };
  await write();
  setInterval(() => void write().catch(() => undefined), RENEWED_EVERY_MS).unref();
  return path;
}

/** The command that a person can copy, as its words. */
function curlWords({ url }: LocalGateway, headerFile: string): string[] {
  return [
    ...['curl', '--silent', '--show-error', '--fail-with-body'],
    ...['--header', `@${relative(ROOT, headerFile)}`],
    ...['--header', 'Idempotency-Key: my-first-run', '--header', 'Content-Type: application/json'],
    ...['--data', BODY, `${url}/v1/runs`],
  ];
}

function tell(gateway: LocalGateway, headerFile: string): void {
  const { url, metricsUrl, luigid, files, isolation } = gateway;
  const quoted = curlWords(gateway, headerFile).map((word) => (/^[\w@./:-]+$/.test(word) ? word : `'${word}'`));
  const at = (path: string) => relative(ROOT, path);
  console.log(`
The gateway is ready at ${url}
  metrics    ${metricsUrl}/metrics
  luigid     ${luigid.url}
  policy     ${at(files.policy)}, configuration ${at(files.config)}, both made from examples/gateway
  log        ${at(files.log)}, audit ${at(files.state)}/audit
  isolation  ${isolation.words}

Start a run (its tokens are in ${at(headerFile)}, which only you may read):

  ${quoted.join(' ')}

See what is there, and what is on record:

  curl --silent --header @${at(headerFile)} '${url}/v1/runs?limit=5'
  npm run -s plumbline -- audit report ${at(files.state)}/audit

Ctrl-C ends everything.`);
}
