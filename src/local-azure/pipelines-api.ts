import { jsonBody, list } from './devops-api.ts';
import { DevOpsError, invalidArgument } from './devops-error.ts';
import { type MemberResource, pipelineOf } from './member-call.ts';
import { pipelineInvalid } from './pipeline-error.ts';
import type { PipelineRun, RunResult } from './pipeline-run.ts';
import { checkTemplateParameters } from './queue-parameters.ts';
import type { PipelineDefinition, World } from './world.ts';

/** The Pipelines API knows no partial success. */
const RESULTS: Readonly<Record<RunResult, string>> = {
  succeeded: 'succeeded',
  partiallySucceeded: 'succeeded',
  failed: 'failed',
  canceled: 'canceled',
};

/** Runs of a pipeline: queued, listed (the newest first) and read. */
export const pipelineRunsResource: MemberResource = {
  POST: (call) => {
    if (call.values['runId'] !== undefined)
      throw new DevOpsError(
        405,
        'HttpRequestException',
        "The requested resource does not support http method 'POST'.",
        'System.Net.Http',
      );
    const definition = pipelineOf(call);
    const body = Object(jsonBody(call, 'application/json')) as Readonly<Record<string, unknown>>;
    checkFields(body);
    const ref = refOf(definition, body['resources']);
    const templateParameters = parametersOf(body['templateParameters'] ?? {});
    checkTemplateParameters(call.queue.file(definition.yaml), templateParameters);
    return described(call.queue.queue({ definition, templateParameters, by: call.member }, ref), call.world);
  },
  GET: (call) => {
    const definition = pipelineOf(call);
    const own = call.runs.all().filter(({ request }) => request?.definition === definition);
    const { runId } = call.values;
    if (runId === undefined) return list(own.toReversed().map((run) => described(run, call.world)));
    const found = own.find(({ facts }) => String(facts.buildId) === runId);
    if (found === undefined)
      throw new DevOpsError(
        404,
        'PipelineRunNotFoundException',
        `Run ${runId} of pipeline ${definition.id} was not found.`,
        'Microsoft.Azure.Pipelines.WebApi',
      );
    return described(found, call.world);
  },
};

/** What a pipeline here takes: nothing but a ref of its own repository and template parameters. */
function checkFields(body: Readonly<Record<string, unknown>>): void {
  const { previewRun, yamlOverride, stagesToSkip, variables, resources: _, templateParameters: __, ...unknown } = body;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalidArgument(`The field ${name} is not a field of a run's parameters.`);
  if (yamlOverride !== undefined && previewRun !== true)
    throw pipelineInvalid('The yamlOverride parameter can only be used with preview runs.');
  if (previewRun === true) throw pipelineInvalid('Preview runs are not available.');
  const [stage] = (stagesToSkip ?? []) as readonly unknown[];
  if (stage !== undefined) throw pipelineInvalid(`The stage ${String(stage)} cannot be skipped.`);
  const names = Object.keys(Object(variables ?? {}) as object);
  if (names.length > 0)
    throw pipelineInvalid(
      `You can't set the following variables (${names.join(',')}). If you want to be able to set these variables, then edit the pipeline and select Settable at queue time on the variables tab of the pipeline editor.`,
    );
}

function refOf({ refs, project }: PipelineDefinition, resources: unknown): string {
  const { repositories = {}, ...others } = Object(resources ?? {}) as Readonly<Record<string, unknown>>;
  const { self, ...more } = Object(repositories) as Readonly<Record<string, unknown>>;
  const [other] = [...Object.keys(others), ...Object.keys(more)];
  if (other !== undefined) throw pipelineInvalid(`Could not find a resource named ${other} in the pipeline.`);
  const { refName = refs[0], ...rest } = Object(self ?? {}) as Readonly<Record<string, unknown>>;
  const [field] = Object.keys(rest);
  if (field !== undefined) throw pipelineInvalid(`The ${field} of the repository self cannot be set.`);
  if (typeof refName === 'string' && refs.includes(refName)) return refName;
  throw pipelineInvalid(
    `Could not get the latest source version for repository ${project.name} hosted on Azure Repos using ref ${String(refName)}.`,
  );
}

function parametersOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(Object(value) as object);
  const wrong = entries.find(([, text]) => typeof text !== 'string');
  if (typeof value !== 'object' || Array.isArray(value) || wrong !== undefined)
    throw invalidArgument(`The value of the template parameter ${wrong?.[0] ?? ''} must be a text.`);
  return Object.fromEntries(entries);
}

function described(run: PipelineRun, { organization }: World): object {
  const { project, facts, status, result, endedAt, request } = run;
  const base = `${organization.url}${project.id}`;
  const own = `${base}/_apis/pipelines/${facts.definitionId}`;
  const self = `${own}/runs/${facts.buildId}`;
  const version = facts.commit === '' ? {} : { version: facts.commit };
  return {
    _links: {
      self: { href: self },
      web: { href: `${base}/_build/results?buildId=${facts.buildId}` },
      'pipeline.web': { href: `${base}/_build/definition?definitionId=${facts.definitionId}` },
      pipeline: { href: `${own}?revision=1` },
    },
    templateParameters: request?.templateParameters ?? {},
    pipeline: {
      url: `${own}?revision=1`,
      id: facts.definitionId,
      revision: 1,
      name: facts.definitionName,
      folder: '\\',
    },
    state: status === 'completed' ? 'completed' : 'inProgress',
    ...(result !== undefined && { result: RESULTS[result] }),
    createdDate: new Date(run.queuedAt).toISOString(),
    ...(endedAt !== undefined && { finishedDate: new Date(endedAt).toISOString() }),
    url: self,
    resources: {
      repositories: { self: { repository: { type: 'azureReposGit' }, refName: facts.branch, ...version } },
    },
    id: facts.buildId,
    name: facts.buildNumber,
  };
}
