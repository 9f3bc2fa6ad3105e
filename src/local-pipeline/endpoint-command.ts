import type { CommandContext } from './command-context.ts';
import type { LoggingCommand } from './logging-command.ts';

/** `task.setendpoint`: changes a connection for the rest of the job; the job's own connection cannot be changed. */
export function setEndpoint({ endpoints, masker, log }: CommandContext, { properties, data }: LoggingCommand): void {
  if (data === '') throw new Error('setendpoint needs a value.');
  const field = required(properties, 'field').toLowerCase();
  if (field === 'authparameter') masker.add(data);
  const id = required(properties, 'id');
  if (/^[0-]+$/.test(id)) {
    log.warning('Modification of system endpoint is not allowed via setendpoint command.');
    return;
  }
  const endpoint = endpoints.find((candidate) => candidate.id.toLowerCase() === id.toLowerCase());
  if (!endpoint) throw new Error(`The service connection '${id}' is not declared in this job.`);
  if (field === 'url') endpoint.url = new URL(data).href;
  else if (field === 'dataparameter') endpoint.data[required(properties, 'key')] = data;
  else if (field === 'authparameter') endpoint.parameters[required(properties, 'key')] = data;
  else throw new Error("The field of setendpoint is 'url', 'dataParameter' or 'authParameter'.");
}

function required(properties: ReadonlyMap<string, string>, name: string): string {
  const value = properties.get(name);
  if (!value) throw new Error(`Required field '${name}' is missing in ##vso[task.setendpoint] command.`);
  return value;
}
