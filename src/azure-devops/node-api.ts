import type { IBuildApi } from 'azure-devops-node-api/BuildApi.js';
import { BuildApi } from 'azure-devops-node-api/BuildApi.js';
import type { IRequestHandler, IRequestOptions } from 'azure-devops-node-api/interfaces/common/VsoBaseInterfaces.js';
import type { ITaskApi } from 'azure-devops-node-api/TaskApi.js';
import { TaskApi } from 'azure-devops-node-api/TaskApi.js';

// Loaded by a dynamic import when first needed, and bundled as a file of its own. It therefore
// imports packages and types only. By client file: the package's root loads all of its clients.

export interface NodeApis {
  readonly build: IBuildApi;
  readonly task: ITaskApi;
}

/** The clients for a collection. `handler` gives each request its token and its way through the network. */
export function nodeApis(collectionUrl: string, handler: IRequestHandler, options: IRequestOptions): NodeApis {
  return {
    build: new BuildApi(collectionUrl, [handler], options, USER_AGENT),
    task: new TaskApi(collectionUrl, [handler], options, USER_AGENT),
  };
}

const USER_AGENT = 'plumbline';
