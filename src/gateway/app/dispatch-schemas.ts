import { PIPELINE_RUN_STATES } from '../dispatch/pipeline-run.ts';

const UUID = '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$';

const text = (description: string, maxLength = 255) => ({ type: 'string', minLength: 1, maxLength, description });
const time = (description: string) => ({
  type: 'integer',
  description: `${description} Milliseconds since the epoch.`,
});
const object = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});

const lineageRun = object({
  runId: { type: 'string', pattern: UUID, description: 'Of OpenLineage.' },
  namespace: text('Of its job.', 512),
  name: text('Of its job.', 512),
});

const claimed = {
  type: 'object',
  maxProperties: 16,
  propertyNames: {
    pattern: '^[A-Za-z][\\w.-]{0,63}$',
    not: { pattern: '^([iI][sS][sS][uU][eE][rR]|[sS][uU][bB][jJ][eE][cC][tT])$' },
  },
  additionalProperties: { type: 'string', maxLength: 256 },
  description:
    'What the caller says about itself and no token signs, such as dagId, runId, taskId; the pipeline is told.',
};

const createPipelineRun = {
  $id: 'CreatePipelineRun',
  description:
    'What is queued is the pipeline at this ref with these template parameters, and nothing else can be given.',
  ...object(
    {
      organization: text('Name or URL; may be left out where the gateway has one only.'),
      project: text('Name of the project.'),
      pipeline: {
        type: 'integer',
        minimum: 1,
        maximum: 2_147_483_647,
        description: "Id of the pipeline's definition.",
      },
      ref: text('A branch, or a full ref below refs/heads, refs/tags or refs/pull.'),
      templateParameters: {
        type: 'object',
        maxProperties: 64,
        propertyNames: { pattern: '^[A-Za-z_][\\w-]{0,127}$' },
        description: 'As the policy allows them. Text goes as it is; other values as JSON text.',
      },
      key: { ...text('As the header Idempotency-Key, and instead of it; here any characters.'), pattern: '^\\P{C}+$' },
      wait: { type: 'boolean', default: false, description: 'Answer at the end of the run, or after 50 s.' },
      lineage: {
        ...object({ parent: lineageRun, root: lineageRun }, []),
        description: "Of the caller's own run; the pipeline is told, so that its lineage goes on there.",
      },
      claimed,
    },
    ['project', 'pipeline', 'ref'],
  ),
};

const fields = {
  id: { type: 'string', pattern: UUID.replaceAll('A-F', '') },
  key: { type: 'string' },
  sharedId: {
    type: 'string',
    description: 'By which both sides know it: the id. A tag of the run in Azure DevOps has it.',
  },
  state: {
    enum: PIPELINE_RUN_STATES,
    description: 'unknown: nobody can say whether it was queued, or how it ended. Only succeeded is green.',
  },
  organization: { type: 'string' },
  project: { type: 'string' },
  pipeline: { type: 'integer' },
  ref: { type: 'string', description: 'In full.' },
  templateParameters: { type: 'array', items: { type: 'string' }, description: 'Names, never values.' },
  createdAt: time('When it was asked for.'),
  queuedAt: time('When Azure DevOps had it.'),
  startedAt: time('When it began.'),
  endedAt: time('When it ended.'),
  run: object({
    id: { type: 'integer', description: 'In Azure DevOps.' },
    name: { type: 'string' },
    url: { type: 'string', description: 'Its page in Azure DevOps.' },
  }),
  tags: { enum: ['set', 'refused', 'failed'], description: 'refused: the identity of the gateway may not set them.' },
  problem: { type: 'string', description: 'What holds it up at the moment.' },
  error: object(Object.fromEntries(['code', 'message', 'remedy', 'reason'].map((name) => [name, { type: 'string' }])), [
    'code',
    'message',
  ]),
  caller: { type: 'object', description: 'Who asked: signed facts.' },
  claimed: { type: 'object', additionalProperties: { type: 'string' } },
  decision: { type: 'object' },
  links: object(Object.fromEntries(['self', 'events', 'outcome'].map((name) => [name, { type: 'string' }]))),
};

const OPTIONAL = ['queuedAt', 'startedAt', 'endedAt', 'run', 'tags', 'problem', 'error'];
const pipelineRun = {
  $id: 'PipelineRun',
  ...object(
    fields,
    Object.keys(fields).filter((name) => !OPTIONAL.includes(name)),
  ),
};

/** What a body may have; everything else is refused by its name. */
export const PIPELINE_RUN_FIELDS: readonly string[] = Object.keys(createPipelineRun.properties);

/** Schemas of `/v1/azure-devops/pipeline-runs`. */
export const DISPATCH_SCHEMAS = [createPipelineRun, pipelineRun] as const;
