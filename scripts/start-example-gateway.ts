import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Document, parse, parseDocument } from 'yaml';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { type LocalAzure, type LocalAzureOptions, startLocalAzure } from '#local-azure/local-azure.ts';
import { endGateway, machineIdentity, serveGateway } from './gateway-process.ts';
import { ROOT } from './repository.ts';
import { freePort } from './start-luigid.ts';

const EXAMPLE = resolve(ROOT, 'examples/airflow');
/** Names of examples/airflow: the Airflow in gateway.yaml, and what its tokens are for. */
const AIRFLOW = 'retail';
const AUDIENCE = 'airflow-retail';

export interface ExampleGatewayOptions {
  /** Everything is written below it; what an earlier start left there is removed. */
  readonly folder: string;
  /** What Node runs: the built program or its source. */
  readonly program: string;
  /** Where the Airflow is or will be; nobody asks it anything before a caller comes. */
  readonly airflowUrl: string;
  /** The example's declaration as it shall be. */
  readonly azure?: ((declaration: AzureDeclaration) => AzureDeclaration) | undefined;
  /** Changes the example's policy. */
  readonly policy?: ((document: Document) => void) | undefined;
  /** Runs the pipelines that are queued. */
  readonly runQueued?: LocalAzureOptions['runQueued'];
}

/** The Azure and the gateway of examples/airflow, on loopback. */
export interface ExampleGateway {
  readonly url: string;
  readonly azure: LocalAzure;
  readonly files: ExampleGatewayFiles;
  /** Settings that make an Airflow 3 trust tokens of this gateway, and sign its own. */
  readonly trust: Readonly<Record<string, string>>;
  /** What it has written to its log up to now. */
  log(): string;
  /** Ends the gateway; with its end it vouches for its whole audit log. */
  stop(): Promise<number | string>;
  close(): Promise<void>;
}

export interface ExampleGatewayFiles {
  readonly folder: string;
  readonly config: string;
  readonly log: string;
  readonly state: string;
  /** Copies of the audit's checkpoints. */
  readonly checkpoints: string;
}

/** @throws {Error} with the gateway's own words when it does not become ready; then nothing is left running. */
export async function startExampleGateway(options: ExampleGatewayOptions): Promise<ExampleGateway> {
  const { program, airflowUrl, policy, runQueued } = options;
  const files = prepareFolder(options.folder);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const azure = await startLocalAzure(declaration(options, url), {
    directory: EXAMPLE,
    ...(runQueued && { runQueued }),
  });
  try {
    const keys = makeAirflowKeys(files.folder);
    writeChanged('policy.yaml', join(files.folder, 'policy.yaml'), (document) => policy?.(document));
    writeChanged('gateway.yaml', files.config, (document) => {
      const fields = {
        ...placesIn(files),
        'listen.port': port,
        'metrics.port': metricsPort,
        publicUrl: url,
        isolation: 'none',
        [`airflow.${AIRFLOW}.url`]: airflowUrl,
        [`airflow.${AIRFLOW}.publicKeys`]: keys.publicKeys,
        'network.proxy.url': azure.proxyUrl,
        'network.caFile': azure.caFile,
      };
      for (const [name, value] of Object.entries(fields)) document.setIn(name.split('.'), value);
    });
    const gateway = await serveGateway({ url, files, program, environment: machineIdentity(azure) });
    const close = () => endAll(gateway, azure);
    const log = () => readFileSync(files.log, 'utf8');
    return {
      url,
      azure,
      files,
      log,
      close,
      stop: () => endGateway(gateway, 'SIGTERM'),
      trust: trustIn(url, airflowUrl, keys),
    };
  } catch (error) {
    await azure.close();
    throw error;
  }
}

async function endAll(gateway: ChildProcess, azure: LocalAzure): Promise<void> {
  await endGateway(gateway, 'SIGTERM');
  await azure.close();
}

function prepareFolder(folder: string): ExampleGatewayFiles {
  rmSync(folder, { recursive: true, force: true });
  const at = (name: string) => join(folder, name);
  for (const name of ['.', 'state', 'checkpoints', 'runs']) mkdirSync(at(name), { recursive: true, mode: 0o700 });
  return {
    folder,
    config: at('gateway.yaml'),
    log: at('gateway.log'),
    state: at('state'),
    checkpoints: at('checkpoints'),
  };
}

function placesIn({ folder, state, checkpoints }: ExampleGatewayFiles): Record<string, string> {
  return {
    stateDirectory: state,
    runsDirectory: join(folder, 'runs'),
    policyFile: join(folder, 'policy.yaml'),
    'audit.exportDirectory': checkpoints,
  };
}

/** The example's Azure, with this gateway and this Airflow behind its connections. */
function declaration({ azure, airflowUrl }: ExampleGatewayOptions, url: string): AzureDeclaration {
  const given = parse(example('azure.yml')) as AzureDeclaration;
  const connections = (given.connections ?? []).map((one) =>
    one.type === 'plumbline-airflow' ? { ...one, url: airflowUrl, data: { ...one.data, gatewayUrl: url } } : one,
  );
  const here = { ...given, connections };
  return azure?.(here) ?? here;
}

interface AirflowKeys {
  readonly kid: string;
  /** PEM, which only this user may read. */
  readonly privateKey: string;
  /** JWKS. */
  readonly publicKeys: string;
}

/** The key with which Airflow signs its own tokens, for itself and, its public half, for the gateway. */
function makeAirflowKeys(folder: string): AirflowKeys {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const keys = {
    kid: 'airflow-1',
    privateKey: join(folder, 'airflow.pem'),
    publicKeys: join(folder, 'airflow-keys.json'),
  };
  writeFileSync(keys.privateKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: keys.kid, alg: 'RS256', use: 'sig' };
  writeFileSync(keys.publicKeys, JSON.stringify({ keys: [jwk] }));
  return keys;
}

/** Airflow's half of docs/gateway/airflow.md. */
function trustIn(gatewayUrl: string, airflowUrl: string, { kid, privateKey }: AirflowKeys): Record<string, string> {
  return {
    AIRFLOW__API_AUTH__TRUSTED_JWKS_URL: `${gatewayUrl}/airflow/${AIRFLOW}/jwks.json`,
    AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH: privateKey,
    AIRFLOW__API_AUTH__JWT_KID: kid,
    AIRFLOW__API_AUTH__JWT_AUDIENCE: AUDIENCE,
    AIRFLOW__API_AUTH__JWT_ISSUER: `${airflowUrl},${gatewayUrl}/airflow/${AIRFLOW}`,
  };
}

/** A file of the example, changed. */
function writeChanged(name: string, path: string, change: (document: Document) => void): void {
  const document = parseDocument(example(name));
  change(document);
  writeFileSync(path, String(document), { mode: 0o600 });
}

function example(name: string): string {
  return readFileSync(join(EXAMPLE, name), 'utf8');
}
