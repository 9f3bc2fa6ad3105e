/** Where in a pipeline a node stands; decides whether it may hold templates and whether it has variables of its own. */
export type TemplateKind =
  | 'root'
  | 'stages'
  | 'stage'
  | 'jobs'
  | 'job'
  | 'strategy'
  | 'runOnce'
  | 'deploy'
  | 'steps'
  | 'variables'
  | 'other';

const CHILDREN: Readonly<Partial<Record<TemplateKind, Readonly<Record<string, TemplateKind>>>>> = {
  root: { stages: 'stages', jobs: 'jobs', steps: 'steps', variables: 'variables' },
  stage: { jobs: 'jobs', variables: 'variables' },
  job: { steps: 'steps', variables: 'variables', strategy: 'strategy' },
  strategy: { runOnce: 'runOnce' },
  runOnce: { deploy: 'deploy' },
  deploy: { steps: 'steps' },
};

const ITEMS: Readonly<Partial<Record<TemplateKind, TemplateKind>>> = { stages: 'stage', jobs: 'job' };

export function childKind(kind: TemplateKind, key: string): TemplateKind {
  return CHILDREN[kind]?.[key] ?? 'other';
}

export function itemKind(kind: TemplateKind): TemplateKind {
  return ITEMS[kind] ?? 'other';
}

/** Lists that may hold `- template: …`; the template's own key has the same name. */
export function holdsTemplates(kind: TemplateKind): boolean {
  return kind === 'stages' || kind === 'jobs' || kind === 'steps' || kind === 'variables';
}

export function hasVariables(kind: TemplateKind): boolean {
  return kind === 'root' || kind === 'stage' || kind === 'job';
}
