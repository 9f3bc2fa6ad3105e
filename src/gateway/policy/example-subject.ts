import { parseDuration } from '#core/duration.ts';
import type { CompiledRole } from './binding.ts';
import type { BindingEntry, ExampleEntry } from './policy-document.ts';
import type { PolicyParts } from './policy-parts.ts';
import type { Asker, Candidate, Question } from './question.ts';
import { airflowQuestion, pipelineQuestion, runQuestion } from './questions.ts';

/** What an example of a binding is about. */
export interface ExampleSubject {
  /** What would answer, of which the binding or another one could give something. */
  readonly candidates: readonly Candidate[];
  /** The one that the example names. */
  readonly meant: Candidate | undefined;
  /** Only the caller is tried, not what is asked for. */
  readonly callerOnly: boolean;
  /** A task of the role that must get a token. */
  readonly task?: {
    readonly role: CompiledRole;
    readonly family: string;
    readonly identity?: string | undefined;
  };
}

/** What the example asks for; where it does not say, the one thing that its binding gives. */
export function exampleSubject(
  parts: PolicyParts,
  asker: Asker,
  entry: BindingEntry,
  example: ExampleEntry,
): ExampleSubject {
  const { role, airflow, pipeline } = example;
  const isSaid = (role ?? airflow ?? pipeline) !== undefined;
  const grant = airflow ?? (isSaid || entry.roles.length > 0 ? undefined : entry.airflow?.[0]);
  if (grant !== undefined) return airflowSubject(parts, asker, grant);
  const only = isSaid || entry.roles.length > 0 ? undefined : entry.pipelines?.[0];
  const queued = pipeline ?? (only === undefined ? undefined : { grant: only });
  return queued === undefined ? roleSubject(parts, asker, entry, example) : pipelineSubject(parts, asker, queued);
}

function roleSubject(parts: PolicyParts, asker: Asker, entry: BindingEntry, example: ExampleEntry): ExampleSubject {
  const { run, role = entry.roles[0] ?? '', family, identity } = example;
  const question = runQuestion(parts, {
    ...asker,
    role,
    module: run?.module ?? '',
    task: run?.task ?? '',
    parameters: run?.parameters ?? {},
    workers: run?.workers,
    timeoutMs: run?.timeout === undefined ? undefined : parseDuration(run.timeout),
  });
  const [meant] = question.candidates;
  const task = family === undefined || meant === undefined ? {} : { task: { role: meant.role, family, identity } };
  return { ...candidatesOf(question, role), callerOnly: run === undefined, ...task };
}

function airflowSubject(parts: PolicyParts, asker: Asker, grant: string): ExampleSubject {
  const airflow = parts.airflow.get(grant)?.airflow ?? '';
  return { ...candidatesOf(airflowQuestion(parts, { ...asker, airflow, grant }), grant), callerOnly: false };
}

/** With a ref every grant for this pipeline could answer, as in a decision. */
function pipelineSubject(
  parts: PolicyParts,
  asker: Asker,
  { grant, ref, templateParameters = {} }: NonNullable<ExampleEntry['pipeline']>,
): ExampleSubject {
  const { organization = '', project = '', pipeline = 0 } = parts.pipelines.get(grant)?.grant ?? {};
  const wanted = { ...asker, organization, project, pipeline, ref: ref ?? '', templateParameters };
  const all = candidatesOf(pipelineQuestion(parts, wanted), grant);
  if (ref !== undefined) return { ...all, callerOnly: false };
  return { ...all, candidates: all.candidates.filter((one) => one === all.meant), callerOnly: true };
}

function candidatesOf({ candidates }: Question, name: string): Pick<ExampleSubject, 'candidates' | 'meant'> {
  return { candidates, meant: candidates.find((one) => one.name === name) };
}
