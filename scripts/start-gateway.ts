// npm start -- gateway [--check]: a gateway with its luigid and its Azure on this machine, and a curl line that works.
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { relative, resolve } from 'node:path';
import { buildGateway } from './build-gateway.ts';
import { checkGateway } from './check-gateway.ts';
import { type ProofHeaders, pipelineProof } from './gateway-callers.ts';
import { workerPython } from './gateway-isolation.ts';
import { preparedVersions, pythonOf } from './python-environments.mjs';
import { ROOT } from './repository.ts';
import { type LocalGateway, luigidSocketOf, startLocalGateway } from './start-local-gateway.ts';

/** The pipeline's own token is good for one request: whoever changes a command and sends it again finds a new one. */
const RENEWED_EVERY_MS = 10_000;
/** Stands for the id of a run in a printed command. */
const RUN = 'RUN-ID';
const BODY =
  '{"role":"sales-report","module":"retail.orders_pipeline","task":"SalesReport","parameters":{"date":"2026-11-20"}}';

/** Brings it up. With `--check` it calls it, prints what it saw and ends by that; else it stays until Ctrl-C. */
export async function startGateway(args: readonly string[]): Promise<void> {
  if (args.some((one) => one !== '--check')) {
    console.error('usage: npm start -- gateway [--check]');
    process.exitCode = 64;
    return;
  }
  const folder = resolve(ROOT, 'out/gateway');
  // Its folder is made anew: whoever is at work in it would lose everything.
  if (await answers(luigidSocketOf(folder))) {
    console.error(
      'A gateway of this checkout runs already, with its files in out/gateway. End that one with Ctrl-C first.',
    );
    process.exitCode = 1;
    return;
  }
  const stopped = interruption();
  const { program } = await buildGateway();
  const pythons = preparedVersions(ROOT, 'luigi').map((version) => pythonOf(ROOT, 'luigi', version));
  const python = workerPython(pythons, { program, folder });
  const gateway = await startLocalGateway({ folder, python, program, luigid: 'socket' });
  try {
    const proof = pipelineProof(gateway.azure);
    const curl = await printedCommands(gateway, proof);
    tell(gateway, curl);
    if (args.includes('--check')) {
      const follow = (run: string) => curl.follow.map((word) => word.replace(RUN, run));
      const ok = await checkGateway({ gateway, proof, program, python, curl: { ...curl, follow } });
      process.exitCode = ok ? 0 : 1;
    } else if ((await Promise.race([stopped, ended(gateway)])) === 'ended') {
      console.error(`The gateway has ended. Its last words are in ${relative(ROOT, gateway.files.log)}.`);
      process.exitCode = 1;
    }
  } finally {
    await gateway.close();
  }
}

function interruption(): Promise<'stopped'> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => done('stopped'));
  });
}

/** By itself, or by somebody else. */
async function ended(gateway: LocalGateway): Promise<'ended'> {
  const child = gateway.process();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return 'ended';
}

/** Whether somebody listens on a Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path, () => done(true)).on('error', () => done(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Commands that a person can copy, as their words. */
interface PrintedCommands {
  readonly start: readonly string[];
  readonly follow: readonly string[];
  readonly list: readonly string[];
}

/** The pipeline's own token is good for one request, which may be repeated as it is: each command has its tokens in a file of its own. */
async function printedCommands({ files, url }: LocalGateway, proof: Proof): Promise<PrintedCommands> {
  const [start, follow, list] = ['start-a-run', 'follow-a-run', 'list-runs'].map((name) =>
    resolve(files.folder, `${name}.headers`),
  );
  const write = async () => {
    for (const path of [start, follow, list]) writeHeaders(path ?? '', await proof());
  };
  await write();
  setInterval(() => void write().catch(() => undefined), RENEWED_EVERY_MS).unref();
  const headersOf = (path = '') => ['--header', `@${relative(ROOT, path)}`];
  const run = [
    '--header',
    'Idempotency-Key: my-first-run',
    '--header',
    'Content-Type: application/json',
    '--data',
    BODY,
  ];
  const curl = ['curl', '--silent', '--show-error', '--fail-with-body'];
  return {
    start: [...curl, ...headersOf(start), ...run, `${url}/v1/runs`],
    follow: [...curl, '--no-buffer', ...headersOf(follow), `${url}/v1/runs/${RUN}/events`],
    list: [...curl, ...headersOf(list), `${url}/v1/runs?limit=5`],
  };
}

/** A file that only this user may read, so that no token is in an argument of a process. */
function writeHeaders(path: string, headers: ProofHeaders): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(`${path}.new`, lines.join(''), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

type Proof = () => Promise<ProofHeaders>;

function tell(gateway: LocalGateway, { start, follow, list }: PrintedCommands): void {
  const { url, metricsUrl, luigid, files, isolation } = gateway;
  const at = (path: string) => relative(ROOT, path);
  console.log(`
The gateway is ready at ${url}
  metrics    ${metricsUrl}/metrics
  luigid     ${at(luigid.socket ?? '')}, which only this user reaches; workers through ${url}/luigid
  issuer     ${url}/.well-known/openid-configuration: each task has a token of its own
  policy     ${at(files.policy)}, configuration ${at(files.config)}, both made from examples/gateway
  log        ${at(files.log)}, audit ${at(files.state)}/audit
  isolation  ${isolation.words}

Start a run. The tokens are in the file behind the @, which only you may read; they are good for one request, which may be repeated as it is.
Before another one, with a key of its own, wait ${RENEWED_EVERY_MS / 1_000} seconds: then the file has new ones.

  ${quoted(start)}

Follow it, with the id of the answer:

  ${quoted(follow)}

See what is there, and what is on record:

  ${quoted(list)}
  npm run -s plumbline -- audit report ${at(files.state)}/audit

Ctrl-C ends everything.
`);
}

function quoted(words: readonly string[]): string {
  return words.map((word) => (/^[\w@./:-]+$/.test(word) ? word : `'${word}'`)).join(' ');
}
