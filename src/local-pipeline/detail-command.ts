import type { CommandContext } from './command-context.ts';
import type { LoggingCommand } from './logging-command.ts';
import type { DetailRecord } from './step-record.ts';

const GUID = /^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i;
const NO_RECORD = '00000000-0000-0000-0000-000000000000';

/** `task.logdetail`: a nested timeline record is created with name and type, then changed by its id; its parent stays. */
export function logDetail({ record, log }: CommandContext, command: LoggingCommand): void {
  const id = guid(command.properties.get('id'));
  if (id === undefined || id === NO_RECORD) throw new Error('The id of the timeline record is missing or no GUID.');
  const parentId = guid(command.properties.get('parentid'));
  const known = record.details.get(id);
  log.detail(known ? change(known, parentId, command) : create(id, parentId, command, record.details));
}

function guid(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!GUID.test(text)) throw new Error(`'${text}' is no GUID.`);
  return text.toLowerCase().replace(/[{}]/g, '');
}

function create(
  id: string,
  parentId: string | undefined,
  command: LoggingCommand,
  known: ReadonlyMap<string, DetailRecord>,
): DetailRecord {
  const { name, type, ...facts } = factsOf(command);
  if (!name) throw new Error('Name is required for this new timeline record.');
  if (!type) throw new Error('Type is required for this new timeline record.');
  if (parentId !== undefined && parentId !== NO_RECORD && !known.has(parentId)) {
    throw new Error('Parent timeline record has not been created for this new timeline record.');
  }
  return { state: 'InProgress', startTime: new Date().toISOString(), ...facts, id, parentId, name, type };
}

function change(known: DetailRecord, parentId: string | undefined, command: LoggingCommand): DetailRecord {
  if (parentId !== undefined && parentId !== known.parentId)
    throw new Error('Cannot change parent timeline record of an existing timeline record.');
  const facts = factsOf(command);
  const closing = facts.state === 'Completed' ? { progress: 100, finishTime: new Date().toISOString() } : {};
  return { ...known, ...closing, ...facts };
}

/** Only what the command says: an absent property must not overwrite. */
function factsOf({ properties, data }: LoggingCommand): Partial<DetailRecord> {
  const facts = {
    name: properties.get('name'),
    type: properties.get('type'),
    order: whole(properties.get('order')),
    progress: whole(properties.get('progress')),
    state: properties.get('state'),
    result: properties.get('result'),
    startTime: properties.get('starttime'),
    finishTime: properties.get('finishtime'),
    currentOperation: data || undefined,
  };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

function whole(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text.trim()) ? Number(text) : undefined;
}
