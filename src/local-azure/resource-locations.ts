/**
 * The REST resources that are served. Clients look them up by id (`OPTIONS …/_apis/{area}`) and build their URLs from the
 * template. Ids, areas and names are those that azure-devops-node-api 17 asks for.
 */
export interface ResourceLocation {
  readonly id: string;
  readonly area: string;
  readonly resourceName: string;
  readonly routeTemplate: string;
}

const BUILDS = '{project}/_apis/{area}/builds/{buildId}';
const PLAN = '{scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}';
const PULL_REQUEST = '{project}/_apis/{area}/repositories/{repositoryId}/pullRequests/{pullRequestId}';

function location(id: string, area: string, resourceName: string, routeTemplate: string): ResourceLocation {
  return { id, area, resourceName, routeTemplate };
}

export const LOCATIONS = {
  resourceAreas: location(
    'e81700f7-3be2-46de-8624-2eb35882fcaa',
    'Location',
    'ResourceAreas',
    '_apis/{resource}/{areaId}',
  ),
  connectionData: location('00d9565f-ed9c-4a06-9a50-00e7896ccab4', 'Location', 'ConnectionData', '_apis/{resource}'),
  builds: location(
    '0cd358e1-9217-4d94-8269-1c1ee6f93dcf',
    'build',
    'builds',
    '{project}/_apis/{area}/{resource}/{buildId}',
  ),
  tags: location('6e6114b2-8161-44c8-8f6c-c5505782427f', 'build', 'tags', `${BUILDS}/{resource}/{*tag}`),
  properties: location('0a6312e9-0627-49b7-8083-7d74a64849c9', 'build', 'properties', `${BUILDS}/{resource}`),
  pipelineRuns: location(
    '7859261e-d2e9-4a68-b820-a5d84cc5bb3d',
    'pipelines',
    'runs',
    '{project}/_apis/{area}/{pipelineId}/{resource}/{runId}',
  ),
  timeline: location('8baac422-4c6e-4de5-8532-db96d92acffa', 'build', 'timeline', `${BUILDS}/{resource}/{timelineId}`),
  attachments: location('f2192269-89fa-4f94-baf6-8fb128c55159', 'build', 'attachments', `${BUILDS}/{resource}/{type}`),
  attachment: location(
    'af5122d3-3438-485e-a25a-2dbbfde84ee6',
    'build',
    'attachments',
    `${BUILDS}/{timelineId}/{recordId}/{resource}/{type}/{name}`,
  ),
  oidcToken: location(
    '69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2',
    'distributedtask',
    'oidctoken',
    `${PLAN}/jobs/{jobId}/{resource}`,
  ),
  planAttachments: location(
    'eb55e5d6-2f30-4295-b5ed-38da50b1fc52',
    'distributedtask',
    'attachments',
    `${PLAN}/{resource}/{type}`,
  ),
  recordAttachments: location(
    '7898f959-9cdf-4096-b29e-7f293031629e',
    'distributedtask',
    'attachments',
    `${PLAN}/timelines/{timelineId}/records/{recordId}/{resource}/{type}/{name}`,
  ),
  planTimelines: location(
    '83597576-cc2c-453c-bea6-2882ae6a1653',
    'distributedtask',
    'timelines',
    `${PLAN}/{resource}/{timelineId}`,
  ),
  planRecords: location(
    '8893bc5b-35b2-4be7-83cb-99e683551db4',
    'distributedtask',
    'records',
    `${PLAN}/timelines/{timelineId}/{resource}`,
  ),
  pullRequestStatuses: location(
    'b5f6bb4f-8d1e-4d79-8d11-4c9172c99c35',
    'git',
    'statuses',
    `${PULL_REQUEST}/{resource}/{statusId}`,
  ),
} as const satisfies Record<string, ResourceLocation>;

export type LocationName = keyof typeof LOCATIONS;

/** What `OPTIONS` says about an area: everything from 1.0 to 7.2, released in 7.1. */
export function areaLocations(area: string): readonly object[] {
  return Object.values(LOCATIONS)
    .filter((each) => each.area.toLowerCase() === area.toLowerCase())
    .map((each) => ({ ...each, resourceVersion: 7, minVersion: '1.0', maxVersion: '7.2', releasedVersion: '7.1' }));
}

/** Areas by the ids that clients ask for before their first call; all of them live at the collection's address. */
export const RESOURCE_AREAS: Readonly<Record<string, string>> = {
  '965220d5-5bb9-42cf-8d67-9b146df2a5a4': 'build',
  'a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd': 'distributedtask',
  '4e080c62-fa21-4fbc-8fef-2a10a2b38049': 'git',
  '79134c72-4a58-4b42-976c-04e7115f32bf': 'core',
  '5264459e-e5e0-4bd8-b118-0985e68a4ec5': 'wit',
  'fb13a388-40dd-4a04-b530-013a739c72ef': 'policy',
  '1814ab31-2f4f-4a9f-8761-f4d77dc5a5d7': 'serviceendpoint',
  '6c2b0933-3600-42ae-bf8b-93d4f7e83594': 'ExtensionManagement',
};

export interface RouteMatch {
  readonly location: LocationName;
  /** Decoded values by the template's names; a part left out is absent. */
  readonly values: Readonly<Record<string, string>>;
}

/** Finds the resource that a path below the collection leads to; where several fit, the one with most fixed words. */
export function matchLocation(path: string): RouteMatch | undefined {
  for (const { location: name, pattern } of ROUTES) {
    const found = pattern.exec(path);
    if (found === null) continue;
    const given = Object.entries(found.groups ?? {}).filter(([, value]) => value !== undefined);
    return {
      location: name,
      values: Object.fromEntries(given.map(([key, value]) => [key, decodeURIComponent(value)])),
    };
  }
  return undefined;
}

const ROUTES = (Object.entries(LOCATIONS) as [LocationName, ResourceLocation][])
  .map(([name, each]) => ({ location: name, ...compiled(each) }))
  .sort((a, b) => b.words - a.words);

function compiled({ routeTemplate, area, resourceName }: ResourceLocation): { pattern: RegExp; words: number } {
  const parts = routeTemplate.replace('{area}', area).replace('{resource}', resourceName).split('/');
  const last = parts.at(-1) ?? '';
  const optional = last.startsWith('{') ? parts.pop() : undefined;
  const fixed = parts.map((part) => (part.startsWith('{') ? `(?<${bare(part)}>[^/]+)` : part)).join('/');
  const tail = optional === undefined ? '' : `(?:/(?<${bare(optional)}>[^/]+))?`;
  return {
    pattern: new RegExp(`^/${fixed}${tail}/?$`, 'i'),
    words: parts.filter((part) => !part.startsWith('{')).length * 10 + parts.length,
  };
}

function bare(part: string): string {
  return part.replace(/[{}*]/g, '');
}
