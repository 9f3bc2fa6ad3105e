import type { RequestOptions } from 'node:http';
import type { IRequestHandler } from 'azure-devops-node-api/interfaces/common/VsoBaseInterfaces.js';
import type { SystemConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Connector } from '#http/connector.ts';

/**
 * Gives each request of azure-devops-node-api the job's token and our way through the network. The package's own proxy
 * and certificate options would trust the CA file alone, without the usual authorities.
 *
 * The token is sent to the collection's own host over https and nowhere else.
 *
 * @throws {PlumblineError} `ERR_IDENTITY_HOST_NOT_ALLOWED` when the collection is not on https.
 */
export function collectionHandler({ url, accessToken }: SystemConnection, connect: Connector): IRequestHandler {
  const { origin, protocol } = new URL(url);
  if (protocol !== 'https:') throw foreignHost(origin, 'it is not on https');
  return {
    prepareRequest: (options) => {
      const target = targetOf(options);
      if (target.origin !== origin) throw foreignHost(target.origin, `it is not the collection's host`);
      Object.assign(options, connect(target, true), { protocol });
      options.headers = {
        ...(options.headers as Record<string, string>),
        authorization: `Bearer ${accessToken.reveal()}`,
        'x-tfs-fedauthredirect': 'Suppress',
      };
    },
    canHandleAuthentication: () => false,
    handleAuthentication: () => Promise.reject(new TypeError('No authentication challenge is answered')),
  };
}

function targetOf({ host, port, path }: RequestOptions): URL {
  return new URL(`https://${host}:${port}${path}`);
}

function foreignHost(origin: string, why: string): PlumblineError {
  return new PlumblineError('ERR_IDENTITY_HOST_NOT_ALLOWED', `Will not send the job's token to '${origin}': ${why}`, {
    remedy: 'Use Azure DevOps over https.',
    details: { origin },
  });
}
