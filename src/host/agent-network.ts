import * as tl from 'azure-pipelines-task-lib/task.js';
import type { NetworkSettings } from '#core/network.ts';
import { Secret } from '#core/secret.ts';

/** The proxy and certificates that the agent was configured with (`config.sh --proxyurl --sslcacert --sslclientcert`). */
export function agentNetwork(): NetworkSettings {
  const proxy = tl.getHttpProxyConfiguration();
  const certificates = tl.getHttpCertConfiguration();
  return {
    skipVerification: tl.getVariable('Agent.SkipCertValidation')?.toLowerCase() === 'true',
    ...(proxy && { proxy: proxySettings(proxy) }),
    ...(certificates?.caFile && { caFile: certificates.caFile }),
    ...(certificates?.certFile && certificates.keyFile && { clientCertificate: clientCertificate(certificates) }),
  };
}

function proxySettings(proxy: tl.ProxyConfiguration): NonNullable<NetworkSettings['proxy']> {
  return {
    url: withoutUserInfo(proxy.proxyUrl),
    bypass: proxy.proxyBypassHosts ?? [],
    ...(proxy.proxyUsername && { username: proxy.proxyUsername }),
    ...(proxy.proxyPassword && { password: new Secret(proxy.proxyPassword) }),
  };
}

function clientCertificate(settings: tl.CertConfiguration): NonNullable<NetworkSettings['clientCertificate']> {
  return {
    certFile: settings.certFile ?? '',
    keyFile: settings.keyFile ?? '',
    ...(settings.passphrase && { passphrase: new Secret(settings.passphrase) }),
  };
}

function withoutUserInfo(address: string): string {
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
}
