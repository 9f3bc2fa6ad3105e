import { isIP } from 'node:net';
import { dirname, resolve, sep } from 'node:path';
import { createSecureContext } from 'node:tls';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';
import { Secret } from '#core/secret.ts';
import { airflowConfigs } from './airflow-config.ts';
import { azureDevOpsConfig } from './azure-devops-config.ts';
import type { ConfigFiles } from './config-files.ts';
import type { GatewayConfig, Transport } from './gateway-config.ts';
import { GATEWAY_CONFIG_SCHEMA } from './gateway-config-schema.ts';
import { issuerConfig } from './issuer-config.ts';
import { luigidSettings } from './luigid-settings.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import { DAY, HOUR, milliseconds, SECOND } from './read-duration.ts';
import { schemaProblems } from './schema-problems.ts';
import { signInConfig } from './sign-in-config.ts';
import { type Complain, isLoopback, urlProblem } from './url-problem.ts';
import { type FieldPath, type FileProblem, formatProblems, YamlSource } from './yaml-source.ts';

interface Reading {
  readonly file: string;
  readonly files: ConfigFiles;
  readonly complain: Complain;
}

const ajv = new Ajv2020({ allErrors: true, useDefaults: true, strict: true });
const validate = ajv.compile<RawGatewayConfig>(GATEWAY_CONFIG_SCHEMA);

/**
 * `gateway.yaml` as settings. Of the files that it names only those are read without which nothing can listen:
 * certificates, their keys, passwords.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID` with all problems at once, a line each: file, line, column, field.
 */
export function readGatewayConfig(file: string, text: string, files: ConfigFiles): GatewayConfig {
  const source = new YamlSource(file, text);
  if (source.problems.length > 0) throw invalid(file, source.problems);
  const raw = structuredClone(source.value);
  if (!validate(raw)) throw invalid(file, schemaProblems(source, validate.errors ?? []));
  const problems: FileProblem[] = [];
  const complain: Complain = (path, message) => problems.push(source.problemAt(path, message));
  const config = settings(raw, { file, files, complain });
  if (problems.length > 0) throw invalid(file, problems);
  return config;
}

function invalid(file: string, problems: readonly FileProblem[]): PlumblineError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  return new PlumblineError('ERR_CONFIG_INVALID', `Cannot use ${file}: it has problems\n${formatProblems(sorted)}`, {
    remedy: 'Correct each line; docs/gateway/configuration.md describes every field.',
    details: { problems: sorted },
  });
}

function settings(raw: RawGatewayConfig, reading: Reading): GatewayConfig {
  const { file, complain } = reading;
  const path = (relative: string) => resolve(dirname(file), relative);
  const optionalPath = (relative: string | undefined) => (relative === undefined ? undefined : path(relative));
  const issuer = issuerConfig(raw, complain);
  const config: GatewayConfig = {
    file,
    listen: raw.listen,
    transport: transport(raw, reading),
    publicUrl: publicUrl(raw.publicUrl, complain),
    metrics: raw.metrics,
    stateDirectory: path(raw.stateDirectory),
    runsDirectory: path(raw.runsDirectory),
    policyFile: path(raw.policyFile),
    luigid: luigidSettings(raw.luigid, path, complain),
    issuer,
    airflow: airflowConfigs(raw, issuer, path, complain),
    azureDevOps: azureDevOpsConfig(raw.azureDevOps, complain),
    signIn: signInConfig(raw.signIn, path, complain),
    isolation: raw.isolation,
    limits: raw.limits,
    ...times(raw, complain),
    audit: {
      checkpointEveryMs: milliseconds(raw.audit.checkpointEvery, ['audit', 'checkpointEvery'], [1_000, DAY], complain),
      checkpointEveryRecords: raw.audit.checkpointRecords,
      exportDirectory: optionalPath(raw.audit.exportDirectory),
    },
    identity: identity(raw, complain),
    logging: raw.logging,
    network: network(raw.network, reading),
  };
  checkAddresses(config, complain);
  checkFolders(config, complain);
  return config;
}

function times(raw: RawGatewayConfig, complain: Complain): Pick<GatewayConfig, 'timeouts' | 'retention'> {
  const within = (section: 'timeouts' | 'retention', field: string, range: readonly [number, number]) =>
    milliseconds((raw[section] as Readonly<Record<string, string>>)[field] ?? '', [section, field], range, complain);
  return {
    timeouts: {
      requestMs: within('timeouts', 'request', [SECOND, HOUR]),
      headersMs: within('timeouts', 'headers', [SECOND, HOUR]),
      keepAliveMs: within('timeouts', 'keepAlive', [SECOND, HOUR]),
      uploadMs: within('timeouts', 'upload', [SECOND, DAY]),
      slowWatcherMs: within('timeouts', 'slowWatcher', [SECOND, HOUR]),
      heartbeatMs: within('timeouts', 'heartbeat', [100, HOUR]),
      shutdownMs: within('timeouts', 'shutdown', [SECOND, HOUR]),
    },
    retention: {
      runsMs: within('retention', 'runs', [60 * SECOND, 3_650 * DAY]),
      bundlesMs: within('retention', 'bundles', [60 * SECOND, 3_650 * DAY]),
    },
  };
}

function transport(raw: RawGatewayConfig, reading: Reading): Transport {
  const { tls, behindProxy } = raw;
  if (tls && behindProxy) reading.complain(['behindProxy'], "cannot be used together with 'tls'");
  if (tls) return ownTls(tls, reading);
  if (!behindProxy) return { kind: 'plain' };
  for (const [i, network] of behindProxy.trustedProxies.entries()) {
    if (!isNetwork(network))
      reading.complain(['behindProxy', 'trustedProxies', i], 'is neither an address nor a network');
  }
  return { kind: 'behindProxy', trustedProxies: behindProxy.trustedProxies };
}

function ownTls({ certFile, keyFile }: NonNullable<RawGatewayConfig['tls']>, reading: Reading): Transport {
  const cert = readFile(['tls', 'certFile'], certFile, reading, 'text');
  const key = readFile(['tls', 'keyFile'], keyFile, reading, 'secret');
  try {
    if (cert.text !== undefined && key.text !== undefined) createSecureContext({ cert: cert.text, key: key.text });
  } catch {
    reading.complain(['tls', 'keyFile'], 'is not the PEM key of the certificate in certFile, or one of them is no PEM');
  }
  return { kind: 'tls', certFile: cert.path, keyFile: key.path };
}

/** The file's text, or a problem at its field. */
function readFile(
  field: FieldPath,
  relative: string,
  { file, files, complain }: Reading,
  kind: keyof ConfigFiles,
): { path: string; text?: string } {
  const path = resolve(dirname(file), relative);
  try {
    return { path, text: files[kind](path) };
  } catch (error) {
    complain(field, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return { path };
  }
}

/** `10.0.0.5`, `10.0.0.0/24`, `fd00::/8`. A network of everything is none: it would trust every caller. */
function isNetwork(text: string): boolean {
  const [address = '', bits, more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more !== undefined) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

function publicUrl(text: string | undefined, complain: Complain): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const why = urlProblem(url);
  if (why !== undefined) complain(['publicUrl'], why);
  else if (url?.search || url?.hash) complain(['publicUrl'], 'must have no query and no fragment');
  else if (url?.protocol !== 'https:' && !isLoopback(url?.hostname ?? ''))
    complain(['publicUrl'], 'must begin with https://');
  return url?.href.replace(/\/+$/, '');
}

function identity({ identity: { kind, clientId } }: RawGatewayConfig, complain: Complain): GatewayConfig['identity'] {
  if (kind === 'default' && clientId !== undefined)
    complain(['identity', 'clientId'], "needs 'kind' to be managed or workload");
  return { kind, clientId };
}

function network({ proxy, caFile }: RawGatewayConfig['network'], reading: Reading): NetworkSettings {
  const ca = caFile === undefined ? undefined : readFile(['network', 'caFile'], caFile, reading, 'text');
  if (ca?.text !== undefined && !ca.text.includes('-----BEGIN CERTIFICATE-----'))
    reading.complain(['network', 'caFile'], 'holds no PEM certificate');
  return {
    skipVerification: false,
    ...(proxy && { proxy: proxySettings(proxy, reading) }),
    ...(ca && { caFile: ca.path }),
  };
}

function proxySettings(
  { url, username, passwordFile, bypass }: NonNullable<RawGatewayConfig['network']['proxy']>,
  reading: Reading,
): NonNullable<NetworkSettings['proxy']> {
  const why = urlProblem(URL.parse(url));
  if (why !== undefined) reading.complain(['network', 'proxy', 'url'], why);
  const field = ['network', 'proxy', 'passwordFile'];
  if (passwordFile !== undefined && username === undefined) reading.complain(field, "needs 'username' beside it");
  const password = passwordFile === undefined ? undefined : readFile(field, passwordFile, reading, 'secret').text;
  return {
    url,
    bypass: bypass.map(asExpression),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: new Secret(password.trimEnd()) }),
  };
}

/** `.example.com` or `example.com` as an expression that fits the host name of an address and nothing else. */
function asExpression(host: string): string {
  const name = host.replace(/^\*?\./, '').replace(/[^\w-]/g, '\\$&');
  return host.startsWith('.') || host.startsWith('*.') ? `^(?:[^/@:?#]+\\.)?${name}$` : `^${name}$`;
}

function checkAddresses(config: GatewayConfig, complain: Complain): void {
  const { listen, transport, timeouts, signIn, publicUrl, luigid } = config;
  if (transport.kind === 'plain' && !isLoopback(listen.host))
    complain(
      ['listen', 'host'],
      "must be a loopback address, or 'tls' or 'behindProxy' be set: tokens would travel in the clear",
    );
  if (signIn !== undefined && publicUrl === undefined && transport.kind !== 'plain')
    complain(['signIn'], "needs 'publicUrl': the provider sends people back to it");
  if (signIn !== undefined && luigid?.proxied !== true)
    complain(['signIn'], "is for luigid's pages: 'luigid' needs 'socket' or 'url' in it");
  if (timeouts.headersMs > timeouts.requestMs) complain(['timeouts', 'headers'], "must not be longer than 'request'");
}

function checkFolders({ stateDirectory, runsDirectory, policyFile, audit }: GatewayConfig, complain: Complain): void {
  if (within(runsDirectory, stateDirectory) || within(stateDirectory, runsDirectory))
    complain(['runsDirectory'], "must lie outside of 'stateDirectory': workers are let into it");
  if (within(policyFile, runsDirectory)) complain(['policyFile'], "must lie outside of 'runsDirectory'");
  if (audit.exportDirectory !== undefined && within(audit.exportDirectory, stateDirectory))
    complain(
      ['audit', 'exportDirectory'],
      "must lie outside of 'stateDirectory': a copy beside the log proves nothing",
    );
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
