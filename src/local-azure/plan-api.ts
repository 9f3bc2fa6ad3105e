import { buildTimeline } from './build-timeline.ts';
import { type ApiCall, type ApiResource, list } from './devops-api.ts';
import { DevOpsError, invalidArgument } from './devops-error.ts';
import type { PublishedAttachment } from './pipeline-run.ts';

const NAMESPACE = 'Microsoft.TeamFoundation.DistributedTask.WebApi';
/** `Path.GetInvalidFileNameChars()` of .NET on Windows, where the service runs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are the characters meant
const INVALID_NAME = /["<>|:*?\\/\u0000-\u001f]/;

/** The plan must be the run's and the scope the project, as in the URLs that a job is given. */
export function checkPlan({ values, run, holder }: ApiCall): void {
  const scope = values['scopeIdentifier']?.toLowerCase();
  const { id, name } = run.project;
  const known = (scope === id || scope === name.toLowerCase()) && values['hubName']?.toLowerCase() === 'build';
  const plan = values['planId']?.toLowerCase();
  if (known && plan === run.facts.planId.toLowerCase() && plan === holder.planId.toLowerCase()) return;
  throw new DevOpsError(
    404,
    'TaskOrchestrationPlanNotFoundException',
    `No plan found for identifier ${values['planId']}.`,
    NAMESPACE,
  );
}

export const planAttachmentsResource: ApiResource = {
  GET: (call) => {
    checkPlan(call);
    return list(ofType(call).map((attachment) => described(call, attachment)));
  },
};

export const recordAttachmentsResource: ApiResource = {
  PUT: (call) => {
    checkRecord(call);
    const { type = '', name, recordId = '' } = call.values;
    if (name === undefined || INVALID_NAME.test(name) || INVALID_NAME.test(type))
      throw invalidArgument('The attachment type and name must be valid file names.');
    const contentType = String(call.request.headers['content-type'] ?? '');
    if (!contentType.startsWith('application/octet-stream'))
      throw invalidArgument(`The content type ${contentType} is not supported for attachments.`);
    const attachment = { type, name, recordId: recordId.toLowerCase(), content: new Uint8Array(call.request.body) };
    call.run.attach(attachment);
    return described(call, attachment);
  },
  GET: (call) => {
    checkRecord(call);
    const { type = '', name, recordId = '' } = call.values;
    if (name === undefined)
      return list(
        ofType(call)
          .filter((each) => each.recordId === recordId.toLowerCase())
          .map((each) => described(call, each)),
      );
    const found = call.run.attachment(recordId.toLowerCase(), type, name);
    if (found === undefined)
      throw new DevOpsError(
        404,
        'TaskAttachmentNotFoundException',
        `No attachment ${type}/${name} found on record ${recordId}.`,
        NAMESPACE,
      );
    return String(call.request.headers.accept).startsWith('application/octet-stream')
      ? found.content
      : described(call, found);
  },
};

export const planTimelinesResource: ApiResource = {
  GET: (call) => {
    checkPlan(call);
    if (call.values['timelineId'] !== undefined) checkTimeline(call);
    const timeline = buildTimeline(call);
    return call.values['timelineId'] === undefined ? list([{ ...timeline, records: undefined }]) : timeline;
  },
};

export const planRecordsResource: ApiResource = {
  GET: (call) => {
    checkPlan(call);
    checkTimeline(call);
    return list(buildTimeline(call).records);
  },
};

function checkTimeline({ values, run }: ApiCall): void {
  if (values['timelineId']?.toLowerCase() === run.facts.timelineId.toLowerCase()) return;
  throw new DevOpsError(
    404,
    'TimelineNotFoundException',
    `No timeline found for identifier ${values['timelineId']}.`,
    NAMESPACE,
  );
}

function checkRecord(call: ApiCall): void {
  checkPlan(call);
  checkTimeline(call);
  const record = call.run.timeline.get(call.values['recordId']?.toLowerCase() ?? '');
  if (record?.type === 'Task') return;
  throw new DevOpsError(
    404,
    'TimelineRecordNotFoundException',
    `No record ${call.values['recordId']} found in timeline ${call.values['timelineId']}.`,
    NAMESPACE,
  );
}

function ofType({ run, values }: ApiCall): PublishedAttachment[] {
  return run.attachments().filter(({ type }) => type === values['type']);
}

function described({ world, run, clock }: ApiCall, { type, name, recordId }: PublishedAttachment): object {
  const { planId, timelineId } = run.facts;
  const path = `_apis/distributedtask/hubs/build/plans/${planId}/timelines/${timelineId}/records/${recordId}/attachments`;
  const href = `${world.organization.url}${run.project.id}/${path}/${encodeURIComponent(type)}/${encodeURIComponent(name)}`;
  const at = new Date(clock.now()).toISOString();
  return {
    type,
    name,
    timelineId,
    recordId,
    createdOn: at,
    lastChangedOn: at,
    lastChangedBy: recordId,
    _links: { self: { href } },
  };
}
