import { buildTimeline } from './build-timeline.ts';
import { type ApiCall, type ApiResource, jsonBody, list, type RunCall } from './devops-api.ts';
import { DevOpsError, invalidArgument } from './devops-error.ts';
import type { PipelineRun } from './pipeline-run.ts';
import type { Identity, Project } from './world.ts';

/** Of one run, whoever asks. */
type RunResource = Readonly<Record<'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH', (call: RunCall) => unknown>>;

const NAMESPACE = 'Microsoft.TeamFoundation.Build.WebApi';
const JSON_TYPE = 'application/json';
const JSON_PATCH = 'application/json-patch+json';

export const buildsResource: ApiResource = {
  GET: (call) => {
    checkProject(call);
    return call.values['buildId'] === undefined ? list([describedBuild(call)]) : readBuild(call);
  },
};

export function readBuild(call: RunCall): object {
  checkBuild(call);
  return describedBuild(call);
}

export const tagsResource: RunResource = {
  GET: (call) => tagsAfter(call, [], []),
  POST: (call) => tagsAfter(call, texts(jsonBody(call, JSON_TYPE)), []),
  PUT: (call) => tagsAfter(call, [call.values['tag'] ?? ''], []),
  DELETE: (call) => tagsAfter(call, [], [call.values['tag'] ?? '']),
  PATCH: (call) => {
    const { tagsToAdd, tagsToRemove } = Object(jsonBody(call, JSON_TYPE)) as {
      tagsToAdd?: unknown;
      tagsToRemove?: unknown;
    };
    return tagsAfter(call, texts(tagsToAdd ?? []), texts(tagsToRemove ?? []));
  },
};

export const propertiesResource: ApiResource = {
  GET: (call) => {
    checkBuild(call);
    return describedProperties(call);
  },
  PATCH: (call) => {
    checkBuild(call);
    const operations = jsonBody(call, JSON_PATCH);
    if (!Array.isArray(operations)) throw invalidArgument('The JSON patch document must be an array.');
    const changes = operations.map(propertyChange);
    for (const change of changes) change(call.run.properties);
    return describedProperties(call);
  },
};

export const timelineResource: ApiResource = {
  GET: (call) => {
    checkBuild(call);
    const wanted = call.values['timelineId']?.toLowerCase();
    if (wanted === undefined || wanted === call.run.facts.timelineId.toLowerCase()) return buildTimeline(call);
    throw new DevOpsError(404, 'TimelineNotFoundException', `No timeline found for identifier ${wanted}.`, NAMESPACE);
  },
};

export const attachmentsResource: ApiResource = {
  GET: (call) => {
    checkBuild(call);
    const found = call.run.attachments().filter(({ type }) => type === call.values['type']);
    return list(
      found.map(({ type, name, recordId }) => ({
        name,
        _links: { self: { href: attachmentUrl(call, recordId, type, name) } },
      })),
    );
  },
};

export const attachmentResource: ApiResource = {
  GET: (call) => {
    checkBuild(call);
    const { recordId = '', type = '', name = '', timelineId = '' } = call.values;
    const found =
      timelineId.toLowerCase() === call.run.facts.timelineId.toLowerCase()
        ? call.run.attachment(recordId.toLowerCase(), type, name)
        : undefined;
    if (found === undefined)
      throw new DevOpsError(
        404,
        'BuildAttachmentNotFoundException',
        `The attachment ${type}/${name} could not be found.`,
        NAMESPACE,
      );
    return found.content;
  },
};

export function checkProject({ values, run }: Pick<ApiCall, 'values' | 'run'>): void {
  const project = values['project']?.toLowerCase();
  if (project === run.project.id || project === run.project.name.toLowerCase()) return;
  throw new DevOpsError(
    404,
    'ProjectDoesNotExistWithNameException',
    `TF200016: The following project does not exist: ${values['project']}. Verify that the name of the project is correct and that the project exists on the specified Azure DevOps Server.`,
    'Microsoft.TeamFoundation.Core.WebApi',
  );
}

function checkBuild(call: Pick<ApiCall, 'values' | 'run'>): void {
  checkProject(call);
  if (call.values['buildId'] === String(call.run.facts.buildId)) return;
  throw new DevOpsError(
    404,
    'BuildNotFoundException',
    `The requested build ${call.values['buildId']} could not be found.`,
    NAMESPACE,
  );
}

function texts(value: unknown): string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw invalidArgument('The tags must be an array of texts.');
}

function tagsAfter(call: RunCall, add: readonly string[], remove: readonly string[]): unknown {
  checkBuild(call);
  if ([...add, ...remove].some((tag) => tag.trim() === '')) throw invalidArgument('A build tag must not be empty.');
  for (const tag of add) call.run.tags.add(tag.trim());
  for (const tag of remove) call.run.tags.delete(tag.trim());
  return list([...call.run.tags]);
}

function propertyChange(operation: unknown): (properties: Map<string, string>) => void {
  const { op, path, value } = Object(operation) as { op?: unknown; path?: unknown; value?: unknown };
  const key =
    typeof path === 'string' && path.startsWith('/') ? path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~') : '';
  if (key === '') throw invalidArgument(`The path ${String(path)} is no valid property path.`);
  if (op === 'remove') return (properties) => properties.delete(key);
  if (op !== 'add' && op !== 'replace') throw invalidArgument(`The operation ${String(op)} is not supported.`);
  if (value === undefined || value === null || typeof value === 'object')
    throw invalidArgument(`The value of property ${key} must be a text, a number or a boolean.`);
  return (properties) => properties.set(key, String(value));
}

function describedProperties({ run }: ApiCall): object {
  const value = Object.fromEntries(
    [...run.properties].map(([key, text]) => [key, { $type: 'System.String', $value: text }]),
  );
  return { count: run.properties.size, value };
}

function attachmentUrl({ world, run }: ApiCall, recordId: string, type: string, name: string): string {
  const { buildId, timelineId } = run.facts;
  const path = `${timelineId}/${recordId}/attachments/${encodeURIComponent(type)}/${encodeURIComponent(name)}`;
  return `${world.organization.url}${run.project.id}/_apis/build/builds/${buildId}/${path}`;
}

/** A build as the service tells it. */
export function describedBuild({ run, world: { organization } }: Pick<ApiCall, 'run' | 'world'>): object {
  const { facts, project, request } = run;
  const base = `${organization.url}${project.id}`;
  const plan = { planId: facts.planId };
  const reference = projectReference(project, organization.url);
  const requester = request === undefined ? {} : { requestedBy: user(request.by), requestedFor: user(request.by) };
  return {
    _links: {
      self: { href: `${base}/_apis/build/Builds/${facts.buildId}` },
      web: { href: `${base}/_build/results?buildId=${facts.buildId}` },
    },
    properties: {},
    tags: [...run.tags],
    validationResults: [],
    plans: [plan],
    triggerInfo: {},
    ...(request !== undefined && { templateParameters: request.templateParameters }),
    id: facts.buildId,
    buildNumber: facts.buildNumber,
    status: run.status,
    ...(run.result !== undefined && { result: run.result }),
    ...times(run),
    url: `${base}/_apis/build/Builds/${facts.buildId}`,
    definition: {
      drafts: [],
      id: facts.definitionId,
      name: facts.definitionName,
      path: '\\',
      type: 'build',
      queueStatus: 'enabled',
      revision: 1,
      project: reference,
    },
    project: reference,
    uri: `vstfs:///Build/Build/${facts.buildId}`,
    sourceBranch: facts.branch,
    ...(facts.commit !== '' && { sourceVersion: facts.commit }),
    priority: 'normal',
    reason: facts.reason.charAt(0).toLowerCase() + facts.reason.slice(1),
    ...requester,
    orchestrationPlan: plan,
    repository: { ...facts.repository, clean: null, checkoutSubmodules: false },
    retainedByRelease: false,
    triggeredByBuild: null,
  };
}

function times({ queuedAt, startedAt, endedAt }: PipelineRun): Record<string, string> {
  const all = { queueTime: queuedAt, startTime: startedAt, finishTime: endedAt };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, at]) => (at === undefined ? [] : [[name, new Date(at).toISOString()]])),
  );
}

function projectReference({ id, name }: Project, organization: string): object {
  const url = `${organization}_apis/projects/${id}`;
  return { id, name, url, state: 'wellFormed', revision: 1, visibility: 'private' };
}

function user({ name, objectId }: Identity): object {
  return { id: objectId, displayName: name, uniqueName: objectId };
}
